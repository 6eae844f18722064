//! Blesta's Universal Module: no code of ours, but the posts that it sends with the settings of our page.
//!
//! It sends all fields of service and package, and its own, to the address that is set for an action, and takes a
//! text in the answer for success. Its fields are strings; nested ones come in brackets.

use reqwest::Url;
use tests::client::Client;

use crate::scene::{SERVER, Scene};

/// A Blesta with the product that our page describes, and one paid service.
struct Blesta {
    http: Client,
    token: String,
    package: &'static str,
}

impl Blesta {
    fn of(scene: &Scene) -> Self {
        Self {
            http: scene.client.clone(),
            token: scene.token.clone(),
            package: "silver",
        }
    }

    /// What it sends for an action, and whether it takes the answer for a success.
    async fn does(&self, action: &str, kind: &str, wait: u64) -> (bool, String) {
        let fields = [
            ("account.domain", "bolt.example.com"),
            ("account.password", "bL7-first-Pass+word"),
            ("account.domain_name", "bolt.example.com"),
            ("account.package", self.package),
            ("account.package_name", "Silver"),
            ("server", SERVER),
            ("_action", action),
            ("_package[id]", "3"),
            ("_package[meta][account.package]", self.package),
            ("_service[id]", "42"),
            ("_other[use_module]", "true"),
        ];
        let mut address = Url::parse(self.http.base()).unwrap();
        address.set_path(&format!("/v1/forms/{kind}"));
        address.set_query(Some(&format!("wait={wait}")));
        address.set_username("blesta").unwrap();
        address.set_password(Some(&self.token)).unwrap();
        let (_, text) = self.http.post_form(address, &fields).await;
        (text.contains("state=succeeded"), text)
    }

    async fn succeeds(&self, action: &str, kind: &str) {
        let (taken, text) = self.does(action, kind, 60).await;
        assert!(taken, "{action}: {text}");
    }
}

#[tokio::test]
async fn a_service_of_blesta_lives_from_its_order_to_its_end() {
    let scene = Scene::new().await;
    let mut blesta = Blesta::of(&scene);
    blesta.succeeds("service_notice_add", "create").await;
    assert!(scene.only_account().password_is("bL7-first-Pass+word"));
    for _ in 0..2 {
        blesta.succeeds("service_notice_suspend", "suspend").await;
        assert!(scene.only_account().suspended);
        blesta
            .succeeds("service_notice_unsuspend", "unsuspend")
            .await;
        assert!(!scene.only_account().suspended);
    }
    blesta.package = "gold";
    blesta
        .succeeds("service_notice_package_change", "change_package")
        .await;
    assert_eq!(scene.only_account().package.as_deref(), Some("gold"));
    blesta.succeeds("service_notice_cancel", "terminate").await;
    assert!(scene.panel().accounts().is_empty());
    blesta.succeeds("service_notice_add", "create").await;
    assert_eq!(scene.did("createacct"), 2);
    scene.stand.end().await;
}

/// Its cron calls again while a service is pending.
#[tokio::test]
async fn a_create_of_blesta_that_times_out_is_taken_over_by_its_cron() {
    let scene = Scene::new().await;
    let blesta = Blesta::of(&scene);
    scene.keep_quiet_about("createacct");
    for _ in 0..2 {
        let (taken, text) = blesta.does("service_notice_add", "create", 1).await;
        assert!(!taken, "{text}");
    }
    scene.panel().wait_for_call("createacct", 1).await;
    scene.end_silence().await;
    blesta.succeeds("service_notice_add", "create").await;
    assert_eq!(scene.panel().accounts().len(), 1);
    assert_eq!((scene.asked("createacct"), scene.did("createacct")), (1, 1));
    assert_eq!(scene.jobs("create").await.len(), 1);
    scene.stand.end().await;
}

#[tokio::test]
async fn blesta_takes_no_refusal_for_a_success() {
    let scene = Scene::new().await;
    let mut blesta = Blesta::of(&scene);
    blesta.package = "platinum";
    let (taken, text) = blesta.does("service_notice_add", "create", 60).await;
    assert!(!taken && text.contains("platinum"), "{text}");
    assert_eq!(scene.asked("createacct"), 0);
    blesta.token = "no-token-of-anybody".to_owned();
    let (taken, text) = blesta.does("service_notice_suspend", "suspend", 60).await;
    assert!(!taken, "{text}");
    scene.stand.end().await;
}
