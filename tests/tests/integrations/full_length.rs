//! Time-outs at their full length: a panel that takes a minute and more, platforms that end a call after 30 seconds.

use std::time::Duration;

use serde_json::json;
use simulator::{Fault, Reply};

use crate::scene::Scene;
use crate::{whmcs, wisecp};

const LIMIT: Duration = Duration::from_secs(30);

async fn slow_scene(seconds: u64) -> Scene {
    let scene = Scene::paced(1.0).await;
    let late = Reply::Late { ms: seconds * 1000 };
    let faults = scene.panel().faults();
    faults.add(Fault::on("createacct").reply(late));
    scene
}

#[tokio::test]
#[ignore = "waits for a minute"]
async fn a_create_of_whmcs_on_a_panel_that_takes_a_minute() {
    let scene = slow_scene(60).await;
    let mut whmcs = whmcs::whmcs(&scene);
    whmcs.limit = LIMIT;
    whmcs.set("/tblproducts/1/configoption2", "20");
    for _ in 0..2 {
        let answer = whmcs.call("CreateAccount", json!({"service": 42})).await;
        let text = answer.as_str().unwrap();
        assert!(text.contains("goes on by itself"), "{text}");
    }
    // Two Retries; the second of them finds the account made, at the latest.
    let mut answer = whmcs.call("CreateAccount", json!({"service": 42})).await;
    if answer != "success" {
        answer = whmcs.call("CreateAccount", json!({"service": 42})).await;
    }
    assert_eq!(answer, "success");
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.panel().accounts().len(), 1);
    scene.stand.end().await;
}

#[tokio::test]
#[ignore = "waits for more than a minute"]
async fn a_create_of_wisecp_whose_calls_are_ended_after_30_seconds() {
    let scene = slow_scene(75).await;
    let mut wisecp = wisecp::wisecp(&scene);
    wisecp.limit = LIMIT;
    // It would wait for longer than it may: the platform ends the process, twice.
    for _ in 0..2 {
        wisecp
            .ended_by_its_limit("create", &json!({"order": 42}))
            .await;
        assert_eq!(wisecp.get("/users_products/42/status"), "waiting");
    }
    let answer = wisecp
        .call("create", json!({"order": 42, "with": []}))
        .await;
    let password = answer["returned"]["password"].as_str().unwrap();
    assert!(scene.only_account().password_is(password));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    scene.stand.end().await;
}
