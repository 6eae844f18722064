//! A billing platform's side of the HTTP API.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that is not answered must fail at once; this client talks to our own listener"
)]

use reqwest::Response;
use serde_json::Value;

/// One platform's client of one API process.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// A client of the API at `base`, like `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: impl Into<String>, token: &str) -> Self {
        // Somebody else in this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            // Below the time after which the listener hangs up on an idle connection.
            http: reqwest::Client::builder()
                .pool_idle_timeout(std::time::Duration::from_secs(3))
                .build()
                .expect("a client can be made"),
            base: base.into(),
            token: token.to_owned(),
        }
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET of that path: status and body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        read(request.send().await.expect("the API answers")).await
    }

    /// POST to that path with that idempotency key.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .json(body);
        read(
            request
                .header("Idempotency-Key", key)
                .send()
                .await
                .expect("the API answers"),
        )
        .await
    }

    /// POST of a form to that address, with what stands in it as credentials: status and text.
    pub async fn post_form(&self, address: reqwest::Url, fields: &[(&str, &str)]) -> (u16, String) {
        let request = self.http.post(address).form(fields);
        let answer = request.send().await.expect("the API answers");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("an answer has a body"))
    }

    /// Puts a job in; returns its id.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn submit(&self, key: &str, body: &Value) -> String {
        let (status, answer) = self.post("/v1/jobs", key, body).await;
        assert!(
            status == 202 || status == 200,
            "{status} {answer} for {body}"
        );
        answer["id"].as_str().expect("a job has an id").to_owned()
    }

    /// Waits until the job has come to rest; returns it.
    pub async fn settled(&self, id: &str) -> Value {
        loop {
            let (status, job) = self.get(&format!("/v1/jobs/{id}?wait=60")).await;
            assert_eq!(status, 200, "{job}");
            let state = job["state"].as_str().unwrap_or_default();
            if ["succeeded", "failed", "held", "cancelled"].contains(&state) {
                return job;
            }
        }
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.expect("an answer has a body");
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}
