//! The dashboard in a real browser: what an operator sees of a night, and that what comes from elsewhere is
//! shown and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use regex::Regex;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use simulator::{Options, PanelKind, Simulator};
use tests::client::Client;
use tests::installation::{Installation, Role, free_port};
use tests::servers::{Kind, TestDatabase};

/// A whole Hostler with the night of two servers behind it: one was read, the other is away.
struct Night {
    database: TestDatabase,
    installation: Installation,
    listen: String,
    token: String,
    _serve: Role,
    _panel: Simulator,
}

impl Night {
    async fn ended() -> Self {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let installation = Installation::new(&database, None, 0.02);
        let options = |accounts| Options {
            accounts,
            ..Options::new(PanelKind::Cpanel)
        };
        let panel = simulator::start(options(3)).await.unwrap();
        let gone = simulator::start(options(1)).await.unwrap();
        installation.add_server("web1", "cpanel", &panel);
        installation.add_server("web2", "cpanel", &gone);
        drop(gone);
        // A server has no night from before it was known.
        let store = database.store().await;
        let before = "UPDATE server SET created_at = 0";
        store
            .writer_connection()
            .execute_unprepared(before)
            .await
            .unwrap();
        let token = installation.token(&["operate"]);
        let listen = format!("127.0.0.1:{}", free_port());
        let serve = installation
            .start(&["serve", "--listen", &listen], "listening on")
            .await;
        let night = Self {
            database,
            installation,
            listen,
            token,
            _serve: serve,
            _panel: panel,
        };
        while !night.has_ended() {
            tokio::task::yield_now().await;
        }
        night
    }

    fn has_ended(&self) -> bool {
        let nights = self.installation.hostler(&["--json", "traffic", "nights"]);
        let nights = nights.json();
        let over = |month: &Value| {
            let state = month["state"].as_str().unwrap();
            !["queued", "running", "retrying"].contains(&state)
        };
        nights.as_array().unwrap().iter().all(|night| {
            let months = night["months"].as_array().unwrap();
            !months.is_empty() && months.iter().all(over)
        })
    }

    fn page(&self) -> String {
        format!("http://anybody:{}@{}/dashboard", self.token, self.listen)
    }
}

/// Chromium without a window, on that page; what it prints, and what it complains of.
fn chromium(folder: &Path, args: &[&str], page: &str) -> (String, String) {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let binary = known
        .iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
        .unwrap_or_else(|| panic!("chromium is needed; scripts/test installs it"));
    let profile = format!("--user-data-dir={}", folder.join("browser").display());
    let said = Command::new(binary)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--no-first-run",
            "--no-proxy-server",
            "--window-size=1280,720",
        ])
        .arg(profile)
        .args(args)
        .arg(page)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success(), "{err}");
    (String::from_utf8(said.stdout).unwrap(), err)
}

/// The text of the element with that id.
fn text(dom: &str, id: &str) -> String {
    let element = Regex::new(&format!(r#"(?s)id="{id}"[^>]*>(.*?)</"#)).unwrap();
    let found = element
        .captures(dom)
        .unwrap_or_else(|| panic!("no {id}: {dom}"));
    found[1].to_owned()
}

#[tokio::test]
async fn a_browser_shows_how_far_the_night_has_come_and_runs_nothing() {
    let night = Night::ended().await;
    let hostile = "<img src=x onerror=document.title=1><script>document.title=2</script>";
    let sql = format!("UPDATE job SET error_code = '{hostile}' WHERE state <> 'succeeded'");
    let store = night.database.store().await;
    store
        .writer_connection()
        .execute_unprepared(&sql)
        .await
        .unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (dom, _) = chromium(folder.path(), &["--dump-dom"], &night.page());
    assert!(dom.contains("<title>Last night - Hostler</title>"), "{dom}");
    let lead = text(&dom, "lead");
    assert!(
        lead.starts_with("2 of 2 servers have ended their last night (20"),
        "{lead}"
    );
    assert_ne!(
        text(&dom, "need"),
        "0",
        "a server that is away needs somebody"
    );
    assert_eq!(text(&dom, "open"), "0");
    assert_ne!(text(&dom, "accounts"), "0");
    let place = |server: &str| dom.find(&format!(">{server}</th>")).unwrap();
    assert!(
        place("web2") < place("web1"),
        "who needs somebody comes first"
    );
    assert!(!dom.contains("<img") && !dom.contains("<script"), "{dom}");
    assert!(dom.contains("&lt;img src=x onerror="), "{dom}");

    // Left there for whoever wants to look.
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nights.png");
    let shot = format!("--screenshot={}", picture.display());
    chromium(folder.path(), &[&shot], &night.page());
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    let metrics = metrics(&night).await;
    let fetched = r#"route="/dashboard/style.css",status="200""#;
    assert!(
        metrics.contains(fetched),
        "the browser took the style: {metrics}"
    );
}

async fn metrics(night: &Night) -> String {
    let client = Client::new(format!("http://{}", night.listen), &night.token);
    let (status, text) = client.get("/metrics").await;
    assert_eq!(status, 200);
    text.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_without_a_token_sees_nothing() {
    let night = Night::ended().await;
    let folder = tempfile::tempdir().unwrap();
    let page = format!("http://{}/dashboard/nights", night.listen);
    let (dom, err) = chromium(folder.path(), &["--dump-dom"], &page);
    // It would ask its user; without a window there is none, and it shows nothing.
    assert!(err.contains("ERR_INVALID_AUTH_CREDENTIALS"), "{err}");
    assert!(!dom.contains("web1") && !dom.contains("web2"), "{dom}");
}
