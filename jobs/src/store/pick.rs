//! Finding jobs that may be claimed: for the timers, the top-up, and freed slots.
//!
//! None of this decides anything: a claim looks again under the gate's lock.

use entity::{job, server};
use sea_orm::sea_query::{Alias, Expr, Order, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
};

use super::claim::running;
use super::gate::{Room, closed};
use super::{Ring, Store, StoreError};
use crate::faults::Bug;
use crate::{JobKind, Lane, PAYLOAD_VERSION};

/// Servers asked for in one statement; each has up to two branches, and SQLite takes 500.
const BRANCHES: usize = 100;

impl Store {
    /// At most `limit` jobs of that lane that could be claimed now: due, ready, and their server has room.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pick(&self, lane: Lane, limit: u64) -> Result<Vec<Ring>, StoreError> {
        if limit == 0 || Bug::RingsAlone.is_on() {
            return Ok(Vec::new());
        }
        let now = self.clock(&self.read).await?;
        let mut found = self.ready_without_server(lane, now, limit).await?;
        let servers = self.servers_with(ready_there(lane, now)).await?;
        let open: Vec<Places> = self.places(&servers, lane, now).await?;
        for chunk in open.chunks(BRANCHES) {
            if found.len() as u64 >= limit {
                break;
            }
            found.extend(ready_on(&self.read, chunk, lane, now).await?);
        }
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// What could take the slots that were freed on these servers, interactive first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_on(&self, servers: &[i64]) -> Result<Vec<Ring>, StoreError> {
        if servers.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock(&self.read).await?;
        let rows = server::Entity::find()
            .filter(server::Column::Id.is_in(servers.iter().copied()))
            .all(&self.read)
            .await?;
        let mut rings = Vec::new();
        for lane in [Lane::Interactive, Lane::Bulk] {
            for chunk in self.places(&rows, lane, now).await?.chunks(BRANCHES) {
                rings.extend(ready_on(&self.read, chunk, lane, now).await?);
            }
        }
        Ok(rings)
    }

    /// Servers for which that query finds a job, by id. It is asked once for each of them, in one statement: of
    /// a thousand servers few have something to do, and to ask more than that of the others is slow.
    async fn servers_with(&self, job: SelectStatement) -> Result<Vec<server::Model>, DbErr> {
        server::Entity::find()
            .filter(server::Column::RemovedAt.is_null())
            .filter(Expr::from(job).is_not_null())
            .order_by_asc(server::Column::Id)
            .all(&self.read)
            .await
    }

    /// Servers whose gate is open, with the places left. A closed gate still lets connection checks
    /// through, so it counts one interactive place when one waits (they are rare).
    async fn places(
        &self,
        servers: &[server::Model],
        lane: Lane,
        now: i64,
    ) -> Result<Vec<Places>, DbErr> {
        let open: Vec<&server::Model> = servers
            .iter()
            .filter(|server| closed(server, JobKind::Create, now).is_none())
            .collect();
        let ids: Vec<i64> = open.iter().map(|server| server.id).collect();
        let counts = running(&self.read, &ids).await?;
        let places = open.iter().map(|server| {
            let running = counts.get(&server.id).map_or(&[][..], Vec::as_slice);
            Places::of(server.id, &Room::of(server, running), lane)
        });
        Ok(places.filter(|places| places.all > 0).collect())
    }

    async fn ready_without_server(
        &self,
        lane: Lane,
        now: i64,
        limit: u64,
    ) -> Result<Vec<Ring>, DbErr> {
        let on = Condition::all().add(job::Column::ServerId.is_null());
        let rows = self.read.query_all(&ready(on, lane, now, limit)).await?;
        rows.into_iter()
            .map(|row| {
                Ok(Ring {
                    job_id: row.try_get("", "id")?,
                    lane,
                })
            })
            .collect()
    }

    /// Connection checks that wait on servers whose gate is closed to everything else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pick_checks(&self) -> Result<Vec<Ring>, StoreError> {
        let now = self.clock(&self.read).await?;
        let ready = ready_there(Lane::Interactive, now);
        let servers = self.servers_with(ready).await?;
        let shut: Vec<i64> = servers
            .iter()
            .filter(|server| closed(server, JobKind::Create, now).is_some())
            .map(|server| server.id)
            .collect();
        if shut.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<job::Model> = job::Entity::find()
            .filter(job::Column::ServerId.is_in(shut))
            .filter(job::Column::ReadyLane.eq(Lane::Interactive.number()))
            .filter(job::Column::DueAt.lte(now))
            .filter(job::Column::Kind.eq(JobKind::CheckConnection.name()))
            .all(&self.read)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Ring {
                job_id: row.id,
                lane: Lane::Interactive,
            })
            .collect())
    }
}

/// The jobs that have waited longest on these servers, as many as they have room for.
pub(super) async fn ready_on(
    connection: &impl ConnectionTrait,
    servers: &[Places],
    lane: Lane,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    let mut branches = servers
        .iter()
        .flat_map(Places::branches)
        .map(|(on, limit)| ready(on, lane, now, limit));
    let Some(mut statement) = branches.next() else {
        return Ok(Vec::new());
    };
    for branch in branches {
        statement.union(UnionType::All, branch);
    }
    let rows = connection.query_all(&statement).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Ring {
                job_id: row.try_get("", "id")?,
                lane,
            })
        })
        .collect()
}

/// What a server has room for.
pub(super) struct Places {
    server_id: i64,
    all: u64,
    for_creates: u64,
}

impl Places {
    pub(super) fn of(server_id: i64, room: &Room, lane: Lane) -> Self {
        let all = room.places(lane);
        let for_creates = match lane {
            Lane::Interactive => room.places_for_creates(),
            Lane::Bulk => all,
        };
        Self {
            server_id,
            all,
            for_creates,
        }
    }

    /// What to look for, and how many. Creates that have no place must not stand before others that have.
    fn branches(&self) -> Vec<(Condition, u64)> {
        let on = Condition::all().add(job::Column::ServerId.eq(self.server_id));
        if self.for_creates >= self.all {
            return vec![(on, self.all)];
        }
        let create = JobKind::Create.name();
        let others = on.clone().add(job::Column::Kind.ne(create));
        let mut branches = vec![(others, self.all)];
        if self.for_creates > 0 {
            branches.push((on.add(job::Column::Kind.eq(create)), self.for_creates));
        }
        branches
    }
}

/// `SELECT id FROM (SELECT id FROM job WHERE .. ORDER BY due_at, id LIMIT n)`: the sub-query gives each
/// branch of a UNION its own order and limit on all three databases.
fn ready(on: Condition, lane: Lane, now: i64, limit: u64) -> SelectStatement {
    Query::select()
        .column(job::Column::Id)
        .from_subquery(longest(on, lane, now, limit), Alias::new("waiting"))
        .to_owned()
}

/// The first of these jobs on the server of the query around it.
fn ready_there(lane: Lane, now: i64) -> SelectStatement {
    let here = Expr::col((job::Entity, job::Column::ServerId));
    let on = here.equals((server::Entity, server::Column::Id));
    longest(Condition::all().add(on), lane, now, 1)
}

/// What has waited longest there. Equality on the index's leading columns is what keeps it planned right.
fn longest(on: Condition, lane: Lane, now: i64, limit: u64) -> SelectStatement {
    let of = |column| Expr::col((job::Entity, column));
    Query::select()
        .column((job::Entity, job::Column::Id))
        .from(job::Entity)
        .cond_where(on)
        .and_where(of(job::Column::ReadyLane).eq(lane.number()))
        .and_where(of(job::Column::DueAt).lte(now))
        // What only a newer worker can read must not stand before what this one can.
        .and_where(of(job::Column::PayloadVersion).lte(PAYLOAD_VERSION))
        .order_by((job::Entity, job::Column::DueAt), Order::Asc)
        .order_by((job::Entity, job::Column::Id), Order::Asc)
        .limit(limit)
        .to_owned()
}
