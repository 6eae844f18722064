//! Panels that cannot be reached, ask for patience, or do not know us any more.

use entity::server;
use sea_orm::EntityTrait;
use simulator::{Applied, Fault, PanelKind, Reply};
use tests::stand::Stand;

use crate::{BOTH, make};

async fn row(stand: &Stand, name: &str) -> server::Model {
    let store = stand.database.store().await;
    let all = server::Entity::find().all(store.reader()).await.unwrap();
    all.into_iter().find(|row| row.name == name).unwrap()
}

/// Rows 21 and 24 of one server do not touch another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_opens_its_breaker_and_holds_up_nobody_else() {
    let stand = Stand::new(&BOTH, &[]).await;
    for (gone, other) in [("web1", "web2"), ("web2", "web1")] {
        let panel = stand.panel(gone);
        panel.stop_listening().await;
        let mut waiting = Vec::new();
        for n in 0..10 {
            waiting.push(stand.create(gone, &format!("late{n}")).await);
        }
        loop {
            let row = row(&stand, gone).await;
            if row.breaker_probe_at.is_some() {
                assert!(row.breaker_failures >= 5, "{}", row.breaker_failures);
                break;
            }
            stand
                .client
                .get(&format!("/v1/jobs/{}?wait=1", waiting[0]))
                .await;
        }
        make(&stand, other, &[&format!("while{gone}")]).await;
        assert_eq!(
            panel
                .accounts()
                .iter()
                .filter(|one| one.username.starts_with("late"))
                .count(),
            0
        );
        panel.listen_again().unwrap();
        for id in &waiting {
            let job = stand.client.settled(id).await;
            assert_eq!(job["state"], "succeeded", "{job}");
        }
        let late = panel.accounts();
        assert_eq!(
            late.iter()
                .filter(|one| one.username.starts_with("late"))
                .count(),
            10
        );
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttle_cools_the_whole_server_down_uses_no_try_and_lasts_an_hour_at_most() {
    let stand = Stand::new(&BOTH, &[]).await;
    for ((server, _), call) in BOTH.into_iter().zip(["createacct", "Customers.add"]) {
        let panel = stand.panel(server);
        // An hour at this pace is 72 s; 120 s are 2.4.
        for (n, (text, most)) in [("120", 2_400), ("abc", 1_200), ("-5", 1_200)]
            .into_iter()
            .enumerate()
        {
            let name = format!("acme{n}");
            let busy = Reply::Throttled {
                retry_after: text.to_owned(),
            };
            panel.faults().add(
                Fault::on(call)
                    .for_user(&name)
                    .applied(Applied::No)
                    .reply(busy),
            );
            let id = stand.create(server, &name).await;
            let job = stand.client.settled(&id).await;
            assert_eq!(job["state"], "succeeded", "{text} {job}");
            let refused = panel.faults().fired().last().unwrap().at_ms;
            let row = row(&stand, server).await;
            let cooled = row.cool_until.unwrap() - refused;
            assert!(
                (most / 2..most + 5_000).contains(&cooled),
                "{text}: {cooled} ms"
            );
            let attempts = job["attempts"].as_array().map_or(0, Vec::len);
            assert_eq!(attempts, 2, "{job}");
            let next = panel
                .requests()
                .into_iter()
                .find(|seen| seen.at_ms > refused + 5);
            assert!(
                next.unwrap().at_ms >= refused + most - 100,
                "{text}: called too early"
            );
        }
        let long = Reply::Throttled {
            retry_after: "999999999".to_owned(),
        };
        panel
            .faults()
            .add(Fault::on(call).applied(Applied::No).reply(long));
        stand.create(server, "patient").await;
        panel.wait_for_call(call, 7).await;
        let refused = panel.faults().fired().last().unwrap().at_ms;
        let id = stand.create(server, "behind").await;
        let job = loop {
            let (_, job) = stand.client.get(&format!("/v1/jobs/{id}?wait=1")).await;
            if job["waiting_for"].is_object() {
                break job;
            }
        };
        assert_eq!(job["state"], "queued", "{job}");
        let row = row(&stand, server).await;
        let cooled = row.cool_until.unwrap() - refused;
        assert!(cooled <= 72_000 + 5_000, "an hour at most: {cooled}");
        assert!(cooled >= 60_000, "{cooled}");
    }
    stand.end().await;
}

const JOBS: usize = 30;

/// A token that ends in the middle of the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_costs_a_handful_of_calls_and_no_job() {
    let stand = Stand::new(&BOTH, &[]).await;
    for (server, kind) in BOTH {
        let panel = stand.panel(server);
        make(&stand, server, &["before"]).await;
        let (user, old) = (panel.user().to_owned(), panel.secret().to_owned());
        let fresh = match kind {
            PanelKind::Cpanel => {
                panel.whm(|whm| whm.expire_token(&old));
                "FRESHTOKEN0000000000000000000000".to_owned()
            }
            PanelKind::Froxlor => {
                panel.froxlor(|froxlor| froxlor.set_key_end(&user, 1));
                old.clone()
            }
            PanelKind::HostBill => unreachable!("it is no hosting server"),
        };
        let before = panel.requests().len();
        let mut ids = Vec::new();
        for n in 0..JOBS {
            ids.push(stand.create(server, &format!("acme{n:02}")).await);
        }
        let first = stand.client.settled(&ids[0]).await;
        assert_eq!(first["error"]["class"], "auth", "{first}");
        let last = stand
            .client
            .get(&format!("/v1/jobs/{}?wait=1", ids[JOBS - 1]))
            .await
            .1;
        assert_eq!(last["waiting_for"]["reason"], "auth_hold", "{last}");
        let calls = panel.requests().len() - before;
        println!("{kind}: {JOBS} jobs with an expired token made {calls} calls");
        assert!(calls <= 8, "{calls} calls with a token that is refused");
        match kind {
            PanelKind::Cpanel => {
                panel.whm(|whm| whm.add_token(simulator::Token::new("root", &fresh, &["all"])));
            }
            PanelKind::Froxlor => {
                panel.froxlor(|froxlor| froxlor.set_key_end(&user, -1));
            }
            PanelKind::HostBill => unreachable!("it is no hosting server"),
        }
        let file = stand.installation.folder().join("fresh.secret");
        std::fs::write(&file, &fresh).unwrap();
        let file = file.to_str().unwrap();
        stand
            .installation
            .hostler(&["server", "set", server, "--secret-file", file]);
        stand.installation.hostler(&["server", "check", server]);
        for id in &ids {
            let job = stand.client.settled(id).await;
            assert_eq!(job["state"], "succeeded", "{job}");
        }
        assert_eq!(panel.accounts().len(), JOBS + 1);
    }
    stand.end().await;
}
