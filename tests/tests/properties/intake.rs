//! Taking jobs in, and paging through them.

use std::cell::Cell;
use std::collections::BTreeMap;

use jobs::JobSpec;
use jobs::store::{JobFilter, NewJob, Refusal, Target};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use scheduler::intake::JobRequest;
use serde_json::json;
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, job};

/// A request: its key, its body, and whether it comes in one batch with the one before.
type Request = (u8, u8, bool);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec((0..4_u8, 0..3_u8, any::<bool>()), 1..10)
}

/// Requests in the batches in which they come.
fn batches(requests: &[Request]) -> Vec<Vec<Request>> {
    let mut batches: Vec<Vec<Request>> = Vec::new();
    for request in requests {
        match batches.last_mut() {
            Some(batch) if request.2 => batch.push(*request),
            _ => batches.push(vec![*request]),
        }
    }
    batches
}

fn new_job(case: usize, (key, body, _): Request, server: i64, account: i64) -> NewJob {
    NewJob {
        idem_key: format!("{case}-{key}"),
        body_hash: format!("{body}").repeat(64),
        ..job(JobSpec::Unlock, Some(server), Target::Known(account))
    }
}

/// Property: however requests are repeated, alone or in batches, a key has one job; the same body gets
/// it again, another body is refused and leaves no row; and pages of any size show each job once.
#[test]
fn a_key_has_one_job_however_often_it_is_asked_for() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (world, database) = runtime.block_on(async {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        (World::new(&database).await, database)
    });
    let cases = Cell::new(0);
    let run = TestRunner::default().run(&(requests(), 1..4_u64), |(requests, page)| {
        let case = cases.get() + 1;
        cases.set(case);
        runtime.block_on(async {
            let account = world.account(&format!("acc{case}")).await;
            let mut first: BTreeMap<u8, (u8, String)> = BTreeMap::new();
            for batch in batches(&requests) {
                let jobs: Vec<NewJob> = batch
                    .iter()
                    .map(|r| new_job(case, *r, world.server, account))
                    .collect();
                let (answers, _) = world.store.submit(&jobs).await.expect("submitted");
                prop_assert_eq!(answers.len(), batch.len());
                for ((key, body, _), answer) in batch.into_iter().zip(answers) {
                    match (first.get(&key), answer) {
                        (None, Ok(taken)) => {
                            prop_assert!(taken.new);
                            first.insert(key, (body, taken.job.public_id));
                        }
                        (Some((same, id)), Ok(again)) => {
                            prop_assert!(!again.new && *same == body);
                            prop_assert_eq!(id, &again.job.public_id);
                        }
                        (Some((other, id)), Err(Refusal::KeyTaken(taken))) => {
                            prop_assert!(*other != body);
                            prop_assert_eq!(id, &taken);
                        }
                        (known, answer) => {
                            return Err(TestCaseError::fail(format!(
                                "{answer:?} for key {key} known as {known:?}"
                            )));
                        }
                    }
                }
            }
            let ids: Vec<i64> = pages(&world, account, page).await;
            prop_assert_eq!(ids.len(), first.len());
            prop_assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", ids);
            Ok(())
        })
    });
    run.expect("a key has one job");
    drop(database);
}

/// The account's jobs, page by page as the API's cursor does it.
async fn pages(world: &World, account: i64, size: u64) -> Vec<i64> {
    let mut ids: Vec<i64> = Vec::new();
    loop {
        let filter = JobFilter {
            account_id: Some(account),
            before: ids.last().copied(),
            limit: size,
            ..JobFilter::default()
        };
        let rows = world.store.jobs(&filter).await.expect("jobs");
        if rows.is_empty() {
            return ids;
        }
        ids.extend(rows.iter().map(|row| row.id));
    }
}

proptest! {
    #[test]
    fn a_request_is_read_whole_or_the_wrong_field_is_named(kind in "[a-z_]{1,12}", extra in "[a-z]{4,9}x", server in prop::option::of("[a-z0-9]{1,8}"), number in any::<i64>()) {
        let good = json!({"kind": kind, "server": server, "account": {"reference": "a:1"}});
        let read = JobRequest::parse(&good).expect("good");
        prop_assert_eq!((&read.kind, &read.server), (&kind, &server));
        let mut more = good.clone();
        more[&extra] = json!(number);
        let mut inner = good.clone();
        inner["account"][&extra] = json!(number);
        let mut typed = good;
        typed["account"]["domain"] = json!(number);
        for (body, field) in [(more, extra.clone()), (inner, format!("account.{extra}")), (typed, "account.domain".to_owned())] {
            let problem = JobRequest::parse(&body).expect_err("refused");
            prop_assert_eq!(&problem.errors[0].field, &field);
        }
    }
}
