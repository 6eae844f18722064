//! A billing platform: asks, repeats with the same key until it is told something, and writes all of it
//! down.

#![expect(
    clippy::disallowed_methods,
    reason = "this client talks to our own listener, and waits before it repeats, as platforms do"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use super::Apis;

/// Between a request without an answer and its repetition.
const BEFORE_REPEAT: Duration = Duration::from_millis(50);
/// A request that was repeated as often has no API to ask.
const MOST_REPEATS: usize = 2400;

/// What a platform was told at last.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// How often it was asked.
    pub asked: usize,
}

impl Answer {
    /// The job's id, when it was accepted.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        let accepted = matches!(self.status, 200 | 202);
        self.body["id"].as_str().filter(|_| accepted)
    }
}

/// One billing platform. Clones share the log.
#[derive(Debug, Clone)]
pub struct Platform {
    http: reqwest::Client,
    token: String,
    apis: Apis,
    log: Arc<Mutex<File>>,
    asked: Arc<AtomicUsize>,
}

impl Platform {
    pub(super) fn new(apis: Apis, token: &str, log: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let log = File::options().create(true).append(true).open(log);
        Self {
            http: reqwest::Client::builder()
                .pool_idle_timeout(Duration::from_secs(3))
                .timeout(Duration::from_secs(30))
                .build()
                .expect("a client can be made"),
            token: token.to_owned(),
            apis,
            log: Arc::new(Mutex::new(log.expect("the run folder can be written"))),
            asked: Arc::default(),
        }
    }

    /// Asks for a job until there is an answer that says whether it was taken in. Each exchange is
    /// logged, those without an answer too.
    ///
    /// # Panics
    /// When no API process answers for minutes.
    pub async fn submit(&self, key: &str, body: &Value) -> Answer {
        self.post("/v1/jobs", key, body).await
    }

    /// The same for any POST.
    ///
    /// # Panics
    /// When no API process answers for minutes.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        for asked in 1..=MOST_REPEATS {
            if let Some(answer) = self.once(path, key, body).await
                && answer.0 != 503
                && answer.0 != 429
            {
                return Answer {
                    status: answer.0,
                    body: answer.1,
                    asked,
                };
            }
            tokio::time::sleep(BEFORE_REPEAT).await;
        }
        panic!("no API answers {path} {key}");
    }

    /// Asks once; `None` = the connection broke, or there is no API process at the moment.
    pub async fn once(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let api = self.apis.pick(self.asked.fetch_add(1, Ordering::Relaxed))?;
        let begin = Utc::now().timestamp_millis();
        let request = self.http.post(format!("{api}{path}"));
        let request = request
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key)
            .json(body);
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let text = response.text().await?;
            Ok::<_, reqwest::Error>((status, text))
        };
        let answered = answered.await;
        let end = Utc::now().timestamp_millis();
        let mut entry = json!({
            "begin": begin, "end": end, "path": path, "key": key, "body": body,
            "status": null, "id": null, "answer": null, "error": null,
        });
        let answer = match answered {
            Ok((status, text)) => {
                let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
                entry["status"] = json!(status);
                entry["id"] = answer["id"].clone();
                entry["answer"] = answer.clone();
                Some((status, answer))
            }
            Err(error) => {
                entry["error"] = json!(error.to_string());
                None
            }
        };
        self.note(&entry);
        answer
    }

    fn note(&self, entry: &Value) {
        let mut line = entry.to_string();
        line.push('\n');
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.write_all(line.as_bytes())
            .expect("the run folder can be written");
    }
}
