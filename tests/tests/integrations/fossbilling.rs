//! FOSSBilling.

use serde_json::{Value, json};

use crate::platform::Platform;
use crate::scene::{SERVER, Scene};

const NEW_PASSWORD: &str = "fO5-other-Pass+word";

/// A FOSSBilling with one server and an order that is paid.
fn fossbilling(scene: &Scene) -> Platform {
    let database = json!({
        "server": {"1": {
            "host": "127.0.0.1", "ip": "127.0.0.1", "port": scene.port(), "secure": false,
            "username": SERVER, "accesshash": scene.token, "config": {"patience": 60},
        }},
        "client": {"7": {"email": "ann@example.org"}},
        "service": {"42": {
            "id": 42, "client_id": 7, "domain": "bolt.example.com", "plan": "silver",
            "username": null, "pass": null, "status": "pending_setup", "note": "Overdue",
        }},
        "drawn": [],
        "log": [],
    });
    Platform::new("fossbilling", &database)
}

async fn on_service(platform: &Platform, function: &str, with: Value) -> Value {
    let arguments = json!({"service": 42, "with": with});
    platform.call(function, arguments).await
}

async fn is_true(platform: &Platform, function: &str, with: Value) {
    let answer = on_service(platform, function, with).await;
    assert_eq!(answer["returned"], true, "{function}: {answer}");
}

fn patience(platform: &Platform, seconds: u64) {
    platform.set("/server/1/config/patience", seconds);
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[tokio::test]
async fn a_service_of_fossbilling_lives_from_its_order_to_its_end() {
    let scene = Scene::new().await;
    let platform = fossbilling(&scene);
    assert_eq!(
        platform.call("testConnection", json!({})).await["returned"],
        true
    );
    let form = platform.call("form", json!({})).await;
    assert_eq!(form["secret"], json!(["accesshash"]));

    let told = on_service(&platform, "activate", Value::Null).await;
    let account = scene.only_account();
    let password = text(&told["returned"], "password").to_owned();
    assert_eq!(account.username, text(&told["returned"], "username"));
    assert!(account.password_is(&password));
    // What FOSSBilling generates itself is sent along; no second job sets it.
    assert_eq!(scene.jobs("change_password").await.len(), 0);

    for _ in 0..2 {
        is_true(&platform, "suspendAccount", Value::Null).await;
        assert!(scene.only_account().suspended);
        is_true(&platform, "unsuspendAccount", Value::Null).await;
        assert!(!scene.only_account().suspended);
    }
    assert_eq!(scene.jobs("suspend").await[0]["reason"], "Overdue");
    is_true(&platform, "changeAccountPackage", json!("gold")).await;
    assert_eq!(scene.only_account().package.as_deref(), Some("gold"));
    is_true(&platform, "changeAccountPassword", json!(NEW_PASSWORD)).await;
    assert!(scene.only_account().password_is(NEW_PASSWORD));
    let link = on_service(&platform, "getLoginUrl", Value::Null).await;
    assert!(text(&link, "returned").starts_with("https://"), "{link}");
    let refused = on_service(&platform, "changeAccountDomain", json!("b.example.com")).await;
    assert!(
        text(&refused, "thrown").contains("change the domain"),
        "{refused}"
    );

    platform.set("/service/42/username", "somebodyelse");
    let known = on_service(&platform, "synchronize", Value::Null).await;
    assert_eq!(known["returned"]["username"], account.username, "{known}");
    assert_eq!(known["returned"]["ip"], account.ip);

    is_true(&platform, "cancelAccount", Value::Null).await;
    assert!(scene.panel().accounts().is_empty());
    let told = on_service(&platform, "activate", Value::Null).await;
    assert!(
        scene
            .only_account()
            .password_is(text(&told["returned"], "password"))
    );
    assert_eq!(scene.did("createacct"), 2);

    let secrets = [
        password.as_str(),
        NEW_PASSWORD,
        &scene.token,
        text(&link, "returned"),
    ];
    platform.logs_without(
        &["create", "fossbilling:7:bolt.example.com:create:1"],
        &secrets,
    );
    scene.stand.end().await;
}

/// Each try draws another password, and nothing of a try that fails is kept.
#[tokio::test]
async fn a_create_of_fossbilling_that_times_out_twice_makes_one_account_with_the_last_password() {
    let scene = Scene::new().await;
    let platform = fossbilling(&scene);
    scene.keep_quiet_about("createacct");
    let mut first = platform.begin("activate", &json!({"service": 42}));
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();

    patience(&platform, 1);
    let answer = on_service(&platform, "activate", Value::Null).await;
    assert!(
        text(&answer, "thrown").contains("goes on by itself"),
        "{answer}"
    );
    assert_eq!(platform.get("/service/42/username"), Value::Null);

    scene.end_silence().await;
    patience(&platform, 60);
    let told = on_service(&platform, "activate", Value::Null).await;
    let account = scene.only_account();
    assert_eq!(account.username, text(&told["returned"], "username"));
    assert!(account.password_is(text(&told["returned"], "password")));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.jobs("create").await.len(), 1);
    assert_eq!(platform.get("/service/42/status"), "active");

    let drawn = platform.get("/drawn");
    let drawn: Vec<&str> = drawn
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(drawn.len(), 3, "each try has drawn another");
    platform.logs_without(&["create"], &[&drawn[..], &[&scene.token]].concat());
    scene.stand.end().await;
}

#[tokio::test]
async fn fossbilling_is_told_what_is_wrong() {
    let scene = Scene::new().await;
    let platform = fossbilling(&scene);
    platform.set("/service/42/plan", "platinum");
    let answer = on_service(&platform, "activate", Value::Null).await;
    assert!(text(&answer, "thrown").contains("platinum"), "{answer}");
    assert_eq!(scene.asked("createacct"), 0);
    platform.set("/server/1/accesshash", "no-token-of-anybody");
    let answer = platform.call("testConnection", json!({})).await;
    assert!(
        text(&answer, "thrown").contains("contact support"),
        "{answer}"
    );
    platform.set("/server/1/accesshash", "");
    let answer = platform.call("testConnection", json!({})).await;
    assert_eq!(answer["code"], 2001, "{answer}");
    scene.stand.end().await;
}
