//! Taking a server away.

use entity::{account, job, server};
use jobs::store::{Audience, Cancelled, JobFilter, Pause, Ring, Store};
use jobs::{AccountState, JobState};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::RegistryError;
use super::servers::{owner, server_named};

/// What became of a removal.
#[derive(Debug)]
pub enum Removed {
    /// It is gone; its history stays.
    Done {
        /// How many waiting jobs were cancelled.
        cancelled: usize,
    },
    /// Jobs are running on it. It is paused, what waited is cancelled, its secrets are wiped: call
    /// again when they have ended.
    StillRunning {
        /// How many waiting jobs were cancelled.
        cancelled: usize,
        /// How many run.
        running: usize,
    },
}

/// Removes one. Refused while it has live accounts or unfinished jobs; `force` cancels what waits,
/// wipes its secrets at once, and ends when nothing runs on it any more. Returns also what to ring.
///
/// # Errors
/// [`RegistryError::InUse`], [`RegistryError::NotFound`], or the ledger's.
pub async fn remove_server(
    store: &Store,
    name: &str,
    actor: &str,
    force: bool,
) -> Result<(Removed, Vec<Ring>), RegistryError> {
    let row = server_named(store, name).await?;
    let (accounts, unfinished) = in_use(store, row.id).await?;
    if !force && (accounts > 0 || unfinished > 0) {
        return Err(RegistryError::InUse(format!(
            "server {name} has {accounts} live accounts and {unfinished} unfinished jobs; --force cancels the jobs that wait and forgets the accounts"
        )));
    }
    let mut rings = Vec::new();
    let mut cancelled = 0;
    if unfinished > 0 {
        let pause = Pause {
            reason: Some("being removed".to_owned()),
            ..Pause::default()
        };
        store.pause_server(row.id, &pause).await?;
        (cancelled, rings) = cancel_waiting(store, row.id, actor).await?;
    }
    store.wipe_secrets(&owner(row.id), Audience::Worker).await?;
    let running = in_use(store, row.id).await?.1;
    if running > 0 {
        let running = usize::try_from(running).unwrap_or(usize::MAX);
        return Ok((Removed::StillRunning { cancelled, running }, rings));
    }
    let now = store.now().await?;
    server::Entity::update_many()
        .col_expr(server::Column::RemovedAt, Expr::value(now))
        .col_expr(server::Column::LiveName, Expr::value(None::<String>))
        .col_expr(server::Column::Enabled, Expr::value(false))
        .filter(server::Column::Id.eq(row.id))
        .exec(store.writer_connection())
        .await?;
    Ok((Removed::Done { cancelled }, rings))
}

/// Live accounts and unfinished jobs of a server.
async fn in_use(store: &Store, server_id: i64) -> Result<(u64, u64), RegistryError> {
    let live = [
        AccountState::Requested,
        AccountState::Importing,
        AccountState::Provisioning,
        AccountState::Active,
        AccountState::Suspended,
    ]
    .map(AccountState::name);
    let accounts = account::Entity::find()
        .filter(account::Column::ServerId.eq(server_id))
        .filter(account::Column::State.is_in(live))
        .count(store.writer_connection())
        .await?;
    let jobs = job::Entity::find()
        .filter(job::Column::ServerId.eq(server_id))
        .filter(job::Column::State.is_in(UNFINISHED.map(JobState::name)))
        .count(store.writer_connection())
        .await?;
    Ok((accounts, jobs))
}

const UNFINISHED: [JobState; 4] = [
    JobState::Queued,
    JobState::Running,
    JobState::Retrying,
    JobState::Held,
];

async fn cancel_waiting(
    store: &Store,
    server_id: i64,
    actor: &str,
) -> Result<(usize, Vec<Ring>), RegistryError> {
    let mut rings = Vec::new();
    let mut cancelled = 0;
    let mut filter = JobFilter {
        states: vec![JobState::Queued, JobState::Retrying, JobState::Held],
        servers: Some(vec![server_id]),
        limit: 500,
        ..JobFilter::default()
    };
    loop {
        let rows = store.jobs(&filter).await?;
        let Some(last) = rows.last() else {
            return Ok((cancelled, rings));
        };
        filter.before = Some(last.id);
        for row in rows {
            let (what, more) = store
                .cancel(row.id, actor, Some("its server is removed"))
                .await?;
            cancelled += usize::from(what == Cancelled::Done);
            rings.extend(more);
        }
    }
}
