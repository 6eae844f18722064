//! What was done to the real panel between the recorded exchanges, outside of them.

use serde_json::{Value, json};
use simulator::{Applied, DayTraffic, Fault, KeyOwner, Options, PanelKind, PasswordPolicy};

use crate::support::Bench;
use crate::{Answer, Exchange, send};

/// The keys besides the admin's: name, and whose.
const KEYS: [(&str, KeyOwner); 5] = [
    ("expired", KeyOwner::Admin(1)),
    ("ipbound", KeyOwner::Admin(1)),
    ("ipok", KeyOwner::Admin(1)),
    ("reseller", KeyOwner::Admin(2)),
    ("customer", KeyOwner::Customer(3)),
];

/// The customers who were left when the listings were recorded.
const KEPT: [&str; 7] = [
    "web1",
    "web2",
    "acme",
    "gracehost",
    "linushost",
    "resbig",
    "restwo",
];

pub(crate) fn credentials(bench: &Bench, key: &str) -> Option<(String, String)> {
    match key {
        "none" => None,
        "admin" => Some((
            bench.panel.user().to_owned(),
            bench.panel.secret().to_owned(),
        )),
        "wrong-secret" => Some((bench.panel.user().to_owned(), "wrong".to_owned())),
        "unknown" => Some(("nosuchkey".to_owned(), "nosuchsecret".to_owned())),
        other => Some((format!("key-{other}"), format!("secret-{other}"))),
    }
}

/// A fresh panel with its keys and without hosting plans.
pub(crate) async fn panel() -> Bench {
    let mut options = Options::new(PanelKind::Froxlor);
    "panel.example.com".clone_into(&mut options.host_name);
    options.now = Some("2026-11-21T12:00:00Z".parse().unwrap());
    let bench = Bench::start(options).await;
    bench.panel.froxlor(|froxlor| {
        froxlor.remove_all_plans();
        froxlor.set_mail_works(false);
        for (name, owner) in KEYS {
            froxlor.add_key(&format!("key-{name}"), &format!("secret-{name}"), owner);
        }
        froxlor.set_key_end("key-expired", 1_000_000_000);
        froxlor.set_key_addresses("key-ipbound", &["198.51.100.99"]);
        froxlor.set_key_addresses("key-ipok", &["127.0.0.1"]);
    });
    bench
}

/// A plain customer, as the set-up of the recordings made them.
fn customer(login: &str) -> Value {
    json!({"email": "ada@example.com", "firstname": "Ada", "name": "Example", "createstdsubdomain": 0,
           "new_loginname": login, "new_customer_password": "Pl4in-Secret"})
}

/// Brings the panel into the state in which the exchange was recorded. Where the exchange itself is one of several at
/// the same time, its answer.
pub(crate) async fn before(bench: &Bench, exchange: &Exchange) -> Option<Answer> {
    switches(bench, exchange.number);
    customers(bench, exchange.number);
    match exchange.number {
        177 => {
            // A series of measurements suspended and unsuspended in between.
            bench
                .froxlor_data(
                    "Customers.update",
                    json!({"loginname": "acme", "deactivated": 1}),
                )
                .await;
            let back = json!({"loginname": "acme", "deactivated": 0, "createstdsubdomain": 1});
            bench.froxlor_data("Customers.update", back).await;
        }
        230 => {
            ids(bench, 50, 10_049);
            bench
                .froxlor_data("Customers.add", customer("booltrue"))
                .await;
        }
        231 => {
            bench.froxlor_data("Customers.add", customer("susp")).await;
            bench
                .froxlor_data(
                    "Customers.update",
                    json!({"loginname": "susp", "deactivated": 1}),
                )
                .await;
        }
        235 => ids(bench, 57, 10_056),
        238 => {
            let mut add = customer("");
            add["sendpassword"] = 1.into();
            add["customernumber"] = "RETRY-1".into();
            for _ in 0..2 {
                assert_eq!(
                    bench.froxlor_call("Customers.add", add.clone()).await.0,
                    400
                );
            }
        }
        239 => return Some(losing(bench, exchange).await),
        240 => {
            bench
                .panel
                .froxlor(|froxlor| froxlor.set_next_account_number(8));
            return Some(losing(bench, exchange).await);
        }
        241 => {
            ids(bench, 101, 10_097);
            let mut add = customer("gone1");
            add["customernumber"] = "GONE-1".into();
            bench.froxlor_data("Customers.add", add).await;
        }
        242 => {
            ids(bench, 104, 10_098);
            bench
                .panel
                .faults()
                .add(Fault::on("Customers.add").applied(Applied::Half));
        }
        251 => {
            let all = bench.panel.accounts();
            for account in all
                .iter()
                .filter(|account| !KEPT.contains(&account.username.as_str()))
            {
                bench
                    .panel
                    .froxlor(|froxlor| froxlor.remove_customer(&account.username));
            }
        }
        266 => {
            ids(bench, 5139, 10_115);
            bench.panel.race_next_adds(2);
            let (one, other) = (customer("twinb"), customer("twina"));
            tokio::join!(
                bench.froxlor_data("Customers.add", one),
                bench.froxlor_data("Customers.add", other),
            );
        }
        _ => {}
    }
    None
}

/// Two of the same request at one time: the answer to the one that came second.
async fn losing(bench: &Bench, exchange: &Exchange) -> Answer {
    bench.panel.race_next_adds(2);
    let (one, other) = tokio::join!(send(bench, exchange), send(bench, exchange));
    assert_eq!(
        [one.status, other.status]
            .iter()
            .filter(|status| **status == 200)
            .count(),
        1
    );
    if one.status == 200 { other } else { one }
}

fn ids(bench: &Bench, customer: i64, guid: i64) {
    bench
        .panel
        .froxlor(|froxlor| froxlor.set_next_ids(customer, guid));
}

/// The panel's settings.
fn switches(bench: &Bench, number: u32) {
    let policy = PasswordPolicy::default();
    bench.panel.froxlor(|froxlor| match number {
        1 => froxlor.enable_api(false),
        2 => froxlor.enable_api(true),
        88 => froxlor.set_password_policy(PasswordPolicy {
            min_length: 12,
            ..policy
        }),
        89 => froxlor.set_password_policy(PasswordPolicy {
            min_length: 12,
            digit: true,
            ..policy
        }),
        90 => {
            froxlor.set_password_policy(policy);
            froxlor.set_admin_language(1, "de");
        }
        92 => {
            froxlor.set_admin_language(1, "en");
            froxlor.make_directory("oldhome");
        }
        // The refusal of a foreign plan was recorded while the reseller had room for one more.
        111 => assert!(froxlor.set_admin_column(2, "customers", 3)),
        112 => assert!(froxlor.set_admin_column(2, "customers", 2)),
        123 => assert!(froxlor.set_admin_column(2, "deactivated", 1)),
        124 => {
            froxlor.set_admin_column(2, "deactivated", 0);
            froxlor.set_admin_column(2, "api_allowed", 0);
        }
        125 => assert!(froxlor.set_admin_column(2, "api_allowed", 1)),
        248 | 263 => froxlor.set_rate_limit(0),
        249 | 264 => {
            froxlor.set_rate_limit(60);
            froxlor.break_database(true);
        }
        251 | 265 => froxlor.break_database(false),
        252 => froxlor.set_php74_types(true),
        257 => froxlor.set_php74_types(false),
        _ => {}
    });
}

/// Rows that were changed or removed by hand.
fn customers(bench: &Bench, number: u32) {
    bench.panel.froxlor(|froxlor| match number {
        66 => assert!(froxlor.remove_customer("acme3")),
        85 => froxlor.set_next_ids(26, 10_025),
        100 => froxlor.set_next_ids(48, 10_047),
        120 => {
            froxlor.set_customer_column("web2", "adminid", 1);
            froxlor.set_customer_column("web2", "loginfail_count", 3);
            froxlor.set_customer_column("web2", "lastlogin_fail", 1_795_289_000);
        }
        136 => {
            for account in [
                "fraction", "minusone", "huge", "dbuser", "extra", "mangle", "pwscript",
            ] {
                assert!(froxlor.remove_customer(account), "{account}");
            }
            assert!(froxlor.remove_customer(&"b".repeat(50)));
            froxlor.set_customer_column("acme", "traffic_used", 3072);
            froxlor.set_spaces("acme", 307_200, 20_480, 5_120);
        }
        184 => {
            froxlor.set_customer_column("acme", "diskspace", 1_573_376);
            froxlor.set_customer_column("acme", "traffic", 1_572_864);
        }
        186 => {
            froxlor.set_customer_column("acme", "diskspace", 1_024_000);
            froxlor.set_customer_column("acme", "traffic", 10_485_760);
        }
        188 => assert!(froxlor.set_customer_column("acme", "custom_notes", "order=9f1c2d")),
        198 => assert!(froxlor.set_customer_column("web2", "email", "hostmaster@example.com")),
        199 => {
            froxlor.set_customer_column("web2", "email", "ada@example.com");
            froxlor.set_customer_column("web2", "phpenabled", 1);
        }
        200 => {
            froxlor.set_customer_column("web2", "phpenabled", 0);
            for (login, date, [http, ftp_up, ftp_down, mail]) in [
                ("acme", "2026-10-30", [1_024_000, 10_240, 20_480, 5_120]),
                ("acme", "2026-10-31", [2_048_000, 20_480, 40_960, 10_240]),
                ("acme", "2026-11-01", [1_048_576, 0, 0, 0]),
                ("acme", "2026-11-02", [2_097_152, 102_400, 51_200, 25_600]),
                ("gracehost", "2026-11-02", [5_120_000, 1_024, 2_048, 3_072]),
            ] {
                let date = date.parse().unwrap();
                assert!(froxlor.add_traffic_row(
                    login,
                    DayTraffic {
                        id: 0,
                        date,
                        http,
                        ftp_up,
                        ftp_down,
                        mail
                    }
                ));
            }
        }
        218 => assert!(froxlor.set_customer_column("acme", "traffic_used", 3247)),
        267 => froxlor.set_next_ids(5141, 10_116),
        _ => {}
    });
}
