//! Traffic and disk use.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hosting::{Bytes, Limit, Month};
use panels::{AccountUsage, Counter, PanelError, UsageReport};
use serde_json::{Value, json};

use crate::replay::{Replay, acme, listing, record, recorded};
use crate::support::Canned;

fn november() -> Month {
    "2026-11".parse().unwrap()
}

/// The customers 3 and 6 of the recorded traffic.
fn customers() -> Canned {
    let mut acme = record("252");
    acme["adminid"] = json!(2);
    listing(&[acme, record("068")])
}

fn of<'r>(report: &'r UsageReport, name: &str) -> &'r AccountUsage {
    report
        .accounts
        .iter()
        .find(|one| one.username.as_str() == name)
        .unwrap()
}

async fn reported(traffic: Canned) -> UsageReport {
    let replay = Replay::of([
        ("Customers.listing", customers()),
        ("Traffic.listing", traffic),
    ]);
    replay.driver.usage(november()).await.unwrap()
}

fn bytes(bytes: u64) -> Option<Bytes> {
    Bytes::new(bytes)
}

#[tokio::test]
async fn a_month_is_the_sum_of_its_rows_in_bytes() {
    let replay = Replay::of([
        ("Customers.listing", customers()),
        ("Traffic.listing", recorded("201")),
    ]);
    assert_eq!(replay.driver.counter(), Counter::MonthTotal);
    let report = replay.driver.usage(november()).await.unwrap();
    assert_eq!(report.month, november());
    assert_eq!(report.refused, []);
    let acme = of(&report, "acme");
    // Rows 3 and 4; rows 1 and 2 are of October.
    assert_eq!(
        acme.traffic,
        bytes(1_048_576 + 2_097_152 + 102_400 + 51_200 + 25_600)
    );
    assert_eq!(acme.disk, Bytes::from_kib(332_800));
    assert_eq!(acme.disk_limit, Some(Limit::AtMost(1000)));
    assert_eq!(acme.traffic_limit, Some(Limit::AtMost(10 << 10)));
    assert_eq!((acme.owner.as_deref(), acme.deleted), (Some("2"), false));
    assert_eq!(
        of(&report, "gracehost").traffic,
        bytes(5_120_000 + 1024 + 2048 + 3072)
    );
    let asked = json!({"customer_traffic": 1, "year": 2026, "month": 11});
    assert_eq!(replay.params("Traffic.listing"), asked);
}

#[tokio::test]
async fn numbers_as_text_are_the_same_traffic() {
    let report = reported(recorded("255")).await;
    let plain = reported(recorded("202")).await;
    assert_eq!(report.accounts, plain.accounts);
    assert!(of(&report, "acme").traffic.is_some());
}

#[tokio::test]
async fn no_row_is_unknown_and_not_zero() {
    let report = reported(recorded("205")).await;
    assert_eq!(report.accounts.len(), 2);
    assert!(
        report
            .accounts
            .iter()
            .all(|one| one.traffic.is_none() && one.disk.is_some())
    );
}

fn row(id: i64, customer: i64, http: &Value) -> Value {
    json!({"id": id, "customerid": customer, "year": "2026", "month": "11", "day": "03",
        "http": http, "ftp_up": 0, "ftp_down": 0, "mail": 0})
}

#[tokio::test]
async fn rows_that_cannot_be_understood_book_nothing_for_their_customer() {
    for odd in [
        json!(-5),
        json!("many"),
        json!(null),
        json!(1.5),
        json!([1]),
        json!(1e300),
    ] {
        let rows = [
            row(1, 3, &json!(1000)),
            row(2, 3, &odd),
            row(3, 3, &json!(7)),
            row(4, 6, &json!("2000")),
        ];
        let report = reported(listing(&rows)).await;
        assert_eq!(report.accounts.len(), 1, "{odd}");
        assert_eq!(of(&report, "gracehost").traffic, bytes(2000));
        assert_eq!(report.refused.len(), 1);
        assert_eq!(report.refused[0].0, "acme");
    }
    let huge = [
        row(1, 3, &json!(i64::MAX)),
        row(2, 3, &json!(1)),
        row(3, 6, &json!(1)),
    ];
    assert_eq!(reported(listing(&huge)).await.refused[0].0, "acme");
}

#[tokio::test]
async fn two_rows_a_day_count_and_a_repeated_row_does_not() {
    let rows = [
        row(1, 3, &json!(10)),
        row(2, 3, &json!(20)),
        row(2, 3, &json!(20)),
    ];
    assert_eq!(
        of(&reported(listing(&rows)).await, "acme").traffic,
        bytes(30)
    );
}

#[tokio::test]
async fn days_are_the_dates_on_which_the_cron_ran_and_add_up_to_the_month() {
    let on = |id: i64, day: Value, http: u64| {
        let mut row = row(id, 3, &json!(http));
        row["day"] = day;
        row
    };
    let rows = [
        on(1, json!("01"), 5),
        on(2, json!(3), 10),
        on(3, json!("03"), 20),
        on(4, json!("31"), 100),
        on(5, json!(null), 1000),
    ];
    let report = reported(listing(&rows)).await;
    let acme = of(&report, "acme");
    let days: Vec<(String, u64)> = acme
        .days
        .iter()
        .flatten()
        .map(|day| (day.date.to_string(), day.traffic.get()))
        .collect();
    assert_eq!(
        days,
        [("2026-11-01".to_owned(), 5), ("2026-11-03".to_owned(), 30)]
    );
    // There is no 31st of November; what has no day is still traffic of the month.
    assert_eq!(acme.traffic, bytes(1135));
    assert_eq!(report.refused.len(), 2);
    assert_eq!(of(&report, "gracehost").days, Some(Vec::new()));
}

#[tokio::test]
async fn traffic_of_nobody_who_is_listed_is_named_and_not_booked() {
    let rows = [
        row(1, 99, &json!(10)),
        json!({"id": 2}),
        row(3, 3, &json!(10)),
    ];
    let report = reported(listing(&rows)).await;
    assert_eq!(of(&report, "acme").traffic, bytes(10));
    let names: Vec<_> = report
        .refused
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["*", "#99"]);
}

#[tokio::test]
async fn rows_of_which_none_can_be_used_are_no_answer() {
    for rows in [
        vec![json!({"id": 1}), json!({"id": 2})],
        vec![row(1, 99, &json!(10))],
        vec![row(1, 3, &json!("5 GB")), row(2, 6, &json!(-1))],
    ] {
        let replay = Replay::of([
            ("Customers.listing", customers()),
            ("Traffic.listing", listing(&rows)),
        ]);
        let error = replay.driver.usage(november()).await.unwrap_err();
        assert!(matches!(error, PanelError::Transient(_)), "{error:?}");
    }
    let none_yet = reported(listing(&[])).await;
    assert_eq!(of(&none_yet, "acme").traffic, None);
}

#[tokio::test]
async fn a_server_without_customers_is_empty_and_says_so() {
    let empty = Replay::of([("Customers.listing", recorded("030"))]);
    let said = Replay::of([
        ("Customers.listing", customers()),
        ("Traffic.listing", recorded("095")),
    ]);
    for replay in [empty, said] {
        let report = replay.driver.usage(november()).await.unwrap();
        assert!(report.accounts.is_empty());
        assert_eq!(report.refused.len(), 1);
    }
}

#[tokio::test]
async fn one_account_is_asked_for_by_name() {
    let replay = Replay::of([
        ("Customers.get", recorded("252")),
        ("Traffic.listing", recorded("202")),
    ]);
    let report = replay.driver.usage_of(&acme(), november()).await.unwrap();
    assert_eq!(report.accounts.len(), 1);
    assert_eq!(
        of(&report, "acme").traffic,
        bytes(1_048_576 + 2_097_152 + 102_400 + 51_200 + 25_600)
    );
    let asked = json!({"customer_traffic": 1, "year": 2026, "month": 11, "loginname": "acme"});
    assert_eq!(replay.params("Traffic.listing"), asked);
}

#[tokio::test]
async fn an_account_that_is_gone_has_no_usage() {
    let gone = [
        ("Customers.get", recorded("083")),
        ("Traffic.listing", recorded("213")),
    ];
    let meanwhile = [
        ("Customers.get", recorded("076")),
        ("Traffic.listing", recorded("213")),
    ];
    for answers in [gone, meanwhile] {
        let replay = Replay::of(answers);
        let error = replay
            .driver
            .usage_of(&acme(), november())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "no_such_account");
    }
}

#[tokio::test]
async fn a_lost_listing_is_a_failed_read_whatever_it_says() {
    for answer in [
        recorded("249"),
        recorded("017"),
        recorded("155"),
        Canned::json("{\"data\": {\"list\": 5}}"),
    ] {
        let replay = Replay::of([
            ("Customers.listing", customers()),
            ("Traffic.listing", answer),
        ]);
        let error = replay.driver.usage(november()).await.unwrap_err();
        assert_eq!(error.class(), "transient", "{error:?}");
    }
}
