//! The books of traffic by the command line, as an operator keeps them: read, correct, close, take what came
//! late, open again, verify.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hosting::Month;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use simulator::{Options, PanelKind, Simulator};
use tests::installation::{Installation, Role};
use tests::servers::{Kind, TestDatabase};
use tests::stand::Stand;

fn this_month(panel: &Simulator) -> Month {
    panel.month().parse().unwrap()
}

/// A server with one account that is older than our knowing it.
struct Books {
    database: TestDatabase,
    installation: Installation,
    panel: Simulator,
    _worker: Role,
    account: String,
    month: String,
}

impl Books {
    async fn open() -> Self {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let installation = Installation::new(&database, None, 0.02);
        let options = Options {
            accounts: 1,
            ..Options::new(PanelKind::Cpanel)
        };
        let panel = simulator::start(options).await.unwrap();
        installation.add_server("web1", "cpanel", &panel);
        let worker = installation.start(&["worker"], "jobs at one time").await;
        installation.hostler(&["account", "import", "--server", "web1"]);
        Self {
            account: panel.accounts()[0].username.clone(),
            // One that can be closed.
            month: this_month(&panel).previous().to_string(),
            database,
            installation,
            panel,
            _worker: worker,
        }
    }

    /// Lets the panel say so much of the month, and reads it.
    fn read(&self, bytes: u64) {
        assert!(self.panel.set_traffic(&self.account, &self.month, bytes));
        let sync = ["traffic", "sync", "--server", "web1", "--wait", "--month"];
        let sync = [&sync[..], &[&self.month]].concat();
        self.installation.hostler(&sync);
    }

    /// What the command says with `--json`, and its exit code. `MONTH` stands for the month, `NAME` for the
    /// account's.
    fn says(&self, line: &str) -> (i32, Value) {
        let line = line.replace("MONTH", &self.month);
        let line = line.replace("NAME", &self.account);
        let words = ["--json", "traffic"].into_iter().chain(line.split(' '));
        let said = self.installation.try_hostler(&words.collect::<Vec<_>>());
        let value = match said.code {
            2 => json!(said.err),
            _ => said.json(),
        };
        (said.code, value)
    }

    /// What the command says must be this.
    fn is(&self, line: &str, wanted: &Value) {
        let (code, said) = self.says(line);
        assert_eq!((code, &said), (0, wanted), "{line}");
    }

    /// The command must refuse, with these words.
    fn refuses(&self, line: &str, words: &str) {
        let (code, said) = self.says(line);
        let said = said.as_str().unwrap_or_default();
        assert!(code == 2 && said.contains(words), "{line}: {code} {said}");
    }

    fn shown(&self) -> Value {
        self.says("show --month MONTH").1[0].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_corrected_closed_and_opened_again() {
    let books = Books::open().await;
    books.read(1_000);
    assert_eq!(books.shown()["traffic_bytes"], 1_000);

    books.refuses(
        "correct NAME --month MONTH --bytes 5 --reason r",
        "with its sign",
    );
    books.refuses(
        "correct NAME --month MONTH --bytes -1001 --reason r",
        "between 0 and",
    );
    books.refuses(
        "correct nobody --month MONTH --bytes +5 --reason r",
        "nobody",
    );
    books.refuses("accept NAME --month MONTH --reason r", "nothing to accept");
    let id = books.shown()["account_id"].clone();
    let corrected = |delta: i64, total: i64| {
        json!({
            "account_id": &id, "month": &books.month, "delta_bytes": delta, "total_bytes": total,
        })
    };
    books.is(
        "correct NAME --month MONTH --bytes -400 --reason backup",
        &corrected(-400, 600),
    );

    books.is(
        "close --month MONTH",
        &json!([{ "server": "web1", "closed": 1 }]),
    );
    books.is(
        "close --month MONTH",
        &json!([{ "server": "web1", "closed": 0 }]),
    );
    books.read(1_500);
    let late = books.shown();
    assert_eq!(
        (&late["traffic_bytes"], &late["late_bytes"]),
        (&json!(600), &json!(500))
    );
    books.is(
        "accept NAME --month MONTH --reason late",
        &corrected(500, 1_100),
    );

    books.read(1_700);
    books.refuses(
        "reopen --month MONTH --server elsewhere --reason r",
        "elsewhere",
    );
    books.is(
        "reopen --month MONTH --server web1 --reason late",
        &json!([{ "server": "web1", "reopened": 1 }]),
    );
    let open = books.shown();
    assert_eq!(
        (&open["traffic_bytes"], &open["closed_at"]),
        (&json!(1_300), &Value::Null)
    );
    let (code, verified) = books.says("verify --month MONTH");
    assert_eq!(
        (code, &verified["violations"]),
        (0, &json!(0)),
        "{verified}"
    );
    assert_eq!(verified["months"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_runs_is_not_closed() {
    let books = Books::open().await;
    let month = this_month(&books.panel);
    books.refuses(
        &format!("close --month {month}"),
        "is not over on server web1",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_ends_with_one_when_the_books_are_wrong() {
    let books = Books::open().await;
    books.read(1_000);
    let store = books.database.store().await;
    let tamper = "UPDATE usage_month SET total_bytes = total_bytes + 1";
    let writer = store.writer_connection();
    writer.execute_unprepared(tamper).await.unwrap();
    let (code, said) = books.says("verify");
    assert_eq!(code, 1);
    assert_eq!(said["violations"], said["found"].as_array().unwrap().len());
    assert_eq!(said["found"][0]["month"], json!(books.month), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nights_are_shown_server_by_server() {
    let stand = Stand::new(
        &[("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)],
        &[],
    )
    .await;
    let said = stand
        .installation
        .hostler(&["--json", "traffic", "nights"])
        .json();
    let names: Vec<&Value> = said
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["server"])
        .collect();
    assert_eq!(names, ["web1", "web2"]);
    let one = ["traffic", "nights", "--server", "web2"];
    let said = stand.installation.hostler(&one);
    assert!(
        said.out.contains("web2") && !said.out.contains("web1"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("servers have ended their last night"),
        "{}",
        said.out
    );
    let unknown = ["traffic", "nights", "--server", "web9"];
    assert_eq!(stand.installation.try_hostler(&unknown).code, 2);
    stand.end().await;
}
