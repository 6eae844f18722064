//! Somebody who takes webhooks.

use std::path::Path;

use axum::Router;
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;

/// Starts one that says 200 to everything, and tells its address; its certificate goes to `ca`.
pub(super) async fn start(ca: &Path) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.expect("a certificate can be made");
    std::fs::write(ca, made.cert.pem()).expect("the run folder can be written");
    let config = RustlsConfig::from_pem(
        made.cert.pem().into_bytes(),
        made.signing_key.serialize_pem().into_bytes(),
    );
    let config = config.await.expect("its own certificate is right");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port can be had");
    listener.set_nonblocking(true).expect("a socket of ours");
    let port = listener.local_addr().expect("it is bound").port();
    let router = Router::new().route("/hook", post(|| async { "thank you" }));
    let server = axum_server::from_tcp_rustls(listener, config).expect("a listener of ours");
    tokio::spawn(server.serve(router.into_make_service()));
    format!("https://localhost:{port}/hook")
}
