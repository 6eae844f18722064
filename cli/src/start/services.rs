//! The services: the scheduler and the worker, alone or together in one process.

use std::sync::Arc;
use std::time::Duration;

use jobs::queue::{Doorbell, Health, WorkerOptions};
use jobs::seal::Keyring;
use jobs::store::Store;
use scheduler::cron::Retention;
use scheduler::{ReadyProbe, Scheduler, Serving, Tls};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use worker::webhook::HttpsSender;

use super::{Patience, Signals, doorbell, embedded_ledger, keyring, ledger};
use crate::config::{Settings, host_name, read_text};
use crate::error::Failure;
use crate::keys::Role;

/// What both services stand on.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) bell: Doorbell,
    pub(crate) keys: Arc<Keyring>,
    /// Marks this installation's accounts on panels.
    pub(crate) deployment: String,
}

impl Ground {
    /// For a role on a shared database; a database that is away is waited for.
    pub(crate) async fn shared(settings: &Settings, role: Role) -> Result<Self, Failure> {
        let keys = Arc::new(keyring(settings, role)?);
        let bell = doorbell(settings).await?;
        let store = ledger(settings, Patience::Endless).await?;
        Self::on(settings, store, bell, keys).await
    }

    async fn on(
        settings: &Settings,
        store: Store,
        bell: Doorbell,
        keys: Arc<Keyring>,
    ) -> Result<Self, Failure> {
        crate::keys::fit(&keys, &store).await?;
        let deployment = match settings.deployment.as_str() {
            "" => store.installation_name().await?,
            named => named.to_owned(),
        };
        Ok(Self {
            store,
            bell,
            keys,
            deployment,
        })
    }

    /// For everything in one process: makes its keys, and brings its own SQLite up to date.
    pub(crate) async fn embedded(settings: &Settings) -> Result<Self, Failure> {
        let keys = Arc::new(keyring(settings, Role::Everything)?);
        let bell = doorbell(settings).await?;
        let store = embedded_ledger(settings).await?;
        Self::on(settings, store, bell, keys).await
    }
}

/// Starts the API and what puts jobs in.
pub(crate) async fn scheduler(
    settings: &Settings,
    ground: &Ground,
    workers_ready: Option<ReadyProbe>,
    signals: &Signals,
) -> Result<Serving, Failure> {
    const MONTH: u64 = 30 * 86_400 + 43_200;
    let months = |count: u32| Duration::from_secs(MONTH * u64::from(count));
    let options = scheduler::Options {
        insecure_listen: settings.api.insecure_listen,
        tls: tls(settings)?,
        requests_a_second: settings.api.rate_per_second,
        retention: Retention {
            jobs: months(settings.retention.jobs_months),
            keys: months(settings.retention.keys_months),
            readings: months(settings.retention.readings_months),
            close_day: settings.stats.close_day,
            spread_minutes: settings.stats.spread_minutes,
            thresholds: settings.traffic.thresholds.clone(),
            suspend_at: Some(settings.traffic.suspend_at_percent).filter(|percent| *percent > 0),
        },
        metrics: super::metrics::recorder(),
        workers_ready,
        ..scheduler::Options::new(settings.api.listen)
    };
    Scheduler::start(
        options,
        ground.store.clone(),
        ground.bell.clone(),
        Arc::clone(&ground.keys),
        signals.asked(),
    )
    .await
    .map_err(|error| Failure::Usage(error.to_string()))
}

fn tls(settings: &Settings) -> Result<Option<Tls>, Failure> {
    let (Some(cert), Some(key)) = (&settings.api.tls_cert, &settings.api.tls_key) else {
        return Ok(None);
    };
    Ok(Some(Tls {
        certificates: read_text("api.tls_cert", cert)?.into_bytes(),
        key: SecretString::from(read_text("api.tls_key", key)?),
    }))
}

/// A worker that was started.
pub(crate) struct Working {
    task: JoinHandle<()>,
    health: Arc<Health>,
}

impl Working {
    /// Whether its loop looks for jobs, for `/readyz`.
    pub(crate) fn probe(&self) -> ReadyProbe {
        let health = Arc::clone(&self.health);
        Arc::new(move || health.is_well())
    }

    /// Waits until it has ended after its shutdown.
    pub(crate) async fn ended(self) -> Result<(), Failure> {
        self.task
            .await
            .map_err(|error| Failure::work(format!("the worker ended in a panic: {error}")))
    }
}

/// Starts what takes jobs out.
pub(crate) fn worker(
    settings: &Settings,
    ground: &Ground,
    signals: &Signals,
) -> Result<Working, Failure> {
    let pace = settings.pace()?;
    let ca = settings
        .worker
        .webhook_ca
        .as_ref()
        .map(|file| read_text("worker.webhook_ca", file))
        .transpose()?;
    let webhooks = HttpsSender::new(settings.worker.webhook_networks.clone(), ca)
        .map_err(|error| Failure::usage("worker.webhook_ca", error.to_string()))?;
    let health = Arc::new(Health::default());
    let options = worker::Options {
        loop_options: WorkerOptions {
            name: worker_name(),
            concurrency: settings.worker.concurrency,
            poll_every: pace.of(Duration::from_secs(u64::from(settings.worker.poll_seconds))),
            grace: Duration::from_secs(u64::from(settings.worker.grace_seconds)),
        },
        store: ground.store.clone(),
        doorbell: ground.bell.clone(),
        keyring: Arc::clone(&ground.keys),
        webhooks: Arc::new(webhooks),
        deployment: ground.deployment.clone(),
        health: Arc::clone(&health),
    };
    let task = tokio::spawn(worker::start(options, signals.asked()));
    Ok(Working { task, health })
}

/// No two workers have the same, whatever configuration and host they share.
fn worker_name() -> String {
    let (host, process) = (host_name(), std::process::id());
    format!("{host}-{process}-{:08x}", rand::random::<u32>())
}

/// Both in this process.
pub(crate) struct Everything {
    pub(crate) serving: Serving,
    working: Working,
}

impl Everything {
    /// Starts both on the same ground.
    pub(crate) async fn start(
        settings: &Settings,
        ground: &Ground,
        signals: &Signals,
    ) -> Result<Self, Failure> {
        let working = worker(settings, ground, signals)?;
        let serving = scheduler(settings, ground, Some(working.probe()), signals).await?;
        Ok(Self { serving, working })
    }

    /// Waits until both have ended after their shutdown.
    pub(crate) async fn ended(self) -> Result<(), Failure> {
        self.serving.ended().await;
        self.working.ended().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_one_host_and_process_number_have_different_names() {
        // Process numbers start at one in every container.
        assert_ne!(worker_name(), worker_name());
    }
}
