//! A client of the demo's own API, as a billing platform would write one.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::error::Failure;

/// How long one call waits for a job's end, in seconds.
const WAIT: u32 = 20;

/// Well below the time after which the listener hangs up on a connection that says nothing.
const IDLE: Duration = Duration::from_secs(3);
/// How often one request is sent. The idempotency key makes a repeated POST harmless.
const SENDS: u32 = 3;

/// A client with a token.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "it talks to this process's own listener, not to a panel"
    )]
    pub(super) fn new(address: SocketAddr, token: &str) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| Failure::work(error.to_string()))?;
        Ok(Self {
            http,
            base: format!("http://{address}"),
            token: token.to_owned(),
        })
    }

    /// Puts a job in; the answer is the job.
    pub(super) async fn put(&self, key: &str, body: &Value) -> Result<Value, Failure> {
        let request = self
            .request(Method::POST, "/v1/jobs")
            .header("Idempotency-Key", key)
            .json(body);
        answer(request).await
    }

    /// The job, as soon as nothing more happens to it by itself.
    pub(super) async fn rested(&self, id: &str) -> Result<Value, Failure> {
        loop {
            let job = self.get(&format!("/v1/jobs/{id}?wait={WAIT}")).await?;
            let state = job["state"].as_str().unwrap_or_default();
            if ["succeeded", "failed", "held", "cancelled"].contains(&state) {
                return Ok(job);
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.request(Method::GET, path)).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let reply = send(request).await?;
    let status = reply.status();
    let body: Value = reply
        .json()
        .await
        .map_err(|error| Failure::work(format!("the API's answer is no JSON: {error}")))?;
    if status.is_success() {
        Ok(body)
    } else {
        let detail = body["detail"].as_str().unwrap_or("without a reason");
        Err(Failure::work(format!(
            "the API answered {status}: {detail}"
        )))
    }
}

/// Sends it, and again when the connection broke: its answer may be lost, as a billing platform's may.
async fn send(request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
    let mut sent = 1;
    loop {
        match request.try_clone().filter(|_| sent < SENDS) {
            Some(copy) => {
                if let Ok(reply) = copy.send().await {
                    return Ok(reply);
                }
            }
            None => {
                return request
                    .send()
                    .await
                    .map_err(|error| Failure::work(format!("the API did not answer: {error}")));
            }
        }
        sent += 1;
    }
}
