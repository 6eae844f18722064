//! WHMCS.

mod again;

use serde_json::{Value, json};

use crate::platform::Platform;
use crate::scene::{SERVER, Scene};

const PASSWORD: &str = "wH4-first-Pass+word";
const NEW_PASSWORD: &str = "wH4-other-Pass+word";

/// A WHMCS with one server, one product, one client and a service that is ordered and paid.
pub(crate) fn whmcs(scene: &Scene) -> Platform {
    let database = json!({
        "tblservers": {"1": {
            "hostname": "127.0.0.1", "ipaddress": "127.0.0.1", "port": scene.port().to_string(), "secure": false,
            "username": SERVER, "password": "", "accesshash": scene.token,
        }},
        "tblproducts": {"1": {"configoption1": "silver", "configoption2": "60", "configoption3": ""}},
        "tblclients": {"7": {"firstname": "Ann", "lastname": "Owner", "email": "ann@example.org"}},
        "tblhosting": {"42": service(42)},
        "tblmodulequeue": [],
        "log": [],
    });
    Platform::new("whmcs", &database)
}

fn service(id: u32) -> Value {
    json!({
        "id": id,
        "userid": 7, "server": 1, "packageid": 1, "domain": "bolt.example.com", "username": "boltexam",
        "password": PASSWORD, "domainstatus": "Pending", "configoptions": {}, "dedicatedip": "",
        "diskusage": 1, "disklimit": 2, "bwusage": 3, "bwlimit": 4, "lastupdate": "",
    })
}

fn on_service() -> Value {
    json!({"service": 42})
}

async fn succeeds(whmcs: &Platform, function: &str) {
    let answer = whmcs.call(function, on_service()).await;
    assert_eq!(answer, "success", "{function}: {}", whmcs.log());
}

#[tokio::test]
async fn a_service_of_whmcs_lives_from_its_order_to_its_end() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    let panel = scene.panel();
    succeeds(&whmcs, "CreateAccount").await;
    let made = scene.only_account();
    assert_eq!(made.username, "boltexam");
    assert!(made.password_is(PASSWORD));
    assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Active");

    // The second suspension is another intent than the first.
    for _ in 0..2 {
        let with = json!({"service": 42, "with": {"suspendreason": "Overdue on Payment"}});
        assert_eq!(whmcs.call("SuspendAccount", with).await, "success");
        assert!(scene.only_account().suspended);
        assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Suspended");
        succeeds(&whmcs, "UnsuspendAccount").await;
        assert!(!scene.only_account().suspended);
    }
    let suspends = scene.jobs("suspend").await;
    assert_eq!(suspends[0]["reason"], "Overdue on Payment");
    let keys: Vec<&str> = suspends
        .iter()
        .filter_map(|job| job["idempotency_key"].as_str())
        .collect();
    assert_eq!(keys, ["whmcs:42:suspend:2", "whmcs:42:suspend:1"]);

    whmcs.set("/tblproducts/1/configoption1", "gold");
    whmcs.set(
        "/tblhosting/42/configoptions",
        json!({"disk_mb": "2500", "Colour": "red"}),
    );
    succeeds(&whmcs, "ChangePackage").await;
    let changed = scene.only_account();
    assert_eq!(changed.package.as_deref(), Some("gold"));
    assert_eq!(scene.did("editquota"), 1, "{:?}", panel.ledger());

    let with = json!({"service": 42, "with": {"password": NEW_PASSWORD}});
    assert_eq!(whmcs.call("ChangePassword", with).await, "success");
    assert!(scene.only_account().password_is(NEW_PASSWORD));

    let link = whmcs.call("ServiceSingleSignOn", on_service()).await;
    assert_eq!(link["success"], true);
    let url = link["redirectTo"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");

    succeeds(&whmcs, "TerminateAccount").await;
    assert!(panel.accounts().is_empty());
    // Asked again, it is done already.
    succeeds(&whmcs, "TerminateAccount").await;
    assert_eq!(scene.did("removeacct"), 1);

    // The same service is ordered anew: another account, not the old job's success.
    succeeds(&whmcs, "CreateAccount").await;
    assert!(scene.only_account().password_is(NEW_PASSWORD));
    assert_eq!(scene.did("createacct"), 2);
    succeeds(&whmcs, "SuspendAccount").await;
    assert!(scene.only_account().suspended);

    let calls = ["CreateAccount", "whmcs:42:create:1", "ChangePassword"];
    whmcs.logs_without(&calls, &[PASSWORD, NEW_PASSWORD, &scene.token, url]);
    assert_eq!(whmcs.get("/tblmodulequeue"), json!([]));
    scene.stand.end().await;
}

#[tokio::test]
async fn whmcs_is_told_what_is_wrong_and_goes_on_when_it_is_mended() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    let check = whmcs.call("TestConnection", json!({"server": 1})).await;
    assert_eq!(check, json!({"success": true, "error": ""}));

    whmcs.set("/tblproducts/1/configoption1", "platinum");
    let answer = whmcs.call("CreateAccount", on_service()).await;
    let text = answer.as_str().unwrap();
    assert!(
        text.contains("platinum") && text.contains("silver"),
        "{text}"
    );
    assert_eq!(scene.asked("createacct"), 0);
    assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Pending");

    // The panel itself refuses: the job fails, and the next call is another try.
    whmcs.set("/tblproducts/1/configoption1", "silver");
    let taken = scene.somebody_elses_domain().await;
    whmcs.set("/tblhosting/42/domain", taken);
    let answer = whmcs.call("CreateAccount", on_service()).await;
    let text = answer.as_str().unwrap();
    assert!(text.starts_with("The server refused this"), "{text}");
    whmcs.set("/tblhosting/42/domain", "bolt.example.com");
    let answer = whmcs.call("CreateAccount", on_service()).await;
    assert_eq!(answer, "success");
    let made = scene.panel().account("boltexam").unwrap();
    assert_eq!(made.domain, "bolt.example.com");

    whmcs.set("/tblservers/1/accesshash", "no-token-of-anybody");
    let check = whmcs.call("TestConnection", json!({"server": 1})).await;
    assert_eq!(check["success"], false, "{check}");
    whmcs.set(
        "/tblservers/1/port",
        tests::installation::free_port().to_string(),
    );
    let check = whmcs.call("TestConnection", json!({"server": 1})).await;
    let text = check["error"].as_str().unwrap();
    assert!(text.contains("cannot be reached"), "{text}");
    let answer = whmcs.call("SuspendAccount", on_service()).await;
    assert!(answer.as_str().unwrap().contains("cannot be reached"));
    assert!(!scene.panel().account("boltexam").unwrap().suspended);
    scene.stand.end().await;
}

#[tokio::test]
async fn whmcs_reads_usage_accounts_and_packages() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    succeeds(&whmcs, "CreateAccount").await;
    let (panel, user) = (scene.panel(), "boltexam");
    assert!(panel.add_traffic(user, &panel.month(), 5 << 20));
    assert!(panel.set_disk_used(user, 40 << 20));
    // Another service of the same domain and server, long gone: its figures are not this one's.
    let mut gone = service(41);
    gone["domainstatus"] = "Terminated".into();
    whmcs.set("/tblhosting/41", gone);

    // Nothing was read yet: what is not known stays as it is.
    assert_eq!(
        whmcs.call("UsageUpdate", json!({"server": 1})).await,
        Value::Null
    );
    assert_eq!(whmcs.get("/tblhosting/42/bwusage"), 3);
    scene.read_traffic("stats").await;
    whmcs.call("UsageUpdate", json!({"server": 1})).await;
    let row = whmcs.get("/tblhosting/42");
    assert_eq!(
        (&row["bwusage"], &row["diskusage"]),
        (&json!(5), &json!(40)),
        "{row}"
    );
    assert!(row["lastupdate"].as_str().unwrap().len() > 10, "{row}");
    assert_eq!(whmcs.get("/tblhosting/41/bwusage"), 3);

    let listed = whmcs.call("ListAccounts", json!({"server": 1})).await;
    assert_eq!(listed["success"], true);
    let account = &listed["accounts"][0];
    assert_eq!(
        (
            &account["username"],
            &account["domain"],
            &account["product"],
            &account["status"]
        ),
        (
            &json!(user),
            &json!("bolt.example.com"),
            &json!("silver"),
            &json!("Active")
        )
    );
    assert_eq!(account["email"], "ann@example.org");

    let packages = whmcs.call("PackageLoader", json!({"server": 1})).await;
    assert_eq!(packages["gold"], "gold", "{packages}");
    let options = whmcs.call("ConfigOptions", json!({})).await;
    assert_eq!(options["Package"]["Loader"], "hostler_PackageLoader");
    let about = whmcs.call("MetaData", json!({})).await;
    assert_eq!(about["APIVersion"], "1.1");

    let tab = whmcs.call("AdminServicesTabFields", on_service()).await;
    assert!(
        tab["Hostler job"].as_str().unwrap().starts_with("create"),
        "{tab}"
    );
    assert!(
        tab["Job state"].as_str().unwrap().starts_with("succeeded"),
        "{tab}"
    );
    scene.stand.end().await;
}

#[tokio::test]
async fn the_same_module_of_whmcs_works_on_another_panel() {
    let scene = Scene::on_froxlor().await;
    let whmcs = whmcs(&scene);
    succeeds(&whmcs, "CreateAccount").await;
    assert!(scene.only_account().password_is(PASSWORD));
    succeeds(&whmcs, "SuspendAccount").await;
    assert!(scene.only_account().suspended);
    succeeds(&whmcs, "UnsuspendAccount").await;
    assert!(!scene.only_account().suspended);
    let link = whmcs.call("ServiceSingleSignOn", on_service()).await;
    assert_eq!(link["success"], true, "{link}");
    succeeds(&whmcs, "TerminateAccount").await;
    assert!(scene.panel().accounts().is_empty());
    scene.stand.end().await;
}
