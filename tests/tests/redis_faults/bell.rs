//! A scheduler and a worker that share a Redis of the test's own, and a panel that keeps count.

use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Value};
use simulator::{Fault, Options, PanelKind, Reply, Simulator, overlapping};
use tests::client::Client;
use tests::installation::{Installation, Role, free_port};
use tests::proxy::Proxy;
use tests::servers::{Kind, Redis, TestDatabase};
use tests::stand::{assert_no_panic, create};

const PACE: f64 = 0.02;
/// Distinct enough to be found in any output.
pub(crate) const PASSWORD: &str = "Rd1-Pa55word-Planted";
/// No more than the operators' page says that Hostler needs: no EVAL, and keys of its own prefix alone.
const RIGHTS: &str = "~{hostler}:* &{hostler}:* +rpush +llen +blmpop +publish +subscribe +info";

/// See the module.
pub(crate) struct Bell {
    pub(crate) redis: Redis,
    pub(crate) proxy: Proxy,
    pub(crate) client: Client,
    pub(crate) database: TestDatabase,
    pub(crate) panel: Simulator,
    roles: [Role; 2],
    begun: Instant,
    created: usize,
}

impl Bell {
    pub(crate) async fn new() -> Self {
        let begun = Instant::now();
        let user = format!("hostler on >{PASSWORD} {RIGHTS}");
        let words: Vec<&str> = ["--user"].into_iter().chain(user.split(' ')).collect();
        let redis = Redis::start_with(&words).unwrap();
        let proxy = Proxy::before(redis.port()).await;
        let url = format!("redis://hostler:{PASSWORD}@127.0.0.1:{}/", proxy.port());
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let installation = Installation::new(&database, Some(url), PACE);
        let panel = simulator::start(Options::new(PanelKind::Cpanel))
            .await
            .unwrap();
        installation.add_server("web1", "cpanel", &panel);
        let token = installation.token(&["create", "change", "read", "operate"]);
        let listen = format!("127.0.0.1:{}", free_port());
        let args = ["scheduler", "--listen", &listen];
        let scheduler = installation.start(&args, "listening on").await;
        let worker = installation.start(&["worker"], "jobs at one time").await;
        Self {
            redis,
            proxy,
            client: Client::new(format!("http://{listen}"), &token),
            database,
            panel,
            roles: [scheduler, worker],
            begun,
            created: 0,
        }
    }

    /// Redis as its administrator sees it.
    pub(crate) async fn admin(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.redis.url()).unwrap();
        // A hundred megabytes take their time.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        client
            .get_multiplexed_async_connection_with_config(&patient)
            .await
            .unwrap()
    }

    /// Runs a command given as one line.
    pub(crate) async fn command(&self, line: &str) -> Value {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query_async(&mut self.admin().await).await.unwrap()
    }

    /// Accounts named after that round (at most five letters) are asked for; each request is answered with 202.
    pub(crate) async fn submit(&mut self, round: &str, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            // The first eight characters of a name must differ.
            let name = format!("{round}{:03}", self.created);
            ids.push(self.client.submit(&name, &create("web1", &name)).await);
            self.created += 1;
        }
        ids
    }

    /// The next creates take a while on the panel.
    pub(crate) fn slow(&self, calls: usize) {
        let late = Fault::on("createacct").reply(Reply::Late { ms: 1_500 });
        self.panel.faults().add(late.times(calls as u64));
    }

    /// How many requests to make an account the panel has had.
    pub(crate) fn calls(&self) -> usize {
        let requests = self.panel.requests();
        requests
            .iter()
            .filter(|seen| seen.call == "createacct")
            .count()
    }

    pub(crate) async fn all_succeed(&self, ids: &[String]) {
        for id in ids {
            let job = self.client.settled(id).await;
            assert_eq!(job["state"], "succeeded", "{job}");
        }
    }

    /// A round of accounts that are made, whatever is wrong.
    pub(crate) async fn round(&mut self, round: &str) {
        let ids = self.submit(round, 4).await;
        self.all_succeed(&ids).await;
    }

    /// Whether the API process says that its rings get through.
    pub(crate) async fn is_up(&self) -> bool {
        let (status, ready) = self.client.get("/readyz").await;
        assert_eq!(
            status, 200,
            "a doorbell that is away is no failure: {ready}"
        );
        ready["doorbell"] == "up"
    }

    /// Rings until a ring gets through.
    pub(crate) async fn is_up_again(&mut self, round: &str) {
        while !self.is_up().await {
            let ids = self.submit(round, 1).await;
            self.all_succeed(&ids).await;
        }
    }

    pub(crate) fn scheduler(&mut self) -> &mut Role {
        &mut self.roles[0]
    }

    /// Ends it all and looks at what was said and done.
    pub(crate) async fn end(mut self) {
        for role in &mut self.roles {
            let code = role.stop().await;
            assert_no_panic(role);
            let said = role.said();
            assert_eq!(code, 0, "{said:#?}");
            assert!(
                !said.iter().any(|line| line.contains(PASSWORD)),
                "{said:#?}"
            );
            let warnings: Vec<_> = said
                .iter()
                .filter(|line| line.contains("WARN") && line.contains("Redis"))
                .collect();
            let most = self.begun.elapsed().as_secs() / 10 + 1;
            assert!(warnings.len() as u64 <= most, "{most}: {warnings:#?}");
        }
        assert_eq!(self.panel.accounts().len(), self.created);
        assert_eq!(self.calls(), self.created, "no call was made twice");
        assert_eq!(overlapping(&self.panel.ledger()), []);
    }
}
