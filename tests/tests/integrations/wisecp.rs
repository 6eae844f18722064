//! WISECP.

use serde_json::{Value, json};

use crate::platform::Platform;
use crate::scene::{SERVER, Scene};

const NEW_PASSWORD: &str = "wI5-other-Pass+word";

/// A WISECP with one server and an order that is paid; it has neither a name nor a password yet.
pub(crate) fn wisecp(scene: &Scene) -> Platform {
    let database = json!({
        "servers": {"1": {
            "name": "127.0.0.1", "ip": "127.0.0.1", "port": scene.port(), "secure": 0,
            "username": SERVER, "password": "", "access_hash": scene.token,
        }},
        "users": {"7": {"email": "ann@example.org"}},
        "users_products": {"42": {
            "id": 42, "owner_id": 7, "name": "Hosting S", "status": "waiting",
            "options": {
                "domain": "bolt.example.com", "server_id": 1,
                "creation_info": {"plan": "silver", "patience": "60"},
            },
        }},
        "log": [],
    });
    Platform::new("wisecp", &database)
}

fn patience(wisecp: &Platform, seconds: &str) {
    wisecp.set("/users_products/42/options/creation_info/patience", seconds);
}

async fn on_order(wisecp: &Platform, function: &str, with: Value) -> Value {
    wisecp
        .call(function, json!({"order": 42, "with": with}))
        .await
}

async fn is_true(wisecp: &Platform, function: &str, with: Value) {
    let answer = on_order(wisecp, function, with).await;
    assert_eq!(answer["returned"], true, "{function}: {answer}");
}

/// What WISECP has stored of the service.
fn stored(wisecp: &Platform) -> (String, String) {
    let text = |name| {
        let value = wisecp.get(&format!("/users_products/42/options/{name}"));
        value.as_str().unwrap_or_default().to_owned()
    };
    (text("username"), text("password"))
}

#[tokio::test]
async fn a_service_of_wisecp_lives_from_its_order_to_its_end() {
    let scene = Scene::new().await;
    let wisecp = wisecp(&scene);
    let made = on_order(&wisecp, "create", json!([])).await;
    let account = scene.only_account();
    let (username, password) = stored(&wisecp);
    assert_eq!(username, account.username);
    assert!(account.password_is(&password));
    assert_eq!(
        made["returned"],
        json!({
            "username": username, "password": password,
            "ftp_info": {
                "ip": account.ip, "host": "bolt.example.com", "username": username,
                "password": password, "port": 21,
            },
        })
    );
    assert_eq!(wisecp.get("/users_products/42/status"), "active");

    for _ in 0..2 {
        is_true(&wisecp, "suspend", json!([])).await;
        assert!(scene.only_account().suspended);
        is_true(&wisecp, "unsuspend", json!([])).await;
        assert!(!scene.only_account().suspended);
    }
    let product = json!({"module_data": {"plan": "gold"}, "options": {"disk_limit": "unlimited"}});
    is_true(&wisecp, "apply_updowngrade", json!([{}, product])).await;
    assert_eq!(scene.only_account().package.as_deref(), Some("gold"));
    is_true(&wisecp, "change_password", json!([NEW_PASSWORD])).await;
    assert!(scene.only_account().password_is(NEW_PASSWORD));

    let login = on_order(&wisecp, "use_clientArea_SingleSignOn", json!([])).await;
    assert_eq!(login["returned"], true, "{login}");
    let url = login["redirects"][0].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");

    is_true(&wisecp, "terminate", json!([])).await;
    assert!(scene.panel().accounts().is_empty());
    assert_eq!(wisecp.get("/users_products/42/status"), "cancelled");
    let again = on_order(&wisecp, "create", json!([])).await;
    assert!(again["returned"].is_object(), "{again}");
    assert!(scene.only_account().password_is(&password));
    assert_eq!(scene.did("createacct"), 2);

    let secrets = [password.as_str(), NEW_PASSWORD, &scene.token, url];
    wisecp.logs_without(
        &["create", "wisecp:42:create:1", "change_password"],
        &secrets,
    );
    scene.stand.end().await;
}

#[tokio::test]
async fn a_create_of_wisecp_that_times_out_twice_makes_one_account() {
    let scene = Scene::new().await;
    let wisecp = wisecp(&scene);
    scene.keep_quiet_about("createacct");

    // The first call is ended by the platform's limit; what it had drawn is stored.
    let mut first = wisecp.begin("create", &json!({"order": 42}));
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();
    let (username, password) = stored(&wisecp);
    assert!(!username.is_empty() && password.len() > 16);

    // The second one ends its wait by itself, in words for the customer.
    patience(&wisecp, "1");
    let answer = on_order(&wisecp, "create", json!([])).await;
    assert_eq!(answer["returned"], false, "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("is being set up") && !error.contains("job"),
        "{error}"
    );
    assert_eq!(wisecp.get("/users_products/42/status"), "waiting");

    scene.end_silence().await;
    patience(&wisecp, "60");
    let answer = on_order(&wisecp, "create", json!([])).await;
    assert_eq!(answer["returned"]["username"], username, "{answer}");
    assert_eq!(wisecp.get("/users_products/42/status"), "active");
    assert_eq!(stored(&wisecp), (username.clone(), password.clone()));
    let account = scene.only_account();
    assert!(account.username == username && account.password_is(&password));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.jobs("create").await.len(), 1);
    wisecp.logs_without(&["create"], &[&password, &scene.token]);
    scene.stand.end().await;
}

#[tokio::test]
async fn a_change_of_wisecp_that_times_out_is_taken_over_by_the_next_call() {
    let scene = Scene::new().await;
    let wisecp = wisecp(&scene);
    let made = on_order(&wisecp, "create", json!([])).await;
    assert!(made["returned"].is_object(), "{made}");
    for (function, call) in [
        ("suspend", "suspendacct"),
        ("unsuspend", "unsuspendacct"),
        ("terminate", "removeacct"),
    ] {
        patience(&wisecp, "1");
        scene.keep_quiet_about(call);
        let answer = on_order(&wisecp, function, json!([])).await;
        assert_eq!(answer["returned"], false, "{function}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("goes on by itself"), "{error}");
        scene.panel().wait_for_call(call, 1).await;
        scene.end_silence().await;
        patience(&wisecp, "60");
        is_true(&wisecp, function, json!([])).await;
        assert_eq!((scene.asked(call), scene.did(call)), (1, 1), "{function}");
    }
    assert!(scene.panel().accounts().is_empty());
    scene.stand.end().await;
}

#[tokio::test]
async fn wisecp_reads_usage_accounts_and_what_is_wrong() {
    let scene = Scene::new().await;
    let wisecp = wisecp(&scene);
    let check = wisecp.call("testConnect", json!({})).await;
    assert_eq!(check, json!({"returned": true, "error": ""}));
    let fields = wisecp.call("config_options", json!({})).await;
    assert_eq!(
        fields["returned"]["plan"]["options"]["gold"], "gold",
        "{fields}"
    );
    let config = wisecp.call("config", json!({})).await;
    assert_eq!(config["type"], "hosting");

    let plan = "/users_products/42/options/creation_info/plan";
    wisecp.set(plan, "platinum");
    let refused = on_order(&wisecp, "create", json!([])).await;
    assert_eq!(refused["returned"], false);
    assert!(
        refused["error"].as_str().unwrap().contains("platinum"),
        "{refused}"
    );
    assert_eq!(scene.asked("createacct"), 0);
    wisecp.set(plan, "silver");
    let made = on_order(&wisecp, "create", json!([])).await;
    let user = made["returned"]["username"].as_str().unwrap();

    let unknown = on_order(&wisecp, "getDisk", json!([])).await;
    assert_eq!(
        unknown["returned"], false,
        "not known is not nought: {unknown}"
    );
    let panel = scene.panel();
    assert!(panel.add_traffic(user, &panel.month(), 512 << 20));
    assert!(panel.set_disk_used(user, 40 << 20));
    scene.read_traffic("stats").await;
    let disk = on_order(&wisecp, "getDisk", json!([])).await;
    assert_eq!(disk["returned"]["used"], 40, "{disk}");
    assert_eq!(disk["returned"]["format-used"], "40 MB");
    let traffic = on_order(&wisecp, "getBandwidth", json!([])).await;
    assert_eq!(traffic["returned"]["used"], 0.5, "{traffic}");

    let listed = wisecp.call("listAccounts", json!({})).await;
    let account = &listed["returned"][0];
    assert_eq!(account["username"], user);
    assert_eq!(
        (&account["plan"], &account["suspended"]),
        (&json!("silver"), &json!(false))
    );

    wisecp.set("/servers/1/access_hash", "no-token-of-anybody");
    let check = wisecp.call("testConnect", json!({})).await;
    assert_eq!(check["returned"], false);
    assert!(
        check["error"].as_str().unwrap().contains("contact support"),
        "{check}"
    );
    let login = wisecp
        .called("use_clientArea_SingleSignOn", json!({"order": 42}))
        .await;
    assert_eq!(login["answer"]["returned"], false);
    assert!(
        login["echoed"]
            .as_str()
            .unwrap()
            .contains("contact support")
    );
    scene.stand.end().await;
}
