//! What the tests of the simulator share: a client that trusts its certificate, and shorter ways to call it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test uses its own part")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests' client is no driver's"
)]

use serde_json::Value;
use simulator::{Options, PanelKind, Simulator};

/// A running panel and a client for it.
pub(crate) struct Bench {
    pub(crate) panel: Simulator,
    pub(crate) client: reqwest::Client,
}

pub(crate) fn client(pem: &str) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([root])
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

impl Bench {
    pub(crate) async fn start(options: Options) -> Self {
        let panel = simulator::start(options).await.unwrap();
        let client = client(&panel.certificate_pem());
        Bench { panel, client }
    }

    pub(crate) async fn whm() -> Self {
        Self::start(Options::new(PanelKind::Cpanel)).await
    }

    pub(crate) async fn froxlor() -> Self {
        Self::start(Options::new(PanelKind::Froxlor)).await
    }

    /// A WHM API 1 call with the root token; the request that may fail.
    pub(crate) fn whm_request(
        &self,
        function: &str,
        params: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let mut form = vec![("api.version", "1")];
        form.extend_from_slice(params);
        self.client
            .post(format!("{}/json-api/{function}", self.panel.url()))
            .header(
                "Authorization",
                format!("whm {}:{}", self.panel.user(), self.panel.secret()),
            )
            .form(&form)
    }

    /// A WHM API 1 call that is answered with JSON.
    pub(crate) async fn whm_call(&self, function: &str, params: &[(&str, &str)]) -> Value {
        let response = self.whm_request(function, params).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// The same, for its reason; whether it succeeded must be as told.
    pub(crate) async fn whm_reason(
        &self,
        function: &str,
        params: &[(&str, &str)],
        ok: bool,
    ) -> String {
        let answer = self.whm_call(function, params).await;
        assert_eq!(
            answer["metadata"]["result"],
            u8::from(ok),
            "{function}: {answer}"
        );
        answer["metadata"]["reason"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn create(&self, user: &str) -> Value {
        let domain = format!("{user}.example.com");
        self.whm_call(
            "createacct",
            &[
                ("username", user),
                ("domain", &domain),
                ("plan", "gold"),
                ("password", "xK9!mQ2#vB7@"),
            ],
        )
        .await
    }

    /// A Froxlor command with the admin's key.
    pub(crate) fn froxlor_request(&self, command: &str, params: &Value) -> reqwest::RequestBuilder {
        self.client
            .post(self.panel.api_url())
            .basic_auth(self.panel.user(), Some(self.panel.secret()))
            .json(&serde_json::json!({"command": command, "params": params}))
    }

    /// A Froxlor command with the admin's key: status and body.
    pub(crate) async fn froxlor_call(&self, command: &str, params: Value) -> (u16, Value) {
        let response = self.froxlor_request(command, &params).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// The data of a command that must succeed.
    pub(crate) async fn froxlor_data(&self, command: &str, params: Value) -> Value {
        let (status, body) = self.froxlor_call(command, params.clone()).await;
        assert_eq!(status, 200, "{command} {params}: {body}");
        body.get("data").cloned().expect("an answer with data")
    }
}
