//! The run folder that the reliability tests are decided from.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value, json};
use tests::field::{Ended, Field, Part, Plan};
use tests::installation::binary;
use tests::stand;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_leaves_all_that_can_be_said_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let field = Field::new(Plan::new(folder.path(), binary())).await;
    let mut first = field.start(Part::Serve, &[]).await;
    field
        .platform
        .submit("a", &stand::create("cpanel", "anna"))
        .await;
    field.kill(&mut first).await;
    assert_eq!(first.has_ended(), Some(Ended::Signal(9)));
    assert!(
        field
            .platform
            .once("/v1/jobs", "b", &json!({}))
            .await
            .is_none(),
        "nobody is there"
    );
    let mut second = field
        .start(Part::Serve, &[("RUST_LOG", "hostler=debug")])
        .await;
    let again = field
        .platform
        .submit("a", &stand::create("cpanel", "anna"))
        .await;
    assert_eq!(again.status, 200, "{again:?}");
    field.drain(Duration::from_secs(120)).await.unwrap();
    assert_eq!(second.stop().await, Ended::Code(0));
    field.note_panels();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(lines(&read("client.jsonl")).len(), 2);
    assert_eq!(lines(&read("panel-cpanel.jsonl"))[0]["username"], "anna");
    let accounts: Vec<Value> = serde_json::from_str(&read("panel-cpanel.accounts.json")).unwrap();
    assert_eq!(accounts[0]["username"], "anna");
    assert!(read("output/serve-1.log").contains("listening on"));
    assert!(read("output/serve-2.log").contains("listening on"));
    assert!(read("secrets.txt").contains("panel_froxlor "));
    assert!(read("database.url").starts_with("sqlite:"));
}
