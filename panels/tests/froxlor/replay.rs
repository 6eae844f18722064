//! A Froxlor that plays recorded answers, and what was asked of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use panels::{AccountKey, NewAccount, Panel};
use serde_json::{Value, json};

use crate::support::{Answer, Canned, TestPanel};

/// The API key of the tests' settings; it is half of the credentials.
pub(crate) const KEY: &str = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999";
/// The password of the tests' new accounts.
pub(crate) const PASSWORD: &str = "Pl4in-Secret_9x";

/// The recorded answer whose number is `number`.
pub(crate) fn recorded(number: &str) -> Canned {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/drivers/froxlor/fixtures");
    let path = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&format!("{number}-"))
        })
        .unwrap_or_else(|| panic!("no recorded exchange {number}"));
    let whole = std::fs::read_to_string(path).unwrap();
    let (head, body) = whole.split_once("\n\n").unwrap();
    let mut lines = head.lines().filter_map(|line| line.strip_prefix("< "));
    let (status, kind) = lines.next().unwrap().split_once(' ').unwrap();
    let canned = Canned::new(status.parse().unwrap(), kind, body.trim_end());
    lines.fold(canned, |canned, header| {
        let (name, value) = header.split_once(": ").unwrap();
        canned.with(name, value)
    })
}

/// The recorded answer, with its data changed.
pub(crate) fn edited(number: &str, edit: impl FnOnce(&mut Value)) -> Canned {
    let mut canned = recorded(number);
    let mut body: Value = serde_json::from_slice(&canned.body).unwrap();
    edit(&mut body["data"]);
    canned.body = serde_json::to_vec(&body).unwrap();
    canned
}

/// A good 2.x answer with that data (for commands that were not recorded).
pub(crate) fn data(data: &Value) -> Canned {
    Canned::json(json!({ "data": data }).to_string())
}

/// A good 2.x listing.
pub(crate) fn listing(list: &[Value]) -> Canned {
    data(&json!({"count": list.len(), "list": list}))
}

/// A domain as a listing shows it, reduced.
pub(crate) fn domain(id: i64, name: &str, customer: i64) -> Value {
    json!({"id": id, "domain": name, "domain_ace": name, "adminid": 1, "customerid": customer})
}

/// The record that an exchange answers with.
pub(crate) fn record(number: &str) -> Value {
    let body: Value = serde_json::from_slice(&recorded(number).body).unwrap();
    body["data"].clone()
}

/// A Froxlor, and the driver that talks to it.
pub(crate) struct Replay {
    pub(crate) panel: TestPanel,
    pub(crate) driver: Box<dyn Panel>,
}

/// Answers to come: each command's in this order, whatever comes between.
pub(crate) type Play = Vec<(&'static str, Answer)>;

/// `play(&[("Customers.get", recorded("076"))])`
pub(crate) fn play<const N: usize>(answers: [(&'static str, Canned); N]) -> Play {
    answers
        .into_iter()
        .map(|(command, canned)| (command, canned.into()))
        .collect()
}

impl Replay {
    /// A panel that has these answers, and 599 when a command's have run out.
    pub(crate) fn of<const N: usize>(answers: [(&'static str, Canned); N]) -> Self {
        Self::playing(play(answers))
    }

    pub(crate) fn playing(mut answers: Play) -> Self {
        let panel = TestPanel::start(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let command = body
                .get("command")
                .or_else(|| body.pointer("/body/command"));
            let command = command
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            match answers.iter().position(|(name, _)| *name == command) {
                Some(place) => answers.remove(place).1,
                None => {
                    Canned::new(599, "text/plain", format!("nothing recorded for {command}")).into()
                }
            }
        });
        Self::driving(panel)
    }

    pub(crate) fn driving(panel: TestPanel) -> Self {
        let mut settings = panel.settings();
        settings.user = Some(KEY.to_owned());
        let driver = panels::open("froxlor", settings).unwrap();
        Self { panel, driver }
    }

    /// The commands that arrived, in their order.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.bodies()
            .iter()
            .map(|body| {
                let command = body
                    .get("command")
                    .or_else(|| body.pointer("/body/command"));
                command.unwrap().as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// The bodies that arrived.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let received = self.panel.received();
        received
            .iter()
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect()
    }

    /// The parameters of the first call of that command.
    pub(crate) fn params(&self, command: &str) -> Value {
        let bodies = self.bodies();
        let body = bodies.iter().find(|body| body["command"] == command);
        body.unwrap_or_else(|| panic!("{command} was not called"))["params"].clone()
    }
}

/// The account of the recorded exchanges.
pub(crate) fn acme() -> AccountKey {
    key("acme")
}

pub(crate) fn key(username: &str) -> AccountKey {
    AccountKey {
        username: username.parse().unwrap(),
        domain: None,
        panel_id: None,
    }
}

/// An account to be made: `acme`, whose record is the recorded one's.
pub(crate) fn new_acme() -> NewAccount {
    NewAccount {
        username: "acme".parse().unwrap(),
        domain: "acme.example.com".parse().unwrap(),
        email: Some("billing@acme.example.com".parse().unwrap()),
        password: PASSWORD.into(),
        package: Some("Unlimited".parse().unwrap()),
        limits: hosting::Limits::new(),
        marker: "C-10042".to_owned(),
        panel: [("company".to_owned(), json!("Acme Example Ltd"))].into(),
    }
}
