//! The built binary: exit codes, documents, and what it leaves on the disk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use migration::MigratorTrait;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The binary in an empty environment, so that no configuration of the machine is read.
fn hostler(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
    command
        .env_clear()
        .current_dir(folder)
        .args(line.split_whitespace());
    command
}

fn run(folder: &Path, line: &str) -> Output {
    hostler(folder, line).output().unwrap()
}

#[track_caller]
fn ends(folder: &Path, line: &str, code: i32, words: &str) -> String {
    let output = run(folder, line);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}\n{text}{errors}");
    assert!(
        format!("{text}{errors}").contains(words),
        "{line}\n{text}{errors}"
    );
    text
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn exit_codes_tell_wrong_usage_from_failed_work() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    ends(at, "job list", 2, "run `hostler migrate up`");
    ends(at, "migrate status", 1, "run `hostler migrate up`");
    ends(at, "migrate up", 0, "the schema is this version's");
    ends(at, "migrate status", 0, "the schema is this version's");
    ends(at, "job list", 0, "No jobs.");
    ends(at, "job show 01NONE", 2, "id: there is no job");
    ends(at, "job list --state gone", 2, "--state");
    ends(at, "server list", 0, "No servers.");
    ends(at, "server check web1", 2, "keys init");
    ends(at, "keys init", 0, "Made worker.key");
    ends(at, "server check web1", 2, "web1");
    ends(at, "config check --config nowhere.toml", 2, "nowhere.toml");
    ends(
        at,
        "worker --redis-url redis://203.0.113.9:6379",
        2,
        "redis.url",
    );
    ends(at, "serve --listen 0.0.0.0:0", 2, "--insecure-listen");
    let all = migration::Migrator::migrations().len();
    ends(at, &format!("migrate down --steps {all}"), 0, "no schema");
    std::fs::write(at.join("hostler.toml"), "[api]\nlisen = 'x'").unwrap();
    ends(at, "config check", 2, "api.lisen");
}

#[test]
fn a_newer_schema_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    ends(at, "migrate up", 0, "");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sea_orm::ConnectionTrait;
        let url = format!("sqlite:{}", at.join("hostler-data/hostler.db").display());
        let db = sea_orm::Database::connect(url).await.unwrap();
        let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)";
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    });
    ends(at, "job list", 2, "newer than this version");
    ends(at, "serve --listen 127.0.0.1:0", 2, "m9999_future");
    ends(at, "migrate up", 2, "newer than this version");
}

#[test]
fn operators_set_up_platforms_tokens_and_servers() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    ends(at, "migrate up", 0, "");
    ends(at, "keys init", 0, "");
    ends(
        at,
        "platform add whmcs",
        0,
        "hostler token create --platform whmcs",
    );
    ends(at, "platform add whmcs", 2, "already");
    let made = json(&ends(
        at,
        "token create --platform whmcs --name main --scope read --json",
        0,
        "hst_",
    ));
    let listed = ends(at, "token list --json", 0, "main");
    let token = made["token"].as_str().unwrap();
    assert!(!listed.contains(token));
    ends(
        at,
        &format!("token revoke {}", made["id"].as_str().unwrap()),
        0,
        "Revoked",
    );
    assert!(json(&ends(at, "token list --json", 0, ""))[0]["revoked_at"].is_string());
    let hook = "webhook add main --platform whmcs --url https://billing.example.com/hook --json";
    assert!(
        json(&ends(at, hook, 0, ""))["key"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    std::fs::write(at.join("secret"), "s3cret-Tok3n-of-the-panel\n").unwrap();
    let add = "server add web1 --panel cpanel --user root --secret-file secret --url";
    ends(
        at,
        &format!("{add} http://web1.example.net:2087"),
        2,
        "https",
    );
    ends(
        at,
        &format!("{add} https://me:pw@web1.example.net:2087"),
        2,
        "server",
    );
    ends(
        at,
        &format!("{add} https://web1.example.net:2087 --pin md5/x"),
        2,
        "pin",
    );
    ends(
        at,
        "server add web1 --panel cpanel --url https://web1.example.net:2087",
        2,
        "secret-file",
    );
    ends(
        at,
        &format!("{add} https://web1.example.net:2087"),
        0,
        "hostler server check web1",
    );
    ends(
        at,
        &format!("{add} https://web1.example.net:2087"),
        2,
        "already",
    );
    let shown = ends(at, "server show web1 --json", 0, "web1");
    assert_eq!(json(&shown)["state"], "not checked");
    ends(
        at,
        "server pause web1 --until 2h --reason upgrade",
        0,
        "paused",
    );
    assert_eq!(
        json(&ends(at, "server show web1 --json", 0, ""))["state"],
        "paused"
    );
    ends(at, "server resume web1", 0, "takes jobs again");
    ends(at, "server release-guard web1", 0, "pass the guard");
    ends(
        at,
        "enqueue create --server web1 --domain bad_domain --package gold",
        2,
        "account.domain",
    );
    ends(
        at,
        "enqueue suspend --server web1 --username acme --wait 1",
        1,
        "has not ended",
    );
    ends(at, "server remove web1", 1, "unfinished jobs");
    ends(at, "server remove web1 --force", 0, "Removed web1");
    let database = std::fs::read(at.join("hostler-data/hostler.db")).unwrap();
    let needle = b"s3cret-Tok3n-of-the-panel";
    assert!(
        !database
            .windows(needle.len())
            .any(|window| window == needle)
    );
}

#[test]
fn a_secret_can_come_from_standard_input() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    ends(at, "migrate up", 0, "");
    ends(at, "keys init", 0, "");
    let add = "server add web1 --panel cpanel --user root --secret-stdin --url https://web1.example.net:2087";
    let mut child = hostler(at, add)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"s3cret\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

/// Ends a service as a terminal or a container does.
struct Service(Child);

impl Service {
    fn start(folder: &Path, line: &str, ready: &str) -> (Self, String) {
        let mut child = hostler(folder, line)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains(ready)));
        // What comes later must not block the service.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), line.unwrap())
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.0.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_simulated_panel_is_added_by_the_line_that_it_prints() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let (panel, line) = Service::start(at, "simulate cpanel --accounts 2", "hostler server add");
    let (serve, _) = Service::start(at, "serve --listen 127.0.0.1:0", "listening on");
    ends(
        at,
        line.trim().trim_start_matches("hostler "),
        0,
        "Added sim-cpanel",
    );
    ends(at, "server pin sim-cpanel --show", 0, "(pinned)");
    ends(at, "server check sim-cpanel", 0, "answers");
    ends(at, "server packages sim-cpanel", 0, "gold");
    ends(
        at,
        "account import --server sim-cpanel --dry-run",
        0,
        "2 of them not known here, 0 taken over",
    );
    ends(at, "account import --server sim-cpanel", 0, "2 taken over");
    let create = "enqueue create --server sim-cpanel --username acme --domain acme.example.com --email o@example.com --package gold --wait 60 --json";
    let made = json(&ends(at, create, 0, "succeeded"));
    assert_eq!(made["result"]["username"], "acme");
    ends(at, "traffic sync --all --wait", 0, "succeeded");
    let month = ends(at, "traffic show --json", 0, "acme");
    assert_eq!(json(&month)[0]["overage_bytes"], 0);
    let show = format!("job show {}", made["id"].as_str().unwrap());
    ends(at, &show, 0, "Attempts");
    ends(at, "keys rotate", 0, "in use");
    ends(
        at,
        "enqueue suspend --server sim-cpanel --username acme --wait 60",
        0,
        "succeeded",
    );
    assert_eq!(serve.terminate(), Some(0));
    assert_eq!(panel.terminate(), Some(0));
}

#[test]
fn the_demonstration_ends_as_it_should() {
    let home = tempfile::tempdir().unwrap();
    let text = ends(home.path(), "demo --once --json --accounts 12", 0, "");
    let document = json(&text);
    assert_eq!(document["ok"], true);
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&document), ["faults", "jobs", "ok", "traffic"]);
    let jobs = document["jobs"].as_array().unwrap();
    assert_eq!(
        keys(&jobs[0]),
        ["attempts", "id", "kind", "server", "state"]
    );
    assert_eq!(
        jobs.iter().filter(|job| job["kind"] == "create").count(),
        12
    );
    assert!(
        jobs.iter()
            .all(|job| job["state"] == "succeeded" && job["attempts"].is_u64())
    );
    assert!(jobs.iter().any(|job| job["attempts"].as_u64() > Some(1)));
    let traffic = document["traffic"].as_array().unwrap();
    assert_eq!(
        keys(&traffic[0]),
        [
            "booked_bytes",
            "month",
            "panel_bytes",
            "resets",
            "server",
            "username"
        ]
    );
    assert_eq!(traffic.len(), 24);
    assert!(
        traffic
            .iter()
            .all(|row| row["panel_bytes"] == row["booked_bytes"]
                && row["panel_bytes"].as_u64() > Some(0))
    );
    let faults = document["faults"].as_array().unwrap();
    assert_eq!(keys(&faults[0]), ["call", "fault", "server"]);
    assert_eq!(faults.len(), 10);
}
