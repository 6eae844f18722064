//! A WHM that answers `showbw` and `get_disk_usage` out of its head, in a process of its own: its memory and
//! its work are not the worker's.
//!
//! Who asks says how many accounts there are: the API user is `w<server>x<accounts>`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// What every account uses from one generation to the next.
pub(crate) const GROWTH: u64 = 1_000_000;

/// The panel's process.
pub(crate) struct Panel {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<std::process::ChildStdout>,
    /// Its address.
    pub(crate) url: String,
    /// Its certificate, to be trusted.
    pub(crate) pem: String,
}

impl Panel {
    /// This program again, as a panel.
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("--panel")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let at: Value = serde_json::from_str(&line).unwrap();
        Self {
            process,
            orders,
            answers,
            url: at["url"].as_str().unwrap().to_owned(),
            pem: at["pem"].as_str().unwrap().to_owned(),
        }
    }

    /// From now on it tells this generation's figures, so long after it was asked.
    pub(crate) fn tell(&mut self, generation: u64, delay: Duration) {
        writeln!(self.orders, "{generation} {}", delay.as_millis()).unwrap();
        self.answers.read_line(&mut String::new()).unwrap();
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Orders {
    generation: AtomicU64,
    delay: AtomicU64,
}

/// Is the panel until its orders end.
pub(crate) async fn serve() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der();
    let tls = RustlsConfig::from_der(vec![made.cert.der().to_vec()], key);
    let tls = tls.await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let orders = Arc::new(Orders::default());
    let app = Router::new()
        .route("/json-api/showbw", get(showbw))
        .route("/json-api/get_disk_usage", get(disk_usage))
        .with_state(Arc::clone(&orders));
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
    println!("{}", json!({"url": url, "pem": made.cert.pem()}));
    let obey = tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let (generation, delay) = line.split_once(' ').unwrap();
            orders
                .generation
                .store(generation.parse().unwrap(), Ordering::SeqCst);
            orders.delay.store(delay.parse().unwrap(), Ordering::SeqCst);
            println!("so be it");
        }
    });
    tokio::select! {
        end = server.serve(app.into_make_service()) => end.unwrap(),
        _ = obey => {}
    }
}

#[derive(Deserialize)]
struct Asked {
    year: u16,
    month: u8,
}

/// The server and its number of accounts.
fn who(headers: &HeaderMap) -> (String, u64) {
    let said = headers["authorization"].to_str().unwrap();
    let user = said
        .strip_prefix("whm ")
        .unwrap()
        .split(':')
        .next()
        .unwrap();
    let (server, accounts) = user.split_once('x').unwrap();
    (server.to_owned(), accounts.parse().unwrap())
}

async fn pause(orders: &Orders) {
    let delay = Duration::from_millis(orders.delay.load(Ordering::SeqCst));
    if !delay.is_zero() {
        let _ = tokio::time::timeout(delay, std::future::pending::<()>()).await;
    }
}

async fn showbw(
    State(orders): State<Arc<Orders>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> String {
    let (server, accounts) = who(&headers);
    pause(&orders).await;
    body(
        &server,
        accounts,
        orders.generation.load(Ordering::SeqCst),
        &asked,
    )
}

fn body(server: &str, accounts: u64, generation: u64, asked: &Asked) -> String {
    let Asked { year, month } = asked;
    let mut text = format!(
        "{{\"metadata\":{{\"version\":1,\"reason\":\"OK\",\"result\":1,\"command\":\"showbw\"}},\
         \"data\":{{\"month\":{month},\"year\":\"{year}\",\"reseller\":\"root\",\"acct\":["
    );
    for n in 0..accounts {
        let bytes = GROWTH * (generation + 1) + n;
        let comma = if n == 0 { "" } else { "," };
        write!(
            text,
            "{comma}{{\"user\":\"{server}a{n}\",\"maindomain\":\"{server}a{n}.example.com\",\
             \"owner\":\"root\",\"reseller\":0,\"deleted\":0,\"bwlimited\":0,\
             \"limit\":\"104857600000\",\"totalbytes\":{bytes},\"bwusage\":[{{\"domain\":\
             \"{server}a{n}.example.com\",\"usage\":\"{bytes}\",\"deleted\":0}}]}}"
        )
        .unwrap();
    }
    text.push_str("]}}");
    text
}

async fn disk_usage(State(orders): State<Arc<Orders>>, headers: HeaderMap) -> String {
    let (server, accounts) = who(&headers);
    pause(&orders).await;
    let mut text = String::from(
        "{\"metadata\":{\"version\":1,\"reason\":\"OK\",\"result\":1},\"data\":{\"accounts\":[",
    );
    for n in 0..accounts {
        let comma = if n == 0 { "" } else { "," };
        write!(
            text,
            "{comma}{{\"user\":\"{server}a{n}\",\"blocks_used\":\"{}\",\"blocks_limit\":512000,\
             \"inodes_used\":{n},\"inodes_limit\":null}}",
            1000 + n
        )
        .unwrap();
    }
    text.push_str("]}}");
    text
}

/// A report as this panel gives it.
pub(crate) fn report(accounts: u64) -> String {
    let asked = Asked {
        year: 2026,
        month: 11,
    };
    body("w1", accounts, 0, &asked)
}
