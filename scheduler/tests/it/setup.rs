//! What the operator sets up.

use std::time::Duration;

use entity::{secret, server};
use hosting::ServerName;
use jobs::store::{Audience, Outcome, Purpose};
use scheduler::Scope;
use scheduler::registry::{self, NewServer, RegistryError, Removed, ServerChange};
use sea_orm::{EntityTrait, PaginatorTrait};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::support::{self, App, create, ledger, rules, succeeded};

fn new(url: &str) -> NewServer {
    let name: ServerName = "web1".parse().unwrap();
    NewServer::new(name, rules(), url, SecretString::from("whm-token"))
}

#[tokio::test]
async fn a_servers_secret_is_sealed_to_the_workers_with_its_row() {
    let ledger = ledger().await;
    let row = support::add_server(&ledger, "web1").await;
    let owner = format!("server:{}", row.id);
    let (purpose, worker) = (Purpose::PanelSecret, Audience::Worker);
    let secret = || async {
        let row = ledger.store.secret(&owner, purpose, worker).await.unwrap();
        let opened = ledger.keyring.open(&row.unwrap()).unwrap();
        opened.expose_secret().to_owned()
    };
    assert_eq!(secret().await, "panel-token-canary");
    let change = ServerChange {
        secret: Some("rotated".to_owned().into()),
        max_jobs: Some(9),
        ..ServerChange::default()
    };
    let changed = registry::update_server(&ledger.store, &ledger.keyring, "web1", change)
        .await
        .unwrap();
    assert_eq!((secret().await.as_str(), changed.max_jobs), ("rotated", 9));
    assert_eq!(changed.live_name.as_deref(), Some("web1"));
    let again =
        registry::add_server(&ledger.store, &ledger.keyring, new("https://x.example")).await;
    assert!(matches!(again, Err(RegistryError::Taken(_))));
    let secrets = secret::Entity::find();
    assert_eq!(secrets.count(ledger.store.reader()).await.unwrap(), 1);
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_and_leave_nothing() {
    let ledger = ledger().await;
    let (store, keyring) = (&ledger.store, &ledger.keyring);
    for url in [
        "http://web1.example.com",
        "web1.example.com",
        "https://root:pw@web1.example.com",
        "https://web1.example.com/#x",
    ] {
        let refused = registry::add_server(store, keyring, new(url)).await;
        assert!(
            matches!(refused, Err(RegistryError::Invalid { field: "url", .. })),
            "{url}"
        );
    }
    type Change = fn(&mut NewServer);
    let wrong: [(&str, Change); 4] = [
        ("pin", |new| new.pins = vec!["sha256/short".into()]),
        ("ca", |new| new.ca_pem = Some("no pem".into())),
        ("stats-at", |new| new.stats_at = 1440),
        ("max-jobs", |new| new.max_jobs = 0),
    ];
    for (name, change) in wrong {
        let mut server = new("https://web1.example.com");
        change(&mut server);
        match registry::add_server(store, keyring, server).await {
            Err(RegistryError::Invalid { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let rows = server::Entity::find();
    assert_eq!(rows.count(store.reader()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_in_use_is_removed_by_force_alone_and_not_under_a_running_job() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let account = json!({"reference": "whmcs:1"});
    let running = app
        .submit("r", json!({"kind": "suspend", "account": account}))
        .await
        .id();
    let claimed = support::claim(app.store(), app.row(&running).await.id).await;
    let waiting = app.submit("w", create("whmcs:2", "two")).await.id();
    let remove = |force| registry::remove_server(app.store(), "web1", "operator:me", force);
    match remove(false).await {
        Err(RegistryError::InUse(why)) => {
            assert!(why.contains("2 live accounts and 2 unfinished"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let (still, _) = remove(true).await.unwrap();
    assert!(matches!(
        still,
        Removed::StillRunning {
            cancelled: 1,
            running: 1
        }
    ));
    assert_eq!(app.row(&waiting).await.state, "cancelled");
    let owner = format!("server:{}", claimed.job.server_id.unwrap());
    let (purpose, worker) = (Purpose::PanelSecret, Audience::Worker);
    let secret = app.store().secret(&owner, purpose, worker).await.unwrap();
    assert_eq!(secret.unwrap().sealed, None);
    let end = support::finish(&claimed, succeeded());
    app.store().write_group(&[], &[end]).await.unwrap();
    let (gone, _) = remove(true).await.unwrap();
    assert!(matches!(gone, Removed::Done { cancelled: 0 }));
    assert!(matches!(
        remove(true).await,
        Err(RegistryError::NotFound(_))
    ));
    let refused = app.submit("late", create("whmcs:3", "three")).await;
    assert_eq!(refused.fields(), ["server"]);
    support::add_server(&app.ledger, "web1").await;
    let fresh = app.submit("fresh", create("whmcs:3", "three")).await;
    assert_eq!(fresh.job()["server"], "web1", "the name is free again");
}

#[tokio::test]
async fn an_empty_server_is_removed_without_force() {
    let app = App::start().await;
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    app.work(&job, Outcome::Failed).await;
    let (gone, _) = registry::remove_server(app.store(), "web1", "me", false)
        .await
        .unwrap();
    assert!(matches!(gone, Removed::Done { .. }));
}

#[tokio::test]
async fn a_webhooks_key_is_shown_once_and_rotated() {
    let app = App::start().await;
    let (store, keyring) = (app.store(), &app.ledger.keyring);
    let url = "https://billing.example.com/hook";
    let added = registry::add_webhook(store, keyring, app.platform, "main", url)
        .await
        .unwrap();
    assert!(added.key.expose_secret().starts_with("whsec_"));
    let owner = format!("webhook:{}", added.row.id);
    let key = || async {
        let (purpose, worker) = (Purpose::WebhookKey, Audience::Worker);
        store
            .secret(&owner, purpose, worker)
            .await
            .unwrap()
            .unwrap()
    };
    let opened = keyring.open(&key().await).unwrap();
    assert_eq!(opened.expose_secret(), added.key.expose_secret());
    let twice = registry::add_webhook(store, keyring, app.platform, "main", url).await;
    assert!(matches!(twice, Err(RegistryError::Taken(_))));
    let plain = registry::add_webhook(store, keyring, app.platform, "b", "http://x.example").await;
    assert!(matches!(plain, Err(RegistryError::Invalid { .. })));
    let mut body = create("whmcs:1", "acme");
    body["webhook"] = json!("main");
    assert_eq!(app.submit("k", body).await.status, 202);
    let live = || async {
        let writer = store.writer_connection();
        let rows = store.live_secrets(writer, &owner, Audience::Worker).await;
        let open = |row| keyring.open(row).unwrap().expose_secret().to_owned();
        rows.unwrap().iter().map(open).collect::<Vec<String>>()
    };
    let rotate = |hours: u64| async move {
        let overlap = Duration::from_secs(hours * 3600);
        let rotated = registry::rotate_webhook(store, keyring, app.platform, "main", overlap).await;
        rotated.unwrap().key.expose_secret().to_owned()
    };
    let first = added.key.expose_secret().to_owned();
    store.advance_clock(Duration::from_secs(1));
    let second = rotate(24).await;
    assert_eq!(live().await, [second.clone(), first], "both sign");
    store.advance_clock(Duration::from_secs(3600));
    let third = rotate(24).await;
    assert_eq!(live().await, [third.clone(), second], "never three");
    store.advance_clock(Duration::from_secs(25 * 3600));
    assert_eq!(live().await, [third], "until the overlap is over");
    store.wipe_expired_secrets().await.unwrap();
    let leaked = rotate(0).await;
    assert_eq!(
        live().await,
        [leaked],
        "at once when others know the old one"
    );
    registry::remove_webhook(store, app.platform, "main")
        .await
        .unwrap();
    assert_eq!(key().await.sealed, None);
    assert!(registry::webhooks(store, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn platforms_and_tokens_are_named_and_counted() {
    let app = App::start().await;
    let store = app.store();
    for taken in ["whmcs", "operator"] {
        let refused = registry::add_platform(store, taken).await;
        assert!(matches!(refused, Err(RegistryError::Taken(_))), "{taken}");
    }
    assert!(registry::add_platform(store, " x").await.is_err());
    assert_eq!(
        registry::platform_named(store, "operator").await.unwrap(),
        0
    );
    assert_eq!(
        registry::platform_named(store, "whmcs").await.unwrap(),
        app.platform
    );
    assert!(registry::platform_named(store, "nobody").await.is_err());
    let token = |scopes: &[Scope], server: &str| registry::NewToken {
        platform_id: app.platform,
        name: "t".into(),
        scopes: scopes.iter().copied().collect(),
        servers: Some([server.parse().unwrap()].into()),
        expires_at: None,
    };
    let none = registry::create_token(store, &token(&[], "web1")).await;
    assert!(matches!(
        none,
        Err(RegistryError::Invalid { field: "scope", .. })
    ));
    let nowhere = registry::create_token(store, &token(&[Scope::Read], "web9")).await;
    assert!(matches!(nowhere, Err(RegistryError::NotFound(_))));
    assert_eq!(registry::tokens(store, None).await.unwrap().len(), 1);
}
