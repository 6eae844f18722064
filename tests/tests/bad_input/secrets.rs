//! No secret is shown: not in what a process says, not in its database's file, not in an answer.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use simulator::{Applied, Fault, PanelKind, Reply};
use tests::stand::{Stand, create};

/// What a customer chose, with letters that every encoding changes.
const CHOSEN: &str = "Pl4nted+Ch0sen@pw-Zq9?";
const CHANGED: &str = "Pl4nted+Ch4nged@pw-Xk7?";

/// A secret in every way in which it might be written somewhere.
fn guises(secret: &str, user: &str) -> Vec<String> {
    let mut guises = vec![secret.to_owned()];
    for text in [secret.to_owned(), format!("{user}:{secret}")] {
        // Inside a longer text the letters depend on where the secret begins.
        for skip in 0..3.min(text.len()) {
            let whole = (text.len() - skip) / 3 * 3;
            let part = &text.as_bytes()[skip..skip + whole];
            guises.push(STANDARD_NO_PAD.encode(part));
            guises.push(URL_SAFE_NO_PAD.encode(part));
        }
    }
    let encoded = |keep: fn(u8) -> bool, upper: bool| -> String {
        let each = secret.bytes().map(|byte| match (keep(byte), upper) {
            (true, _) => char::from(byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        });
        each.collect()
    };
    for upper in [true, false] {
        guises.push(encoded(|byte| byte.is_ascii_alphanumeric(), upper));
        guises.push(encoded(
            |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte),
            upper,
        ));
        guises.push(encoded(
            |byte| byte.is_ascii_alphanumeric() || b"-_.?@".contains(&byte),
            upper,
        ));
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    guises.push(hex);
    guises
}

/// Secrets by name, in all their guises.
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    fn add(&mut self, name: &'static str, secret: &str, user: &str) {
        assert!(secret.len() > 12, "{name} is long enough to be told apart");
        let guises = BTreeSet::from_iter(guises(secret, user)).into_iter();
        self.0.extend(guises.map(|guise| (name, guise)));
    }

    /// The names of those that are in there.
    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let found = self.0.iter().filter(|(_, guise)| text.contains(guise));
        let named = found.map(|(name, guise)| format!("{name} as {guise}"));
        named.collect()
    }

    #[track_caller]
    fn assert_not_in(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{place} holds {found:#?}");
    }
}

/// Faults by which a panel says back what it was told, in an error page, in a reason and in an answer.
fn echoes(said: &str) -> Vec<(&'static str, Fault)> {
    let page = |code| Reply::Status {
        code,
        body: format!("<html><pre>Fatal error: bad call({said}) in api.php</pre></html>"),
    };
    let reason = json!({"metadata": {
        "result": 0, "version": 1, "command": "createacct", "reason": format!("Sorry, {said} will not do."),
    }});
    let reason = Reply::Status {
        code: 200,
        body: reason.to_string(),
    };
    let on = |name: &str, reply| {
        Fault::on("createacct")
            .for_user(name)
            .applied(Applied::No)
            .reply(reply)
    };
    vec![
        ("echo1", on("echo1", page(403))),
        ("echo2", on("echo2", page(404))),
        ("echo3", on("echo3", page(500))),
        ("echo4", on("echo4", reason)),
        ("echo5", on("echo5", page(200))),
    ]
}

fn with_password(server: &str, name: &str) -> Value {
    let mut body = create(server, name);
    body["account"]["password"] = json!(CHOSEN);
    body
}

async fn generated_password(stand: &Stand, server: &str, planted: &mut Planted) -> String {
    let id = stand.create(server, "generated").await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let path = format!("/v1/jobs/{id}/secret");
    let (status, secret) = stand.client.post(&path, "secret", &json!({})).await;
    assert_eq!(status, 200, "{path}");
    planted.add(
        "a generated password",
        secret["password"].as_str().unwrap(),
        "generated",
    );
    id
}

async fn change_password(stand: &Stand, server: &str, name: &str) {
    let account = json!({"reference": format!("billing:{server}-{name}"), "password": CHANGED});
    let body = json!({"kind": "change_password", "server": server, "account": account});
    let id = stand
        .client
        .submit(&format!("password-{server}"), &body)
        .await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
}

/// Everything that can be read with a GET.
async fn answers(stand: &Stand) -> Vec<(String, String)> {
    let (_, jobs) = stand.client.get("/v1/jobs?limit=200").await;
    let mut paths: Vec<String> = [
        "/v1/jobs?limit=200",
        "/v1/servers",
        "/v1/servers/web1",
        "/v1/servers/web2",
        "/v1/servers/web1/accounts",
        "/v1/servers/web2/accounts",
        "/v1/servers/web1/usage",
        "/v1/usage",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ]
    .map(str::to_owned)
    .to_vec();
    for job in jobs["items"].as_array().unwrap() {
        paths.push(format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
        if let Some(account) = job["account"]["id"].as_str() {
            paths.push(format!("/v1/accounts/{account}"));
        }
    }
    let mut answers = Vec::new();
    for path in paths {
        let (_, answer) = stand.client.get(&path).await;
        answers.push((path, answer.to_string()));
    }
    answers
}

/// The files of the folder, but for the keys and what this test put there itself.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_none_or(|end| end != "secret" && end != "key")
        {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_stored_or_answered() {
    let panels = [("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)];
    let stand = Stand::new(&panels, &["-vv"]).await;
    let mut planted = Planted(Vec::new());
    planted.add("the API token", &stand.token, "billing");
    planted.add("a chosen password", CHOSEN, "chosen");
    planted.add("a changed password", CHANGED, "chosen");
    for (server, _) in panels {
        let panel = stand.panel(server);
        planted.add("a panel's secret", panel.secret(), panel.user());
    }
    let cpanel = stand.panel("web1");
    // By no word before them can they be told to be secrets.
    let said = format!("{CHOSEN} of root, {}", cpanel.secret());
    let mut ids = Vec::new();
    for (name, fault) in echoes(&said) {
        cpanel.faults().add(fault);
        let body = with_password("web1", name);
        ids.push(stand.client.submit(name, &body).await);
        let job = stand.client.settled(&ids[ids.len() - 1]).await;
        // The gate that it closed would keep the others waiting.
        if job["error"]["class"] == "auth" {
            stand.installation.hostler(&["server", "check", "web1"]);
        }
    }
    for (server, _) in panels {
        let body = with_password(server, "chosen");
        ids.push(
            stand
                .client
                .submit(&format!("chosen-{server}"), &body)
                .await,
        );
    }
    for id in &ids {
        stand.client.settled(id).await;
    }
    let mut generated = Vec::new();
    for (server, _) in panels {
        generated.push(generated_password(&stand, server, &mut planted).await);
    }
    for (server, _) in panels {
        change_password(&stand, server, "chosen").await;
    }
    assert_eq!(cpanel.faults().fired().len(), 5, "every echo was heard");
    let (_, failed) = stand.client.get("/v1/jobs?state=failed").await;
    assert!(failed.to_string().contains("will not do"), "{failed}");

    let mut refused = with_password("web1", "refused1");
    refused["account"]["password"] = json!(format!("{CHOSEN} with \"blanks\""));
    let (status, answer) = stand.client.post("/v1/jobs", "refused1", &refused).await;
    assert_eq!(status, 422, "{answer}");
    planted.assert_not_in("a refusal", answer.to_string().as_bytes());
    refused["account"]["password"] = json!([CHOSEN]);
    let (status, answer) = stand.client.post("/v1/jobs", "refused2", &refused).await;
    assert_eq!(status, 422, "{answer}");
    planted.assert_not_in("a refusal", answer.to_string().as_bytes());

    for (path, answer) in answers(&stand).await {
        planted.assert_not_in(&path, answer.as_bytes());
    }
    for id in ids.iter().chain(&generated) {
        let shown = stand
            .installation
            .hostler(&["-vv", "--json", "job", "show", id]);
        planted.assert_not_in("job show", format!("{}{}", shown.out, shown.err).as_bytes());
    }
    let said = stand.role.said().join("\n");
    assert!(
        said.contains("TRACE") || said.contains("DEBUG"),
        "it says all that it can"
    );
    planted.assert_not_in("what the process says", said.as_bytes());
    let ledger = stand
        .database
        .url
        .trim_start_matches("sqlite:")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let folder = std::path::Path::new(&ledger).parent().unwrap().to_owned();
    let kept = [files(&folder), files(stand.installation.folder())].concat();
    assert!(
        kept.iter().any(|path| path.to_str() == Some(&ledger)),
        "{kept:?}"
    );
    for path in kept {
        planted.assert_not_in(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
    stand.end().await;
}

#[test]
fn a_secret_is_recognized_in_every_guise() {
    let mut planted = Planted(Vec::new());
    planted.add("it", CHOSEN, "root");
    for text in [
        format!("x{CHOSEN}y"),
        STANDARD_NO_PAD.encode(format!("root:{CHOSEN}")),
        STANDARD_NO_PAD.encode(format!("a{CHOSEN}")),
        STANDARD_NO_PAD.encode(format!("aa{CHOSEN}bb")),
        "password=Pl4nted%2BCh0sen%40pw-Zq9%3F&x=1".to_owned(),
        "Pl4nted%2bCh0sen%40pw-Zq9%3f".to_owned(),
    ] {
        assert!(!planted.found_in(text.as_bytes()).is_empty(), "{text}");
    }
    assert_eq!(
        planted.found_in(b"Pl4nted and others"),
        Vec::<String>::new()
    );
}
