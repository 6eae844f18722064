//! WHMCS calls again: after time-outs, after changes, twice at once.

use serde_json::json;
use simulator::{Applied, Fault, Reply};

use super::{NEW_PASSWORD, PASSWORD, on_service, succeeds, whmcs};
use crate::scene::{SERVER, Scene};

#[tokio::test]
async fn a_create_of_whmcs_that_times_out_twice_makes_one_account() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    scene.keep_quiet_about("createacct");

    // The first call is ended by the platform's limit, in the middle of its wait.
    let mut first = whmcs.begin("CreateAccount", &on_service());
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();
    assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Pending");

    // The second one ends its wait by itself, and says so.
    whmcs.set("/tblproducts/1/configoption2", "1");
    let answer = whmcs.call("CreateAccount", on_service()).await;
    let text = answer.as_str().unwrap();
    assert!(
        text.contains("goes on by itself") && text.contains("Hostler job"),
        "{text}"
    );
    assert_eq!(whmcs.get("/tblmodulequeue/0/action"), "CreateAccount");
    assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Pending");
    let tab = whmcs.call("AdminServicesTabFields", on_service()).await;
    assert!(
        tab["Job state"].as_str().unwrap().starts_with("running"),
        "{tab}"
    );

    // A member of the staff presses Retry.
    scene.end_silence().await;
    whmcs.set("/tblproducts/1/configoption2", "60");
    succeeds(&whmcs, "CreateAccount").await;
    assert_eq!(whmcs.get("/tblhosting/42/domainstatus"), "Active");
    assert!(scene.only_account().password_is(PASSWORD));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.jobs("create").await.len(), 1);
    // And once more, since people do.
    succeeds(&whmcs, "CreateAccount").await;
    assert_eq!(scene.jobs("create").await.len(), 1);
    whmcs.logs_without(&["CreateAccount"], &[PASSWORD, &scene.token]);
    scene.stand.end().await;
}

#[tokio::test]
async fn what_was_changed_in_whmcs_between_two_tries_makes_no_second_account() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    scene.keep_quiet_about("createacct");
    let mut first = whmcs.begin("CreateAccount", &on_service());
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();
    whmcs.set("/tblclients/7/email", "ann@new.example.org");
    whmcs.set("/tblhosting/42/password", NEW_PASSWORD);
    scene.end_silence().await;
    succeeds(&whmcs, "CreateAccount").await;
    // What WHMCS shows to the customer is what the account has.
    assert!(scene.only_account().password_is(NEW_PASSWORD));
    assert_eq!(scene.jobs("create").await.len(), 1);
    assert_eq!(scene.did("createacct"), 1);
    scene.stand.end().await;
}

#[tokio::test]
async fn a_change_of_whmcs_that_times_out_is_taken_over_by_the_next_call() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    succeeds(&whmcs, "CreateAccount").await;
    for (function, call) in [
        ("SuspendAccount", "suspendacct"),
        ("UnsuspendAccount", "unsuspendacct"),
        ("ChangePackage", "changepackage"),
        ("TerminateAccount", "removeacct"),
    ] {
        whmcs.set("/tblproducts/1/configoption1", "gold");
        whmcs.set("/tblproducts/1/configoption2", "1");
        let before = whmcs.get("/tblhosting/42/domainstatus");
        scene.keep_quiet_about(call);
        let answer = whmcs.call(function, on_service()).await;
        let text = answer.as_str().unwrap();
        assert!(text.contains("goes on by itself"), "{function}: {text}");
        assert_eq!(
            whmcs.get("/tblhosting/42/domainstatus"),
            before,
            "{function}"
        );
        scene.panel().wait_for_call(call, 1).await;
        scene.end_silence().await;
        whmcs.set("/tblproducts/1/configoption2", "60");
        succeeds(&whmcs, function).await;
        assert_eq!((scene.asked(call), scene.did(call)), (1, 1), "{function}");
    }
    assert!(scene.panel().accounts().is_empty());
    scene.stand.end().await;
}

#[tokio::test]
async fn two_members_of_the_staff_who_press_create_at_once_make_one_account() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    let create = || whmcs.call("CreateAccount", on_service());
    let (first, second) = tokio::join!(create(), create());
    assert_eq!((first, second), (json!("success"), json!("success")));
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert!(scene.only_account().password_is(PASSWORD));
    scene.stand.end().await;
}

#[tokio::test]
async fn a_password_of_whmcs_that_the_panel_would_change_is_replaced_before_the_first_call() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    whmcs.set("/tblhosting/42/password", "p;9Jd&8Bi2Q(z");
    scene.keep_quiet_about("createacct");
    let mut first = whmcs.begin("CreateAccount", &on_service());
    scene.panel().wait_for_call("createacct", 1).await;
    first.kill().await.unwrap();
    let stored = whmcs.get("/tblhosting/42/password");
    let stored = stored.as_str().unwrap();
    assert!(stored.len() > 16 && !stored.contains(';'));
    scene.end_silence().await;
    succeeds(&whmcs, "CreateAccount").await;
    assert_eq!(whmcs.get("/tblhosting/42/password"), stored);
    assert!(scene.only_account().password_is(stored));
    whmcs.logs_without(&["CreateAccount"], &[stored]);
    scene.stand.end().await;
}

/// The operator's command waits for its answer on this thread; the panel needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_person_is_said_and_taken_over_when_it_was_looked_at() {
    let scene = Scene::new().await;
    let whmcs = whmcs(&scene);
    let refused = Fault::on("createacct").applied(Applied::No);
    let faults = scene.panel().faults();
    faults.add(refused.reply(Reply::Unauthorized));
    let answer = whmcs.call("CreateAccount", on_service()).await;
    let text = answer.as_str().unwrap();
    assert!(
        text.contains("our staff") && text.contains("held panel_auth"),
        "{text}"
    );
    // Asked again, it is the same job that waits.
    assert_eq!(whmcs.call("CreateAccount", on_service()).await, answer);
    // A good check takes up what was held so.
    scene
        .stand
        .installation
        .hostler(&["server", "check", SERVER]);
    succeeds(&whmcs, "CreateAccount").await;
    assert_eq!(scene.jobs("create").await.len(), 1);
    assert!(scene.only_account().password_is(PASSWORD));
    scene.stand.end().await;
}
