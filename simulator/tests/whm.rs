//! The WHM face over real sockets.

mod support;

use simulator::{Applied, Fault, Reply};
use support::Bench;

#[tokio::test]
async fn an_account_lives_through_its_whole_life() {
    let bench = Bench::whm().await;
    let created = bench.create("acme").await;
    assert_eq!(
        created["metadata"]["reason"], "Account Creation Ok",
        "{created}"
    );
    assert_eq!(
        bench.panel.account("acme").unwrap().package.as_deref(),
        Some("gold")
    );
    assert_eq!(
        bench
            .whm_reason("suspendacct", &[("user", "acme"), ("reason", "late")], true)
            .await,
        "OK"
    );
    assert!(bench.panel.account("acme").unwrap().suspended);
    bench
        .whm_reason("unsuspendacct", &[("user", "acme")], true)
        .await;
    bench
        .whm_reason(
            "changepackage",
            &[("user", "acme"), ("pkg", "silver")],
            true,
        )
        .await;
    assert_eq!(
        bench
            .whm_reason(
                "removeacct",
                &[("username", "acme"), ("user", "acme")],
                true
            )
            .await,
        "acme account removed"
    );
    assert!(bench.panel.accounts().is_empty());
    let calls: Vec<String> = bench
        .panel
        .ledger()
        .into_iter()
        .map(|entry| entry.call)
        .collect();
    assert_eq!(
        calls,
        [
            "createacct",
            "suspendacct",
            "unsuspendacct",
            "changepackage",
            "removeacct"
        ]
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_has_happened_once() {
    let bench = Bench::whm().await;
    bench.panel.faults().add(
        Fault::on("createacct")
            .applied(Applied::Yes)
            .reply(Reply::Reset),
    );
    let params = [
        ("username", "acme"),
        ("domain", "acme.example.com"),
        ("password", "xK9!mQ2#vB7@"),
    ];
    assert!(
        bench
            .whm_request("createacct", &params)
            .send()
            .await
            .is_err()
    );
    assert_eq!(bench.panel.accounts().len(), 1);
    assert_eq!(bench.panel.ledger().len(), 1);
    assert_eq!(bench.panel.faults().fired()[0].fault, "reset");
}

#[tokio::test]
async fn a_search_needs_both_of_its_parameters() {
    let bench = Bench::whm().await;
    for user in ["bob", "bobby", "carl"] {
        bench.create(user).await;
    }
    let names = |answer: serde_json::Value| {
        let list = answer["data"]["acct"].as_array().unwrap().clone();
        list.iter()
            .map(|row| row["user"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (params, expected) in [
        (vec![("searchtype", "user")], vec!["bob", "bobby", "carl"]),
        (vec![("search", "^bob$")], vec!["bob", "bobby", "carl"]),
        (
            vec![("searchtype", "user"), ("search", "bob")],
            vec!["bob", "bobby"],
        ),
        (
            vec![("searchtype", "user"), ("search", "^bob$")],
            vec!["bob"],
        ),
        (
            vec![
                ("searchtype", "user"),
                ("search", "bob"),
                ("searchmethod", "exact"),
            ],
            vec!["bob"],
        ),
        (
            vec![("searchtype", "domain"), ("search", "carl\\.example")],
            vec!["carl"],
        ),
    ] {
        assert_eq!(
            names(bench.whm_call("listaccts", &params).await),
            expected,
            "{params:?}"
        );
    }
    let filter = [
        ("api.filter.enable", "1"),
        ("api.filter.a.field", "user"),
        ("api.filter.a.type", "eq"),
        ("api.filter.a.arg0", "bob"),
    ];
    assert_eq!(names(bench.whm_call("listaccts", &filter).await), ["bob"]);
    let chunk = [
        ("api.chunk.enable", "1"),
        ("api.chunk.start", "2"),
        ("api.chunk.size", "2"),
    ];
    let answer = bench.whm_call("listaccts", &chunk).await;
    assert_eq!(answer["metadata"]["chunk"]["records"], 3);
    assert_eq!(names(answer), ["bobby", "carl"]);
    let want = bench
        .whm_call("listaccts", &[("want", "user,domain")])
        .await;
    assert_eq!(want["data"]["acct"][0].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn limits_have_the_units_and_zeros_of_each_call() {
    const MIB: u64 = 1024 * 1024;
    let bench = Bench::whm().await;
    bench.create("acme").await;
    let limits = || bench.panel.account("acme").unwrap().limits;
    bench
        .whm_reason("editquota", &[("user", "acme"), ("quota", "500")], true)
        .await;
    assert_eq!(limits().disk, Some(500 * MIB));
    bench
        .whm_reason("editquota", &[("user", "acme"), ("quota", "0")], true)
        .await;
    assert_eq!(limits().disk, None);
    bench
        .whm_reason("limitbw", &[("user", "acme"), ("bwlimit", "99999")], true)
        .await;
    assert_eq!(limits().traffic, Some(104_856_551_424));
    bench
        .whm_reason(
            "modifyacct",
            &[
                ("user", "acme"),
                ("BWLIMIT", "5000"),
                ("maxpop", "1"),
                ("QUOTA", "7"),
            ],
            true,
        )
        .await;
    assert_eq!(
        (limits().traffic, limits().disk, limits().email_accounts),
        (Some(5000), Some(7 * MIB), Some(100))
    );
    bench
        .whm_reason(
            "modifyacct",
            &[("user", "acme"), ("MAXPOP", "1"), ("MAXADDON", "0")],
            true,
        )
        .await;
    assert_eq!(
        (limits().email_accounts, limits().domains),
        (Some(1), Some(0))
    );
    // Without the number the limit goes away.
    bench.whm_reason("limitbw", &[("user", "acme")], true).await;
    assert_eq!(limits().traffic, None);
    // A package overwrites what was set for the account alone.
    bench
        .whm_reason(
            "changepackage",
            &[("user", "acme"), ("pkg", "bronze")],
            true,
        )
        .await;
    assert_eq!(
        (limits().disk, limits().email_accounts),
        (Some(1000 * MIB), Some(5))
    );
    bench.panel.whm(|whm| whm.set_quotas_enabled(false));
    bench
        .whm_reason("editquota", &[("user", "acme"), ("quota", "5")], true)
        .await;
    assert_eq!(
        limits().disk,
        Some(1000 * MIB),
        "it says success and does nothing"
    );
}

#[tokio::test]
async fn a_create_reads_zero_differently_from_limit_to_limit() {
    let bench = Bench::whm().await;
    let params = [
        ("username", "Acme"),
        ("domain", "ACME.example.com"),
        ("password", "xK9!mQ2#vB7@"),
        ("quota", "0"),
        ("bwlimit", "10"),
        ("maxpop", "0"),
        ("maxaddon", "0"),
        ("maxsub", "unlimited"),
    ];
    bench.whm_reason("createacct", &params, true).await;
    let account = bench.panel.account("acme").unwrap();
    assert_eq!(account.username, "acme");
    assert_eq!(account.domain, "acme.example.com");
    let limits = account.limits;
    assert_eq!(
        (limits.disk, limits.traffic, limits.email_accounts),
        (None, Some(10 * 1024 * 1024), None)
    );
    assert_eq!((limits.domains, limits.subdomains), (Some(0), None));
}

#[tokio::test]
async fn traffic_is_by_month_and_stays_after_the_account() {
    let bench = Bench::whm().await;
    bench
        .panel
        .set_clock("2026-11-20T10:00:00Z".parse().unwrap());
    bench.create("acme").await;
    assert!(
        bench.panel.add_traffic("acme", "2026-10", 700)
            && bench.panel.add_traffic("acme", "2026-11", 1000)
    );
    assert!(bench.panel.add_traffic("acme", "2026-11", 500));
    let total = async |month: &str, year: &str| {
        let answer = bench
            .whm_call("showbw", &[("month", month), ("year", year)])
            .await;
        let rows = answer["data"]["acct"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| (row["totalbytes"].as_u64().unwrap(), row["deleted"] == 1))
            .collect::<Vec<_>>()
    };
    assert_eq!(total("10", "2026").await, [(700, false)]);
    assert_eq!(total("11", "2026").await, [(1500, false)]);
    assert_eq!(
        bench.whm_call("showbw", &[]).await["data"]["acct"][0]["totalbytes"],
        1500,
        "this month by default"
    );
    assert_eq!(bench.panel.traffic("ACME", "2026-11"), 1500);
    assert!(
        bench.panel.set_traffic("acme", "2026-11", 300),
        "a counter can go back"
    );
    assert_eq!(total("11", "2026").await, [(300, false)]);
    bench.panel.drop_from_stats("acme");
    assert!(total("11", "2026").await.is_empty());
    bench.panel.return_to_stats("acme");
    bench
        .whm_reason("removeacct", &[("username", "acme")], true)
        .await;
    bench.create("acme").await;
    // The name twice: the one that is, and the one that was.
    assert_eq!(total("11", "2026").await, [(0, false), (300, true)]);
    assert_eq!(bench.panel.traffic("acme", "2026-11"), 0);
    bench.panel.whm(|whm| whm.set_keep_deleted_traffic(false));
    assert!(bench.panel.add_traffic("acme", "2026-11", 9));
    bench
        .whm_reason("removeacct", &[("username", "acme")], true)
        .await;
    assert_eq!(total("11", "2026").await, [(300, true)]);
}

#[tokio::test]
async fn addresses_are_given_and_given_back() {
    let options = simulator::Options {
        free_ips: 1,
        ..simulator::Options::new(simulator::PanelKind::Cpanel)
    };
    let bench = Bench::start(options).await;
    let own = [
        ("username", "acme"),
        ("domain", "acme.example.com"),
        ("password", "xK9!mQ2#vB7@"),
        ("ip", "y"),
    ];
    bench.whm_reason("createacct", &own, true).await;
    assert_eq!(bench.panel.account("acme").unwrap().ip, "198.51.100.1");
    assert!(bench.panel.whm(|whm| whm.free_ips()).unwrap().is_empty());
    bench.create("other").await;
    let taken = [("user", "other"), ("ip", "198.51.100.1")];
    bench.whm_reason("setsiteip", &taken, false).await;
    bench
        .whm_reason("removeacct", &[("username", "acme")], true)
        .await;
    bench.whm_reason("setsiteip", &taken, true).await;
    let ips = bench.whm_call("listips", &[]).await;
    assert_eq!(
        (
            &ips["data"]["ip"][1]["used"],
            &ips["data"]["ip"][1]["dedicated"]
        ),
        (&1.into(), &1.into())
    );
    assert_eq!(bench.panel.account("other").unwrap().ip, "198.51.100.1");
}

#[tokio::test]
async fn a_reseller_sees_his_own_accounts_only() {
    let bench = Bench::whm().await;
    bench.panel.whm(|whm| {
        whm.add_token(simulator::Token::new("reseller", "RTOKEN", &["all"]));
        assert!(whm.plant_account("planted", "planted.example.org", "someone", 0));
    });
    bench.create("acme").await;
    let url = format!("{}/json-api/listaccts?api.version=1", bench.panel.url());
    let response = bench
        .client
        .get(url)
        .header("Authorization", "whm reseller:RTOKEN")
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!(answer["data"]["acct"].as_array().unwrap().len(), 0);
    assert_eq!(bench.panel.account("planted").unwrap().owner, "someone");
}

#[tokio::test]
async fn too_many_wrong_tokens_black_list_the_address() {
    let bench = Bench::whm().await;
    bench.panel.whm(|whm| whm.set_cphulk(Some(2)));
    let url = format!("{}/json-api/version?api.version=1", bench.panel.url());
    for _ in 0..2 {
        let wrong = bench
            .client
            .get(&url)
            .header("Authorization", "whm root:WRONG")
            .send()
            .await
            .unwrap();
        assert_eq!(wrong.status(), 403);
    }
    assert_eq!(
        bench
            .whm_request("version", &[])
            .send()
            .await
            .unwrap()
            .status(),
        403,
        "the right token too"
    );
}

#[tokio::test]
async fn numbers_can_be_strings_everywhere() {
    let bench = Bench::whm().await;
    bench.create("acme").await;
    bench.panel.whm(|whm| whm.set_numbers_as_strings(true));
    let answer = bench.whm_call("accountsummary", &[("user", "acme")]).await;
    assert_eq!(
        (
            &answer["metadata"]["result"],
            &answer["data"]["acct"][0]["suspended"]
        ),
        (&"1".into(), &"0".into())
    );
}

#[tokio::test]
async fn pages_outside_the_api_are_login_pages() {
    let bench = Bench::whm().await;
    let response = bench.client.get(bench.panel.url()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("date"));
    assert!(response.text().await.unwrap().contains("login_form"));
    let refused = bench
        .client
        .get(format!("{}/json-api/version", bench.panel.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
}
