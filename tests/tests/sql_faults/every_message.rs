//! The N-th thing that a process says to the database is lost, or its answer, for N = 1 to the end, over one
//! create and one terminate. The end is the N that does not come before both jobs are done.

use tests::proxy::{Count, Cut, Proxy};
use tests::servers::Kind;

use crate::ledger::Ledger;

#[derive(Debug, Clone, Copy)]
enum Way {
    Api,
    Worker,
}

impl Way {
    fn of(self, ledger: &Ledger) -> &Proxy {
        match self {
            Way::Api => &ledger.api_way,
            Way::Worker => &ledger.worker_way,
        }
    }
}

/// `stride` 1 = each message; a larger one leaves some out.
async fn every_message(kind: Kind, way: Way, count: Count, cut: Cut, stride: u64) {
    let mut ledger = Ledger::new(kind).await;
    let (mut nth, mut cuts) = (1, 0);
    loop {
        way.of(&ledger).cut(count, nth, cut);
        let (name, id) = ledger.create().await;
        ledger.succeeds(&id).await;
        let id = ledger.terminate(&name).await;
        ledger.succeeds(&id).await;
        if way.of(&ledger).disarm() {
            break;
        }
        cuts += 1;
        nth += stride;
    }
    println!("{kind:?}, {way:?}, {count:?}, {cut:?}: {cuts} of the first {nth} messages cut");
    assert!(cuts >= 10, "something was cut");
    ledger.end().await;
}

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident: $kind:ident, $way:ident, $count:ident, $cut:expr, $stride:literal;)*) => {$(
        $(#[$meta])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            every_message(Kind::$kind, Way::$way, Count::$count, $cut, $stride).await;
        }
    )*};
}

messages! {
    a_fifth_of_postgres_answers_to_a_workers_transactions_is_lost:
        Postgres, Worker, Transactions, Cut::Answer(0), 5;
    a_third_of_postgres_answers_to_the_apis_transactions_is_lost:
        Postgres, Api, Transactions, Cut::Answer(0), 3;
    #[ignore = "minutes: every answer to the worker's transactions"]
    every_answer_of_postgres_to_a_workers_transaction_is_lost:
        Postgres, Worker, Transactions, Cut::Answer(0), 1;
    #[ignore = "a minute: every answer to the API's transactions"]
    every_answer_of_postgres_to_the_apis_transaction_is_lost:
        Postgres, Api, Transactions, Cut::Answer(0), 1;
    #[ignore = "minutes: every message of the worker's transactions"]
    every_message_of_a_workers_transaction_to_postgres_is_lost:
        Postgres, Worker, Transactions, Cut::Message, 1;
    #[ignore = "half a minute: every message of the API's transactions"]
    every_message_of_the_apis_transaction_to_postgres_is_lost:
        Postgres, Api, Transactions, Cut::Message, 1;
    #[ignore = "minutes: every answer, on MariaDB"]
    every_answer_of_mariadb_to_a_workers_transaction_is_lost:
        MariaDb, Worker, Transactions, Cut::Answer(0), 1;
    #[ignore = "minutes: every answer cut in its middle, on MariaDB"]
    every_answer_of_mariadb_to_a_worker_is_cut_short:
        MariaDb, Worker, Transactions, Cut::Answer(3), 1;
    #[ignore = "minutes: every message, on MariaDB"]
    every_message_of_a_workers_transaction_to_mariadb_is_lost:
        MariaDb, Worker, Transactions, Cut::Message, 1;
    #[ignore = "half a minute: every answer to the API, on MariaDB"]
    every_answer_of_mariadb_to_the_apis_transaction_is_lost:
        MariaDb, Api, Transactions, Cut::Answer(0), 1;
    #[ignore = "minutes: what the worker says, also outside of transactions"]
    a_fifth_of_all_answers_of_postgres_to_a_worker_is_lost:
        Postgres, Worker, All, Cut::Answer(0), 5;
    #[ignore = "minutes: what the API says, also outside of transactions"]
    a_fifth_of_all_answers_of_postgres_to_the_api_is_lost:
        Postgres, Api, All, Cut::Answer(0), 5;
}
