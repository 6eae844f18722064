//! A pretend BILLmanager: its tables, and how it starts a processing module.

use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::platform::Platform;
use crate::scene::{SERVER, Scene};

/// BILLmanager's codes of an item's state.
pub(super) const ORDERED: i64 = 1;
pub(super) const ACTIVE: i64 = 2;
pub(super) const SUSPENDED: i64 = 3;
pub(super) const DELETED: i64 = 4;

/// A BILLmanager with one processing module and an item that is paid.
pub(super) fn billmanager(scene: &Scene) -> Platform {
    let database = json!({
        "processingmodule": {"5": {
            "base_url": scene.client.base(), "server": SERVER, "api_token": scene.token, "patience": "60",
        }},
        "pricelist": {"9": {"hostler_package": "silver"}, "10": {"hostler_package": "gold"}},
        "user": [{"account": 7, "email": "ann@example.org"}],
        "item": {"42": {
            "account": 7, "processingmodule": 5, "pricelist": 9, "status": ORDERED,
            "params": {"domain": "bolt.example.com", "username": "boltexam"},
            "addons": {"disk": ["2", "gib"], "emaillimit": ["30", "unit"], "support": ["1", "unit"]},
        }},
        "runningoperation": {},
        "stat": [],
        "posted": [],
        "log": [],
    });
    Platform::new("billmanager", &database)
}

/// Starts the module as BILLmanager does.
pub(super) fn start(platform: &Platform, arguments: &[&str]) -> Child {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integrations/python");
    let ours = platform.root().join("lib/python");
    let mut command = Command::new(platform.root().join("processing/pmhostler"));
    command
        .args(arguments)
        .env(
            "PYTHONPATH",
            format!("{}:{}", library.display(), ours.display()),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "error")
        .env("BILLMGR_DATABASE", platform.database_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().expect("python3 can be run")
}

/// Runs a command of the module to its end; what it printed.
pub(super) async fn run_with(platform: &Platform, arguments: &[&str], input: &str) -> String {
    let mut child = start(platform, arguments);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let ended = tokio::time::timeout(platform.limit, child.wait_with_output());
    let output = ended.await.expect("it ends by itself").unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{arguments:?}: {complaints}"
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(super) async fn run(platform: &Platform, arguments: &[&str]) -> String {
    run_with(platform, arguments, "").await
}

/// Begins a running operation.
pub(super) fn order(platform: &Platform, id: u32, command: &str) {
    let row = json!({"item": 42, "command": command, "manual": false, "errorxml": ""});
    platform.set(&format!("/runningoperation/{id}"), row);
}

pub(super) fn operation_of(id: u32, command: &str) -> Vec<String> {
    let id = id.to_string();
    let words = [
        "--command",
        command,
        "--item",
        "42",
        "--runningoperation",
        &id,
        "--level",
        "30",
    ];
    words.map(str::to_owned).to_vec()
}

/// Starts a running operation once.
pub(super) async fn operate(platform: &Platform, id: u32, command: &str) -> String {
    let words = operation_of(id, command);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run(platform, &words).await
}

/// A running operation that ends well at its first start.
pub(super) async fn does(platform: &Platform, id: u32, command: &str) {
    order(platform, id, command);
    let said = operate(platform, id, command).await;
    assert_eq!(said, "", "{command}");
    assert_eq!(platform.get("/runningoperation"), json!({}), "{command}");
}

pub(super) fn status(platform: &Platform) -> i64 {
    platform.get("/item/42/status").as_i64().unwrap()
}

/// The password that is stored with the item.
pub(super) fn password(platform: &Platform) -> String {
    let stored = platform.get("/item/42/params/userpassword");
    let stored = stored.as_str().unwrap().strip_prefix("crypted:").unwrap();
    let bytes = STANDARD.decode(stored).unwrap();
    String::from_utf8(bytes).unwrap().chars().rev().collect()
}
