//! A receiver of webhooks that keeps all it gets.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::watch;

pub(crate) struct Receiver {
    pub(crate) certificate_pem: String,
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
    count: watch::Receiver<usize>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate_pem = made.cert.pem();
        let key = made.signing_key.serialize_pem();
        let tls = RustlsConfig::from_pem(certificate_pem.clone().into_bytes(), key.into_bytes());
        let tls = tls.await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (counted, count) = watch::channel(0);
        let kept = Arc::clone(&got);
        let keep = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let mut message = format!("{method} {uri} {headers:?}\n").into_bytes();
            message.extend_from_slice(&body);
            kept.lock().unwrap().push(message);
            counted.send_modify(|count| *count += 1);
        };
        let service = Router::new().fallback(keep).into_make_service();
        tokio::spawn(
            axum_server::from_tcp_rustls(listener, tls)
                .unwrap()
                .serve(service),
        );
        Self {
            certificate_pem,
            url: format!("https://localhost:{port}/hook"),
            got,
            count,
        }
    }

    /// All that came, once so much has come.
    pub(crate) async fn got(&self, least: usize) -> Vec<Vec<u8>> {
        let mut count = self.count.clone();
        count.wait_for(|count| *count >= least).await.unwrap();
        self.got.lock().unwrap().clone()
    }
}
