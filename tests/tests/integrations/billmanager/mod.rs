//! BILLmanager.

mod host;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use self::host::{
    ACTIVE, DELETED, ORDERED, SUSPENDED, billmanager, does, operate, operation_of, order, password,
    run, run_with, start, status,
};
use crate::scene::{SERVER, Scene};

const NEW_PASSWORD: &str = "bM6-other-Pass+word";

#[tokio::test]
async fn an_item_of_billmanager_lives_from_its_order_to_its_end() {
    let scene = Scene::new().await;
    let platform = billmanager(&scene);
    let features = run(&platform, &["--command", "features"]).await;
    for word in [
        "name=\"vhost\"",
        "\"open\"",
        "\"stat\"",
        "crypted=\"yes\"",
        "\"get_server_config\"",
    ] {
        assert!(features.contains(word), "{word}: {features}");
    }

    does(&platform, 100, "open").await;
    let made = scene.only_account();
    assert_eq!(
        (made.username.as_str(), status(&platform)),
        ("boltexam", ACTIVE)
    );
    let password_at_first = password(&platform);
    assert!(made.password_is(&password_at_first));
    assert_eq!(
        platform.get("/posted/0"),
        json!(["service.postopen", {"elid": 42, "ip": made.ip}])
    );
    assert_eq!(
        (made.limits.disk, made.limits.email_accounts),
        (Some(2 << 30), Some(30))
    );

    for id in [110, 120] {
        does(&platform, id, "suspend").await;
        assert_eq!(
            (scene.only_account().suspended, status(&platform)),
            (true, SUSPENDED)
        );
        does(&platform, id + 1, "resume").await;
        assert_eq!(
            (scene.only_account().suspended, status(&platform)),
            (false, ACTIVE)
        );
    }
    platform.set("/item/42/pricelist", 10);
    does(&platform, 130, "setparam").await;
    let changed = scene.only_account();
    assert_eq!(changed.package.as_deref(), Some("gold"));
    assert_eq!(
        changed.limits.disk,
        Some(2 << 30),
        "what was bought is kept over the package"
    );

    let reversed: String = NEW_PASSWORD.chars().rev().collect();
    let handed = STANDARD.encode(reversed);
    let handed = format!("crypted:{handed}");
    let words = [
        "--command",
        "changepassword",
        "--item",
        "42",
        "--password",
        &handed,
    ];
    run(&platform, &words).await;
    assert!(scene.only_account().password_is(NEW_PASSWORD));
    assert_eq!(password(&platform), NEW_PASSWORD);

    let panel = run(
        &platform,
        &["--command", "transition_control_panel", "--item", "42"],
    )
    .await;
    assert!(panel.contains("<url>https://"), "{panel}");

    does(&platform, 140, "close").await;
    assert_eq!(status(&platform), DELETED);
    assert!(scene.panel().accounts().is_empty());
    platform.logs_without(
        &["billmgr:42:create:100:1"],
        &[&password_at_first, NEW_PASSWORD, &scene.token],
    );
    scene.stand.end().await;
}

#[tokio::test]
async fn an_open_of_billmanager_that_times_out_twice_makes_one_account() {
    let scene = Scene::new().await;
    let platform = billmanager(&scene);
    scene.keep_quiet_about("createacct");
    order(&platform, 100, "open");
    let words = operation_of(100, "open");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut first = start(&platform, &words);
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();
    let drawn = password(&platform);

    // What takes longer stays a running operation, which BILLmanager starts again by itself.
    platform.set("/processingmodule/5/patience", "1");
    let said = operate(&platform, 100, "open").await;
    assert!(said.contains("hostler_pending"), "{said}");
    let row = platform.get("/runningoperation/100");
    assert_eq!(row["manual"], false, "{row}");
    assert!(
        row["errorxml"]
            .as_str()
            .unwrap()
            .contains("goes on by itself"),
        "{row}"
    );
    assert_eq!(status(&platform), ORDERED);

    scene.end_silence().await;
    platform.set("/processingmodule/5/patience", "60");
    operate(&platform, 100, "open").await;
    assert_eq!(platform.get("/runningoperation"), json!({}));
    assert_eq!(status(&platform), ACTIVE);
    assert!(scene.only_account().password_is(&drawn));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.jobs("create").await.len(), 1);
    assert_eq!(platform.get("/posted").as_array().unwrap().len(), 1);
    platform.logs_without(&["create"], &[&drawn, &scene.token]);
    scene.stand.end().await;
}

#[tokio::test]
async fn what_billmanager_cannot_do_becomes_a_task_and_is_done_when_it_is_mended() {
    let scene = Scene::new().await;
    let platform = billmanager(&scene);
    order(&platform, 100, "open");
    platform.set("/pricelist/9/hostler_package", "platinum");
    let said = operate(&platform, 100, "open").await;
    assert!(
        said.contains("hostler_failed") && said.contains("platinum"),
        "{said}"
    );
    assert_eq!(platform.get("/runningoperation/100/manual"), true);
    assert_eq!(
        platform.get("/posted/0"),
        json!(["task.edit", {"sok": "ok", "item": 42, "runningoperation": 100, "type": "task_open"}])
    );
    assert_eq!(status(&platform), ORDERED);

    // The panel refuses; the person mends the order and starts the same operation again.
    platform.set("/pricelist/9/hostler_package", "silver");
    let taken = scene.somebody_elses_domain().await;
    platform.set("/item/42/params/domain", taken);
    let said = operate(&platform, 100, "open").await;
    assert!(said.contains("refused"), "{said}");
    platform.set("/item/42/params/domain", "bolt.example.com");
    operate(&platform, 100, "open").await;
    assert_eq!(status(&platform), ACTIVE);
    let made = scene.panel().account("boltexam").unwrap();
    assert_eq!(made.domain, "bolt.example.com");

    let form = |token: &str| {
        format!(
            "<doc><processingmodule><base_url>{}</base_url><server>{SERVER}</server><api_token>{token}</api_token></processingmodule></doc>",
            scene.client.base()
        )
    };
    let check = ["--command", "check_connection"];
    let good = run_with(&platform, &check, &form(&scene.token)).await;
    assert!(good.contains("<doc") && !good.contains("error"), "{good}");
    let bad = run_with(&platform, &check, &form("no-token-of-anybody")).await;
    assert!(bad.contains("<error type=\"hostler_failed\""), "{bad}");
    scene.stand.end().await;
}

#[tokio::test]
async fn billmanager_records_traffic_once_and_reads_packages() {
    let scene = Scene::new().await;
    let platform = billmanager(&scene);
    does(&platform, 100, "open").await;
    let panel = scene.panel();
    let traffic = || {
        let rows = platform.get("/stat");
        let rows = rows.as_array().unwrap().clone();
        let of_traffic = rows.into_iter().filter(|row| row[2] == "traffic");
        of_traffic
            .map(|row| row[3].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let stat = ["--command", "stat", "--module", "5"];
    assert!(panel.add_traffic("boltexam", &panel.month(), 5 << 20));
    assert!(panel.set_disk_used("boltexam", 40 << 20));
    scene.read_traffic("first").await;
    for _ in 0..2 {
        run(&platform, &stat).await;
        assert_eq!(traffic(), [5], "the same reading is recorded once");
    }
    assert!(panel.add_traffic("boltexam", &panel.month(), 3 << 20));
    scene.read_traffic("second").await;
    run(&platform, &stat).await;
    assert_eq!(traffic(), [5, 3], "only the difference is new");
    let rows = platform.get("/stat");
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .any(|row| row[2] == "disk" && row[3] == 40),
        "{rows}"
    );

    run(
        &platform,
        &["--command", "get_server_config", "--module", "5"],
    )
    .await;
    assert_eq!(
        scene.jobs("get_server_config").await[0]["state"],
        "succeeded"
    );
    let tune = [
        "--command",
        "pricelist_dynamic_settings_tune",
        "--module",
        "5",
    ];
    let form: String = run_with(&platform, &tune, "<doc><name>S</name></doc>").await;
    assert!(
        form.contains("<msg key=\"gold\">gold</msg>") && form.contains("<name>S</name>"),
        "{form}"
    );
    scene.stand.end().await;
}
