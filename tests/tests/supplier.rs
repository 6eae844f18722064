//! A supplier by HostBill under the whole of Hostler: what is ordered is ordered once, paid once, and waited for
//! without a worker.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use entity::attempt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use simulator::{Applied, Delay, Fault, PanelKind, Reply, Simulator};
use tests::client::Client;
use tests::stand::Stand;

const DOMAIN: &str = "acme.supplier.example.com";
const ORDER: &str = "POST /order/@";

async fn stand() -> Stand {
    Stand::new(&[("supplier", PanelKind::HostBill)], &[]).await
}

fn body(kind: &str, with: &Value) -> Value {
    let mut account = json!({"reference": "billing:supplier-acme"});
    for (name, value) in with.as_object().unwrap() {
        account[name] = value.clone();
    }
    json!({"kind": kind, "server": "supplier", "account": account})
}

fn sent(panel: &Simulator, call: &str) -> usize {
    panel
        .requests()
        .iter()
        .filter(|one| one.call == call)
        .count()
}

fn applied(panel: &Simulator, call: &str) -> usize {
    panel.ledger().iter().filter(|one| one.call == call).count()
}

fn ordered(panel: &Simulator) -> usize {
    panel.hostbill(|bill| bill.ordered(DOMAIN)).unwrap()
}

/// Waits until the job waits for that.
async fn waits_for(client: &Client, id: &str, code: &str) -> Value {
    loop {
        let (_, job) = client.get(&format!("/v1/jobs/{id}?wait=1")).await;
        assert!(
            ["queued", "running", "retrying"].contains(&job["state"].as_str().unwrap()),
            "{job}"
        );
        if job["error"]["code"] == code {
            return job;
        }
    }
}

async fn replay(stand: &Stand, id: &str) -> Value {
    let reason = ["job", "replay", id, "--reason", "looked"];
    stand.installation.hostler(&reason);
    stand.client.settled(id).await
}

async fn made(stand: &Stand) -> Value {
    let id = stand.create("supplier", "acme").await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    job
}

async fn handed_out(stand: &Stand, id: &str) -> String {
    let path = format!("/v1/jobs/{id}/secret");
    let (status, secret) = stand.client.post(&path, "secret", &json!({})).await;
    assert_eq!(status, 200);
    secret["password"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_without_an_answer_makes_one_service() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel
        .faults()
        .add(Fault::on(ORDER).applied(Applied::Yes).reply(Reply::Reset));
    let id = stand.create("supplier", "acme").await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 1), "{job}");
    assert_eq!(sent(panel, "POST /invoice/@/credit"), 1);
    let (name, password) = panel.hostbill(|bill| bill.login(DOMAIN)).flatten().unwrap();
    assert_eq!(job["result"]["login"], name.as_str());
    assert_eq!(job["result"]["username"], "acme");
    assert_eq!(handed_out(&stand, &id).await, password);
    let label = panel.hostbill(|bill| bill.label(DOMAIN)).flatten().unwrap();
    assert!(
        label.starts_with('H') && label.ends_with(" acme"),
        "{label}"
    );
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_left_no_trace_is_sent_again_by_a_person_only() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel
        .faults()
        .add(Fault::on(ORDER).applied(Applied::No).reply(Reply::Reset));
    let id = stand.create("supplier", "acme").await;
    let job = stand.client.settled(&id).await;
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("held"), Some("order_unclear")),
        "{job}"
    );
    assert_eq!((ordered(panel), sent(panel, ORDER)), (0, 1));
    assert!(
        sent(panel, "GET /invoice") > 0,
        "it was looked for among the invoices"
    );
    let job = replay(&stand, &id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 2));
    stand.end().await;
}

/// A worker that dies between finding that nothing is to be found and the hold has told nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_left_no_trace_is_not_sent_again_because_a_worker_died() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel
        .faults()
        .add(Fault::on(ORDER).applied(Applied::No).reply(Reply::Reset));
    let id = stand.create("supplier", "acme").await;
    assert_eq!(stand.client.settled(&id).await["state"], "held");
    // As if the attempt had not come to its end: what it noted on the way is there, its hold is not.
    let store = stand.database.store().await;
    attempt::Entity::update_many()
        .col_expr(attempt::Column::Outcome, Expr::value("lost"))
        .filter(attempt::Column::Outcome.eq("held"))
        .exec(store.writer_connection())
        .await
        .unwrap();
    let job = replay(&stand, &id).await;
    assert_eq!(job["error"]["code"], "order_unclear", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (0, 1));
    let job = replay(&stand, &id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 2));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_be_paid_is_held_until_there_is_credit() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel.hostbill(|bill| bill.set_credit(998));
    let id = stand.create("supplier", "acme").await;
    for _ in 0..2 {
        let job = stand.client.settled(&id).await;
        assert_eq!(job["error"]["code"], "needs_funds", "{job}");
        assert!(
            job["error"]["message"].as_str().unwrap().contains("9.99"),
            "{job}"
        );
        replay(&stand, &id).await;
    }
    assert_eq!(
        sent(panel, "POST /invoice/@/credit"),
        0,
        "nothing is paid in part"
    );
    panel.hostbill(|bill| bill.set_credit(999));
    let job = replay(&stand, &id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 1));
    assert_eq!(panel.hostbill(|bill| bill.credit()), Some(0));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_without_an_answer_is_made_once() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    let pay = "POST /invoice/@/credit";
    panel
        .faults()
        .add(Fault::on(pay).applied(Applied::Yes).reply(Reply::Reset));
    made(&stand).await;
    assert_eq!((sent(panel, pay), applied(panel, pay)), (1, 1));
    assert_eq!(panel.hostbill(|bill| bill.credit()), Some(1_000_000 - 999));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_who_takes_his_time_holds_up_nobody() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel.hostbill(|bill| bill.set_approval(Delay::ByHand));
    let slow = stand.create("supplier", "acme").await;
    let job = waits_for(&stand.client, &slow, "awaiting_approval").await;
    let attempts = job["attempts"].as_array().unwrap();
    let waited = attempts.iter().all(|one| one["outcome"] == "later");
    assert!(waited && !attempts.is_empty(), "no try is used: {job}");
    // There is one place for creates on this server, and it is free.
    panel.hostbill(|bill| bill.set_approval(Delay::None));
    let quick = stand.create("supplier", "other").await;
    let job = stand.client.settled(&quick).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    panel.hostbill(|bill| bill.approve_all());
    let job = stand.client.settled(&slow).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 2));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_the_supplier_gives_up_fails_and_is_not_sent_again() {
    let stand = stand().await;
    let panel = stand.panel("supplier");
    panel.hostbill(|bill| bill.set_approval(Delay::ByHand));
    let id = stand.create("supplier", "acme").await;
    waits_for(&stand.client, &id, "awaiting_approval").await;
    panel.hostbill(|bill| bill.set_status(DOMAIN, "Fraud"));
    let job = stand.client.settled(&id).await;
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("failed"), Some("order_given_up")),
        "{job}"
    );
    let job = replay(&stand, &id).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!((ordered(panel), sent(panel, ORDER)), (1, 1));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_is_asked_for_once_and_waited_for() {
    let stand = stand().await;
    let (panel, admin) = (stand.panel("supplier"), stand.admin());
    made(&stand).await;
    panel.hostbill(|bill| bill.set_cancellation(Delay::ByHand));
    let cancel = "POST /service/@/cancel";
    // Its answer is lost, and a second request would be refused: neither is a failure.
    panel
        .faults()
        .add(Fault::on(cancel).applied(Applied::Yes).reply(Reply::Reset));
    let id = admin.submit("end", &body("terminate", &json!({}))).await;
    waits_for(&admin, &id, "awaiting_cancellation").await;
    assert_eq!(applied(panel, cancel), 1);
    panel.hostbill(|bill| bill.approve_all());
    let job = admin.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(
        panel
            .hostbill(|bill| bill.status(DOMAIN))
            .flatten()
            .unwrap(),
        "Cancelled"
    );
    assert_eq!(applied(panel, cancel), 1);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_is_ordered_paid_and_waited_for() {
    let stand = stand().await;
    let (panel, admin) = (stand.panel("supplier"), stand.admin());
    made(&stand).await;
    let upgrade = "POST /service/@/upgrade";
    panel.hostbill(|bill| bill.set_approval(Delay::ByHand));
    let gold = body("change_package", &json!({"package": "gold"}));
    let id = admin.submit("gold", &gold).await;
    waits_for(&admin, &id, "awaiting_upgrade").await;
    panel.hostbill(|bill| bill.approve_all());
    let job = admin.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(
        (sent(panel, upgrade), sent(panel, "POST /invoice/@/credit")),
        (1, 2)
    );
    let again = admin.submit("again", &gold).await;
    let job = admin.settled(&again).await;
    assert_eq!(
        (job["state"].as_str(), sent(panel, upgrade)),
        (Some("succeeded"), 1),
        "{job}"
    );
    // One whose answer is lost is not sent a second time; its invoice is shown to a person.
    panel
        .faults()
        .add(Fault::on(upgrade).applied(Applied::Yes).reply(Reply::Reset));
    let silver = body("change_package", &json!({"package": "silver"}));
    let id = admin.submit("silver", &silver).await;
    let job = admin.settled(&id).await;
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("held"), Some("order_unclear")),
        "{job}"
    );
    assert!(
        job["error"]["message"]
            .as_str()
            .unwrap()
            .contains("over 9.99, Unpaid"),
        "{job}"
    );
    assert_eq!(sent(panel, upgrade), 2);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_are_made_once_and_wiped_once() {
    let stand = stand().await;
    let (panel, admin) = (stand.panel("supplier"), stand.admin());
    let mut cloud = tests::stand::create("supplier", "acme");
    cloud["account"]["package"] = json!("cloud");
    let id = admin.submit("cloud", &cloud).await;
    assert_eq!(admin.settled(&id).await["state"], "succeeded");
    // Without an answer it is looked for by its label.
    let make = "POST /service/@/vms";
    panel
        .faults()
        .add(Fault::on(make).applied(Applied::Yes).reply(Reply::Reset));
    let wanted = json!({"label": "vm1", "template": "5", "disk_gb": 20});
    let vm1 = body("vm_create", &json!({"panel": wanted}));
    let id = admin.submit("vm1", &vm1).await;
    let job = admin.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(applied(panel, make), 1);
    let vm = job["result"]["machine"]["id"].as_str().unwrap().to_owned();
    let drive = |kind: &str, more: Value| {
        let mut panel = json!({"vm": vm});
        for (name, value) in more.as_object().unwrap() {
            panel[name] = value.clone();
        }
        body(kind, &json!({"panel": panel}))
    };
    for (kind, power, effects) in [
        ("vm_stop", "off", 1),
        ("vm_stop", "off", 1),
        ("vm_start", "on", 2),
        ("vm_reboot", "on", 3),
        ("vm_rescue", "rescue", 4),
        ("vm_unrescue", "on", 5),
        ("vm_get", "on", 5),
    ] {
        let id = admin
            .submit(&format!("{kind}-{effects}"), &drive(kind, json!({})))
            .await;
        let job = admin.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(job["result"]["machine"]["power"], power, "{job}");
        let driven = panel
            .ledger()
            .iter()
            .filter(|one| one.change["machine"].is_string() && one.call != make)
            .count();
        assert_eq!(driven, effects, "{kind}");
    }
    // A rebuild whose answer is lost is a person's to repeat.
    let rebuild = "POST /service/@/vms/@/rebuild";
    panel
        .faults()
        .add(Fault::on(rebuild).applied(Applied::Yes).reply(Reply::Reset));
    let id = admin
        .submit("wipe", &drive("vm_rebuild", json!({"template": "6"})))
        .await;
    let job = admin.settled(&id).await;
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("held"), Some("rebuild_unclear")),
        "{job}"
    );
    assert_eq!(sent(panel, rebuild), 1);
    let job = replay(&stand, &id).await;
    assert_eq!(
        (job["state"].as_str(), sent(panel, rebuild)),
        (Some("succeeded"), 2),
        "{job}"
    );
    let (status, refused) = admin
        .post("/v1/jobs", "x", &drive("vm_rebuild", json!({})))
        .await;
    assert_eq!(status, 422, "{refused}");
    let id = admin.submit("list", &body("vm_list", &json!({}))).await;
    assert_eq!(
        admin.settled(&id).await["result"]["machines"][0]["label"],
        "vm1"
    );
    // By policy an unpaid account's machines are stopped.
    let (status, _) = admin
        .post("/v1/jobs", "early", &body("suspend", &json!({})))
        .await;
    assert_eq!(status, 422, "without the policy there is no suspend");
    stand
        .installation
        .hostler(&["server", "set", "supplier", "--option", "vm_power=suspend"]);
    stand.installation.hostler(&["server", "check", "supplier"]);
    for (kind, power) in [("suspend", "stopped"), ("unsuspend", "running")] {
        let id = admin.submit(kind, &body(kind, &json!({}))).await;
        let job = admin.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        let machines = panel.hostbill(|bill| bill.machines(DOMAIN)).unwrap();
        assert_eq!(machines, [("vm1".to_owned(), power.to_owned())]);
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_is_asked_by_commands() {
    let stand = stand().await;
    made(&stand).await;
    let ask = |question: &str| {
        let args = ["--json", "supplier", question, "supplier"];
        stand.installation.hostler(&args).json()
    };
    assert_eq!(ask("balance")["credit"], "9990.01");
    assert_eq!(ask("invoices")[0]["status"], "Paid");
    assert_eq!(ask("services")[0]["domain"], DOMAIN);
    assert_eq!(ask("dns-zones"), json!([]));
    assert_eq!(ask("tickets"), json!([]));
    assert_eq!(ask("contacts")[0]["name"], "Mary Sue");
    let table = stand
        .installation
        .hostler(&["supplier", "services", "supplier"])
        .out;
    assert!(
        table.contains(DOMAIN) && table.contains("Active"),
        "{table}"
    );
    stand.end().await;
}
