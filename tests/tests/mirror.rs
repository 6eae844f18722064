//! A HostBill as billing platform: what it bills for is made so on a panel, whatever is lost in between.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use serde_json::{Value, json};
use simulator::{Applied, Fault, Options, PanelKind, Reply, Simulator};
use tests::client::Client;
use tests::stand::Stand;

/// Hostler with one panel, and a HostBill beside it.
struct Shop {
    stand: Stand,
    bill: Simulator,
    admin: Client,
    key_file: String,
}

impl Shop {
    async fn open() -> Self {
        let stand = Stand::new(&[("web1", PanelKind::Cpanel)], &[]).await;
        let bill = simulator::start(Options::new(PanelKind::HostBill))
            .await
            .unwrap();
        stand.installation.hostler(&["platform", "add", "hostbill"]);
        let admin = stand.admin();
        let file = stand.installation.folder().join("hostbill.key");
        let key = bill.hostbill(|bill| bill.admin_key().1.to_owned()).unwrap();
        std::fs::write(&file, key).unwrap();
        let key_file = file.to_str().unwrap().to_owned();
        Self {
            stand,
            bill,
            admin,
            key_file,
        }
    }

    /// The command that looks once.
    fn command(&self, more: &[&str]) -> Vec<String> {
        let id = self
            .bill
            .hostbill(|bill| bill.admin_key().0.to_owned())
            .unwrap();
        let url = format!("https://{}/admin/api.php", self.bill.address());
        let pin = self.bill.pin();
        let fixed = [
            "--json",
            "mirror",
            "--url",
            &url,
            "--api-id",
            &id,
            "--key-file",
            &self.key_file,
            "--hostbill-server",
            "4",
            "--server",
            "web1",
            "--platform",
            "hostbill",
            "--pin",
            &pin,
            "--allow-network",
            "127.0.0.0/8",
            "--email",
            "owner@example.org",
            "--package",
            "Silver hosting=silver",
        ];
        fixed
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    }

    /// What was found about each service.
    fn look(&self, more: &[&str]) -> Vec<Value> {
        let words = self.command(more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.stand.installation.hostler(&words).json();
        said.as_array().unwrap().clone()
    }

    /// The exit code.
    fn try_look(&self) -> i32 {
        let words = self.command(&[]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.stand.installation.try_hostler(&words).code
    }

    /// Looks, and waits until what follows from it is done.
    async fn settle(&self) -> Vec<Value> {
        let lines = self.look(&[]);
        for line in &lines {
            if let Some(id) = line["job"].as_str() {
                let job = self.admin.settled(id).await;
                assert_eq!(job["state"], "succeeded", "{job}");
            }
        }
        lines
    }

    fn sell(&self, domain: &str, product: &str, status: &str) -> i64 {
        self.bill
            .hostbill(|bill| bill.sell(4, domain, product, status))
            .unwrap()
    }

    fn set(&self, id: i64, status: &str) {
        self.bill.hostbill(|bill| {
            bill.change_sold(id, |sold| status.clone_into(&mut sold.status));
        });
    }

    fn panel(&self) -> &Simulator {
        self.stand.panel("web1")
    }
}

fn what(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["what"].as_str().unwrap())
        .collect()
}

fn count(panel: &Simulator, call: &str) -> usize {
    panel.ledger().iter().filter(|one| one.call == call).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hostbill_bills_for_is_made_so() {
    let shop = Shop::open().await;
    let acme = shop.sell("acme.example.com", "gold", "Active");
    shop.sell("bolt.example.com", "Silver hosting", "Active");
    shop.sell("coal.example.com", "gold", "Pending");
    shop.sell("dune.example.com", "gold", "Terminated");
    shop.bill
        .hostbill(|bill| bill.sell(5, "elsewhere.example.com", "gold", "Active"));
    assert_eq!(
        what(&shop.look(&["--dry-run"])),
        ["create", "create", "nothing", "nothing"]
    );
    assert_eq!(shop.panel().accounts().len(), 0, "only said");
    shop.settle().await;
    let (name, password) = shop
        .bill
        .hostbill(|bill| bill.sold_login(acme))
        .flatten()
        .unwrap();
    let account = shop.panel().account(&name).unwrap();
    assert_eq!(account.domain, "acme.example.com");
    assert!(
        account.password_is(&password),
        "HostBill knows the password"
    );
    let packages: Vec<_> = shop
        .panel()
        .accounts()
        .into_iter()
        .map(|one| one.package)
        .collect();
    assert_eq!(
        packages,
        [Some("gold".to_owned()), Some("silver".to_owned())]
    );
    // Nothing is remembered, and nothing is done twice.
    let again = shop.settle().await;
    assert_eq!(what(&again), ["nothing"; 4]);
    // Unpaid, paid, unpaid again: the second time is a job of its own.
    for (status, wished, suspended) in [
        ("Suspended", "suspend", true),
        ("Active", "unsuspend", false),
        ("Suspended", "suspend", true),
        ("Active", "unsuspend", false),
    ] {
        shop.set(acme, status);
        assert_eq!(shop.settle().await[0]["what"], wished);
        assert_eq!(shop.panel().account(&name).unwrap().suspended, suspended);
    }
    shop.bill.hostbill(|bill| {
        bill.change_sold(acme, |sold| "Silver hosting".clone_into(&mut sold.product));
    });
    assert_eq!(shop.settle().await[0]["what"], "change_package");
    assert_eq!(
        shop.panel().account(&name).unwrap().package.as_deref(),
        Some("silver")
    );
    shop.set(acme, "Cancelled");
    assert_eq!(shop.settle().await[0]["what"], "terminate");
    assert!(shop.panel().account(&name).is_none());
    // Ordered again under the same id: another account.
    shop.set(acme, "Active");
    assert_eq!(shop.settle().await[0]["what"], "create");
    assert!(shop.panel().account(&name).is_some());
    assert_eq!(count(shop.panel(), "createacct"), 3);
    shop.set(acme, "Paused");
    assert_eq!(shop.look(&[])[0]["what"], "unknown status");
    shop.stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_again_while_a_create_is_in_doubt_makes_one_account() {
    let shop = Shop::open().await;
    let acme = shop.sell("acme.example.com", "gold", "Active");
    let lost = Fault::on("createacct")
        .applied(Applied::Yes)
        .reply(Reply::Reset);
    shop.panel().faults().add(lost);
    let first = shop.look(&[]);
    let id = first[0]["job"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let line = shop.look(&[]).remove(0);
        // Its job is still at it, or it is there.
        let idle = line["job"].is_null() || line["job"] == id.as_str();
        assert!(idle, "{line}");
    }
    let job = shop.admin.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(what(&shop.settle().await), ["nothing"]);
    assert_eq!(count(shop.panel(), "createacct"), 1);
    let (name, password) = shop
        .bill
        .hostbill(|bill| bill.sold_login(acme))
        .flatten()
        .unwrap();
    assert!(shop.panel().account(&name).unwrap().password_is(&password));
    shop.stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_failed_is_shown_and_not_put_in_again() {
    let shop = Shop::open().await;
    shop.sell("acme.example.com", "platinum", "Active");
    let id = shop.look(&[])[0]["job"].as_str().unwrap().to_owned();
    let job = shop.admin.settled(&id).await;
    assert_eq!(job["state"], "failed", "{job}");
    for _ in 0..3 {
        let line = shop.look(&[]).remove(0);
        assert!(line["problem"].as_str().unwrap().contains(&id), "{line}");
        assert_eq!(line["job"], json!(null));
    }
    shop.stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostbill_that_refuses_or_misbehaves_changes_nothing() {
    let shop = Shop::open().await;
    shop.sell("acme.example.com", "gold", "Active");
    let call = "admin getAccounts";
    for reply in [
        Reply::Status {
            code: 503,
            body: String::new(),
        },
        Reply::Html,
        Reply::Empty,
        Reply::CutBody { after: 40 },
    ] {
        shop.bill.faults().add(Fault::on(call).reply(reply));
        assert_ne!(shop.try_look(), 0);
    }
    std::fs::write(&shop.key_file, "another key").unwrap();
    assert_ne!(shop.try_look(), 0);
    assert_eq!(shop.panel().accounts().len(), 0);
    assert_eq!(
        shop.panel()
            .requests()
            .iter()
            .filter(|one| one.call == "createacct")
            .count(),
        0
    );
    let seen = format!("{:?}", shop.bill.requests());
    let key = shop
        .bill
        .hostbill(|bill| bill.admin_key().1.to_owned())
        .unwrap();
    assert!(!seen.contains(&key));
    shop.stand.end().await;
}
