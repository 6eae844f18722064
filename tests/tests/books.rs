//! The books of traffic on all three databases: what operators correct, and that `verify` finds whatever must
//! not stand there.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use entity::{usage_ledger, usage_month};
use hosting::Month;
use jobs::store::{Books, By, Correction, Store, Violation};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement};
use tests::on_every_database;
use tests::world::World;

const BY: By<'static> = By {
    actor: "operator:ann",
    reason: "a mirror was set up by us",
};

fn month() -> Month {
    "2026-11".parse().expect("a month")
}

async fn sql(store: &Store, text: &str) {
    let connection = store.writer_connection();
    let statement = Statement::from_string(connection.get_database_backend(), text);
    connection.execute_raw(statement).await.expect(text);
}

/// A month with two bookings, 100 and 50, made long before it is looked at.
async fn booked(world: &World, name: &str) -> i64 {
    let account = world.account(name).await;
    let server = world.server;
    for (id, delta, total) in [(1, 100, 100), (2, 50, 150)] {
        let reading = account * 10 + id;
        sql(&world.store, &format!(
            "INSERT INTO usage_reading (id, server_id, account_id, username, month, traffic_bytes, read_at, job_id, fence) \
             VALUES ({reading}, {server}, {account}, '{name}', '2026-11', {total}, 5, 1, 1)"
        )).await;
        sql(&world.store, &format!(
            "INSERT INTO usage_ledger (account_id, month, entry, delta_bytes, total_bytes, reading_id, actor, booked_at) \
             VALUES ({account}, '2026-11', 'delta', {delta}, {total}, {reading}, 'nightly', 5)"
        )).await;
    }
    sql(&world.store, &format!(
        "INSERT INTO usage_month (account_id, month, server_id, total_bytes, last_raw, epoch, resets, late_bytes, as_of) \
         VALUES ({account}, '2026-11', {server}, 150, 150, 0, 0, 0, 5)"
    )).await;
    account
}

async fn row(world: &World, account: i64) -> usage_month::Model {
    usage_month::Entity::find_by_id((account, month().to_string()))
        .one(world.store.reader())
        .await
        .expect("answered")
        .expect("a month")
}

async fn lines(world: &World) -> Vec<usage_ledger::Model> {
    usage_ledger::Entity::find()
        .order_by_asc(usage_ledger::Column::Id)
        .all(world.store.reader())
        .await
        .expect("answered")
}

async fn found(world: &World) -> Vec<Violation> {
    let mut wrong = Vec::new();
    let books = Books::default();
    let verified = world
        .store
        .verify_books(books, |violation| wrong.push(violation))
        .await;
    assert_eq!(
        verified.expect("answered").violations,
        u64::try_from(wrong.len()).expect("a count")
    );
    wrong
}

fn booked_by(delta_bytes: i64, total_bytes: i64) -> Correction {
    Correction::Booked {
        delta_bytes,
        total_bytes,
    }
}

fn field(correction: &Correction) -> &'static str {
    match correction {
        Correction::Refused { field, .. } => field,
        Correction::Booked { .. } => "booked",
    }
}

on_every_database! {
    async fn a_correction_is_a_line_with_who_and_why(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = booked(&world, "acme").await;
        let store = &world.store;
        let correct = async |bytes| store.correct_month(account, month(), bytes, BY).await.expect("answered");
        assert_eq!(correct(-30).await, booked_by(-30, 120));
        assert_eq!(correct(10).await, booked_by(10, 130));
        assert_eq!(field(&correct(-131).await), "bytes");
        assert_eq!(field(&correct(0).await), "bytes");
        assert_eq!(field(&correct(i64::MAX).await), "bytes");
        let other = store.correct_month(account, month().next(), 5, BY).await.expect("answered");
        assert_eq!(field(&other), "month");
        let silent = By { reason: "  ", ..BY };
        let silent = store.correct_month(account, month(), 5, silent).await.expect("answered");
        assert_eq!(field(&silent), "reason");
        let after = row(&world, account).await;
        assert_eq!((after.total_bytes, after.corrected_bytes), (130, -20));
        let last = lines(&world).await.pop().expect("a line");
        assert_eq!((last.entry.as_str(), last.actor.as_str(), last.note.as_deref()), ("correction", BY.actor, Some(BY.reason)));
        assert_eq!(found(&world).await, []);
    }

    async fn a_flagged_drop_and_late_bytes_can_be_accepted_and_nothing_else(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = booked(&world, "acme").await;
        let store = &world.store;
        let accept = async || store.accept_month(account, month(), BY).await.expect("answered");
        assert_eq!(field(&accept().await), "month");
        sql(store, "UPDATE usage_month SET flag = 'implausible', flagged_raw = 7").await;
        assert_eq!(field(&accept().await), "month");
        store.correct_month(account, month(), 5, BY).await.expect("answered");
        sql(store, "UPDATE usage_month SET flag = 'drop', flagged_raw = 60, last_raw = 60").await;
        assert_eq!(accept().await, booked_by(-90, 65));
        assert_eq!(field(&accept().await), "month");
        sql(store, "UPDATE usage_month SET closed_at = 9, late_bytes = 40").await;
        assert_eq!(accept().await, booked_by(40, 105));
        let after = row(&world, account).await;
        assert_eq!((after.total_bytes, after.late_bytes, after.corrected_bytes, after.flag), (105, 0, 5, None));
        assert_eq!(found(&world).await, []);
    }

    async fn a_month_that_is_opened_again_books_what_came_late(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bolt) = (booked(&world, "acme").await, booked(&world, "bolt").await);
        sql(&world.store, "UPDATE usage_month SET closed_at = 9").await;
        sql(&world.store, &format!("UPDATE usage_month SET late_bytes = 25 WHERE account_id = {acme}")).await;
        let server = world.server;
        let silent = By { reason: "", ..BY };
        world.store.reopen_month(server, month(), silent).await.expect_err("no reason");
        assert_eq!(world.store.reopen_month(server, month(), BY).await.expect("opened"), 2);
        assert_eq!(world.store.reopen_month(server, month(), BY).await.expect("opened"), 0);
        let (acme, bolt) = (row(&world, acme).await, row(&world, bolt).await);
        assert_eq!((acme.total_bytes, acme.late_bytes, acme.closed_at), (175, 0, None));
        assert_eq!((bolt.total_bytes, bolt.closed_at), (150, None));
        let entries = lines(&world).await;
        assert_eq!(entries.iter().filter(|line| line.entry == "reopened").count(), 2);
        assert_eq!(entries.iter().filter(|line| line.entry == "correction").count(), 1);
        assert_eq!(found(&world).await, []);
    }

    async fn verify_finds_each_thing_that_must_not_stand_in_the_books(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = booked(&world, "acme").await;
        let bolt = booked(&world, "bolt").await;
        assert_eq!(found(&world).await, []);
        let day = 86_400_000_i64;
        let (before, after) = (1_793_491_200_000 - 3 * day, 1_796_083_200_000 + 3 * day);
        let line = |delta: i64, total: i64| format!(
            "INSERT INTO usage_ledger (account_id, month, entry, delta_bytes, total_bytes, actor, booked_at) \
             VALUES ({account}, '2026-11', 'delta', {delta}, {total}, 'x', 5)"
        );
        let last = lines(&world).await[1].id;
        let plants: Vec<(&str, Vec<String>)> = vec![
            ("sum", vec!["UPDATE usage_month SET total_bytes = 151".into()]),
            ("sum", vec![line(5, 155)]),
            ("running_sum", vec![format!("UPDATE usage_ledger SET total_bytes = 149 WHERE id = {last}")]),
            ("corrected_sum", vec!["UPDATE usage_month SET corrected_bytes = 1".into()]),
            ("late_in_open_month", vec!["UPDATE usage_month SET late_bytes = 1".into()]),
            ("changed_after_closing", vec![
                "UPDATE usage_month SET closed_at = 10".into(),
                format!("UPDATE usage_ledger SET booked_at = 100000 WHERE id = {last}"),
            ]),
            ("foreign_reading", vec![format!("UPDATE usage_ledger SET reading_id = {} WHERE id = {last}", bolt * 10 + 2)]),
            ("foreign_reading", vec![format!("UPDATE usage_reading SET month = '2026-10' WHERE account_id = {account}")]),
            ("reading_twice", vec![format!("UPDATE usage_ledger SET reading_id = {} WHERE id = {last}", account * 10 + 1)]),
            ("no_month", vec![format!("DELETE FROM usage_month WHERE account_id = {account}")]),
            ("no_account", vec![format!("UPDATE account SET id = 9999 WHERE id = {account}")]),
            ("other_server", vec![format!("UPDATE account SET server_id = 9999 WHERE id = {account}")]),
            ("after_it_was_terminated", vec![format!("UPDATE account SET terminated_at = {before} WHERE id = {account}")]),
            ("before_it_was_made", vec![
                format!("UPDATE account SET created_at = {after} WHERE id = {account}"),
                "UPDATE job SET kind = 'create', state = 'succeeded'".into(),
            ]),
        ];
        world.put(account, jobs::JobSpec::Unlock).await;
        for (rule, plant) in plants {
            let all = Books::default();
            for text in &plant {
                sql(&world.store, text).await;
            }
            let rules: BTreeSet<&str> = found(&world).await.iter().map(|one| one.rule).collect();
            assert!(rules.contains(rule), "{rule} after {plant:?}: {rules:?}");
            let named = Books { month: Some(month().next()), ..all };
            let elsewhere = world.store.verify_books(named, |_| {}).await.expect("answered");
            assert_eq!((elsewhere.months, elsewhere.violations), (0, 0));
            restore(&world, account, bolt, last).await;
            assert_eq!(found(&world).await, [], "after {rule} was put right");
        }
    }
}

/// Puts right what a plant has broken.
async fn restore(world: &World, account: i64, bolt: i64, last: i64) {
    let server = world.server;
    for text in [
        "DELETE FROM usage_ledger WHERE actor = 'x'".to_owned(),
        format!("UPDATE usage_ledger SET total_bytes = 150, booked_at = 5, reading_id = {} WHERE id = {last}", account * 10 + 2),
        "UPDATE usage_reading SET month = '2026-11'".to_owned(),
        "UPDATE usage_month SET total_bytes = 150, corrected_bytes = 0, late_bytes = 0, closed_at = NULL".to_owned(),
        format!("UPDATE account SET id = {account} WHERE id = 9999"),
        format!("UPDATE account SET server_id = {server}, terminated_at = NULL, created_at = 0 WHERE id IN ({account}, {bolt})"),
        format!("DELETE FROM usage_month WHERE account_id = {account}"),
        format!(
            "INSERT INTO usage_month (account_id, month, server_id, total_bytes, last_raw, epoch, resets, late_bytes, as_of) \
             VALUES ({account}, '2026-11', {server}, 150, 150, 0, 0, 0, 5)"
        ),
    ] {
        sql(&world.store, &text).await;
    }
}
