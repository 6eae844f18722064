//! The doorbell and the worker loop. The only place that names apalis or redis.
//!
//! A ring says "look at job 42" and nothing else. It may be lost, doubled or late: whoever wakes up asks
//! SQL, and a timer asks SQL anyway.

mod backend;
mod local;
mod pump;
mod redis;
mod run;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

pub use run::{Health, WorkerOptions, run};

/// The job that an entry of a list in Redis names, if it names one. Public only for the tests that feed it
/// with anything.
#[doc(hidden)]
#[must_use]
pub fn job_of_entry(entry: &[u8]) -> Option<i64> {
    redis::job_id(entry)
}

use crate::Lane;
use crate::store::Ring;

/// Something is wrong with the doorbell's settings, or it cannot be reached at the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The address is no Redis address.
    #[error("redis-url is not right: {0}; it should look like redis://127.0.0.1:6379/0")]
    Address(String),
    /// It is too old.
    #[error("this Redis is version {0}; Hostler needs 7.0 or newer (BLMPOP)")]
    TooOld(String),
    /// It does not answer (yet).
    #[error("Redis at {place} cannot be reached: {why}")]
    Unreachable {
        /// Its address without the password.
        place: String,
        /// What the client says.
        why: String,
    },
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `redis+unix://`.
    pub url: secrecy::SecretString,
    /// Begins every key's name; `{...}` keeps them together in a cluster.
    pub prefix: String,
    /// Most rings in a list; what is not rung is found by the timer or rung by the top-up.
    pub cap: usize,
}

/// The doorbell. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Doorbell {
    /// This process's own lists: all there is when embedded, and where rings go while Redis is away.
    here: Arc<local::Local>,
    there: Option<Arc<redis::Remote>>,
    done: broadcast::Sender<i64>,
}

impl Doorbell {
    /// One that rings in this process alone.
    #[must_use]
    pub fn local() -> Self {
        Self {
            here: Arc::default(),
            there: None,
            done: broadcast::channel(4096).0,
        }
    }

    /// One that rings through Redis. Does not connect yet: a Redis that is away costs latency only.
    ///
    /// # Errors
    /// [`QueueError::Address`].
    pub fn redis(options: &RedisOptions) -> Result<Self, QueueError> {
        let there = Arc::new(redis::Remote::new(options)?);
        Ok(Self {
            there: Some(there),
            ..Self::local()
        })
    }

    /// Asks Redis for its version, to say at the start what is wrong with it. The local one is always right.
    ///
    /// # Errors
    /// [`QueueError::TooOld`], [`QueueError::Unreachable`].
    pub async fn check(&self) -> Result<(), QueueError> {
        match &self.there {
            Some(there) => there.check().await,
            None => Ok(()),
        }
    }

    /// Whether rings reach other processes now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.there.as_ref().is_none_or(|there| there.is_up())
    }

    /// Rings. Never fails and never waits long: what cannot be rung is found by the timers.
    pub async fn ring(&self, rings: &[Ring]) {
        for lane in [Lane::Interactive, Lane::Bulk] {
            let ids: Vec<i64> = rings
                .iter()
                .filter(|ring| ring.lane == lane)
                .map(|ring| ring.job_id)
                .collect();
            if ids.is_empty() {
                continue;
            }
            match &self.there {
                Some(there) if there.push(lane, &ids).await => {}
                _ => self.here.push(lane, &ids),
            }
        }
    }

    /// How many more rings a lane's list takes before its cap.
    pub async fn room(&self, lane: Lane) -> usize {
        match &self.there {
            Some(there) => there.room(lane).await,
            None => self.here.room(lane),
        }
    }

    /// Tells everybody who waits that these jobs have come to rest.
    pub async fn announce(&self, settled: &[i64]) {
        for id in settled {
            // Nobody listening here is fine.
            let _ = self.done.send(*id);
        }
        if let Some(there) = &self.there {
            there.publish(settled).await;
        }
    }

    /// Hears which jobs come to rest in this process, and (once [`Doorbell::listen`] runs) in the others.
    #[must_use]
    pub fn settled(&self) -> broadcast::Receiver<i64> {
        self.done.subscribe()
    }

    /// Passes on what other processes announce, for ever: the one subscription of this process.
    pub async fn listen(&self) {
        match &self.there {
            Some(there) => there.listen(&self.done).await,
            None => std::future::pending().await,
        }
    }

    /// The next rings of a lane: waits at most `patience` for the first one. One caller at a time for a lane;
    /// each lane is waited for by itself, so that who has no place for one hears the other.
    pub(crate) async fn hear(&self, lane: Lane, most: usize, patience: Duration) -> Vec<i64> {
        let at_hand = self.here.take(lane, most);
        if !at_hand.is_empty() {
            return at_hand;
        }
        match &self.there {
            Some(there) => tokio::select! {
                ids = there.pop(lane, most, patience) => ids,
                ids = self.here.wait(lane, most, patience) => ids,
            },
            None => self.here.wait(lane, most, patience).await,
        }
    }
}
