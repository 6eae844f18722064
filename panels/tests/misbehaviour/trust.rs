//! Servers that are not who they should be: no byte of a credential leaves.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use panels::{PanelError, ServerSettings};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::suite::{PASSWORD, Suite};
use crate::support::{Canned, SECRET, TestPanel};
use crate::{open_at, suites};

/// What a verb of every driver makes of that server.
async fn tried(suite: &Suite, settings: &ServerSettings) -> [PanelError; 2] {
    let driver = open_at(suite, settings.clone());
    let key = panels::AccountKey {
        username: suite.subject.username.parse().unwrap(),
        domain: None,
        panel_id: None,
    };
    let read = driver.find(&key).await.unwrap_err();
    let change = match suite.driver {
        // Whose customers have no password of ours.
        "hostbill" => driver.terminate(&key).await.map(drop),
        _ => driver.change_password(&key, &PASSWORD.into()).await,
    };
    [read, change.unwrap_err()]
}

/// The secrets as they would go over the wire.
fn assert_no_secret(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let basic = STANDARD.encode(SECRET);
    for secret in [
        SECRET,
        PASSWORD,
        "T0PSECRET",
        &basic[..12],
        "Authorization",
        "authorization",
    ] {
        assert!(!text.contains(secret), "{secret} left");
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

const HERE: &[&str] = &["localhost", "127.0.0.1"];

#[tokio::test]
async fn a_certificate_that_proves_nothing_gets_no_byte() {
    let (good, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut expired = params(HERE);
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params(HERE);
    early.not_before = date_time_ymd(2190, 1, 1);
    early.not_after = date_time_ymd(2199, 1, 1);
    let by_authority = |settings: &mut ServerSettings, panel: &TestPanel| {
        settings.pins.clear();
        settings.ca_pem = Some(panel.certificate_pem.clone());
    };
    let by_pin = |_: &mut ServerSettings, _: &TestPanel| {};
    let by_other_pin = |settings: &mut ServerSettings, _: &TestPanel| {
        settings.pins = vec![format!("sha256/{}", STANDARD.encode([7; 32]))];
    };
    type Distrust = fn(&mut ServerSettings, &TestPanel);
    let cases: [(&str, CertificateParams, &KeyPair, Distrust); 6] = [
        ("expired", expired, &good, by_authority),
        ("not valid yet", early, &good, by_authority),
        (
            "another host's",
            params(&["other.example"]),
            &good,
            by_authority,
        ),
        ("another pin", params(HERE), &good, by_other_pin),
        ("the right one in other hands", params(HERE), &other, by_pin),
        (
            "the right one in other hands, by authority",
            params(HERE),
            &other,
            by_authority,
        ),
    ];
    for (name, params, signing, distrust) in cases {
        let panel = TestPanel::start_as(&params, &good, signing, |_| Canned::json("{}").into());
        let mut settings = panel.settings();
        distrust(&mut settings, &panel);
        for suite in &suites() {
            for error in tried(suite, &settings).await {
                assert_eq!(error.class(), "auth", "{name}: {error:?}");
                assert!(error.detail().what.contains("nothing was sent"), "{name}");
            }
        }
        assert_eq!(panel.bytes(), b"", "{name}: bytes after the handshake");
    }
}

/// A listener without TLS that answers `says` and keeps what it heard.
async fn plain(says: &'static [u8], close: bool) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let hears = Arc::clone(&hears);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.write_all(says).await;
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    hears.lock().unwrap().extend_from_slice(&buffer[..read]);
                    if close {
                        return;
                    }
                }
            });
        }
    });
    (url, heard)
}

/// A `ServerHello` of TLS 1.0 with the cipher suite AES128-SHA.
const TLS_1_0: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    0123456789abcdef0123456789abcdef\x00\x00\x2f\x00";

#[tokio::test]
async fn a_server_without_tls_or_with_an_old_one_gets_no_byte() {
    let unused = TestPanel::scripted(Vec::new());
    for (name, says) in [
        (
            "plain HTTP",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".as_slice(),
        ),
        (
            "plain HTTP, 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        ),
        ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("TLS 1.0", TLS_1_0),
        ("refusal of our versions", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("nothing, closed", b""),
    ] {
        let (url, heard) = plain(says, true).await;
        let settings = ServerSettings {
            url,
            ..unused.settings()
        };
        for suite in &suites() {
            for error in tried(suite, &settings).await {
                assert_eq!(error.class(), "transient", "{name}: {error:?}");
                assert!(error.detail().what.contains("nothing was sent"), "{name}");
            }
        }
        let heard = heard.lock().unwrap();
        assert!(!heard.is_empty(), "{name}");
        assert_no_secret(&heard);
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_and_gets_no_byte() {
    let unused = TestPanel::scripted(Vec::new());
    let (url, heard) = plain(b"", false).await;
    let settings = ServerSettings {
        url,
        ..unused.settings()
    };
    for suite in &suites() {
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        for error in tried(suite, &settings).await {
            assert_eq!(error.class(), "transient", "{error:?}");
            assert!(
                error.detail().what.contains("no connection in time"),
                "{error:?}"
            );
        }
        assert!(
            begun.elapsed()
                <= 2 * panels::http::deadline::CONNECT + std::time::Duration::from_secs(1)
        );
        tokio::time::resume();
    }
    assert_no_secret(&heard.lock().unwrap());
}
