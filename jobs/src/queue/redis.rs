//! The doorbell over Redis: two lists of job ids, and a channel of jobs that came to rest.
//!
//! Needs RPUSH, LLEN, BLMPOP (Redis 7.0), PUBLISH and SUBSCRIBE, and nothing else: no scripts, no leases,
//! no payloads. Everything in it may be lost at any time. What comes out of it is not trusted: an entry
//! that is not a small number is dropped.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use secrecy::ExposeSecret;
use tokio::sync::{Mutex, broadcast};

use super::{QueueError, RedisOptions, Want};
use crate::Lane;

/// After a failure Redis is left alone for this long, so that nobody waits for it again and again.
const LEAVE_ALONE: Duration = Duration::from_secs(1);
/// An answer later than this is a failure. BLMPOP has its own connection and its own patience.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const OLDEST: (u32, u32) = (7, 0);

#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    place: String,
    interactive: String,
    bulk: String,
    channel: String,
    cap: usize,
    talk: Mutex<Line>,
    ear: Mutex<Line>,
    up: AtomicBool,
    lengths: [AtomicUsize; 2],
}

/// A connection that is made when needed, and made anew after a failure.
#[derive(Debug, Default)]
struct Line {
    connection: Option<Quiet>,
    broken_at: Option<Instant>,
}

struct Quiet(MultiplexedConnection);

impl std::fmt::Debug for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection")
    }
}

impl Remote {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, QueueError> {
        // The client's own error texts may quote the address with its password.
        let client = Client::open(options.url.expose_secret())
            .map_err(|error| QueueError::Address(format!("{:?}", error.kind())))?;
        let prefix = &options.prefix;
        Ok(Self {
            place: client.get_connection_info().addr().to_string(),
            client,
            interactive: format!("{prefix}:interactive"),
            bulk: format!("{prefix}:bulk"),
            channel: format!("{prefix}:done"),
            cap: options.cap,
            talk: Mutex::default(),
            ear: Mutex::default(),
            up: AtomicBool::new(true),
            lengths: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    fn key(&self, lane: Lane) -> &str {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    fn length(&self, lane: Lane) -> &AtomicUsize {
        &self.lengths[usize::from(lane == Lane::Bulk)]
    }

    pub(super) async fn check(&self) -> Result<(), QueueError> {
        let unreachable = |error: &RedisError| QueueError::Unreachable {
            place: self.place.clone(),
            why: reason(error),
        };
        let mut connection = self
            .connect(ANSWER_WITHIN)
            .await
            .map_err(|error| unreachable(&error))?;
        let info: String = cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await
            .map_err(|error| unreachable(&error))?;
        let version = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"))
            .unwrap_or("")
            .trim();
        let mut parts = version
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if found < OLDEST {
            Err(QueueError::TooOld(version.to_owned()))
        } else {
            Ok(())
        }
    }

    async fn connect(&self, answer_within: Duration) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(answer_within));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Runs one exchange on a line; `None` = Redis is away, now or since a moment ago.
    async fn on<T, F>(&self, line: &Mutex<Line>, answer_within: Duration, exchange: F) -> Option<T>
    where
        F: AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    {
        let mut line = line.lock().await;
        if line.broken_at.is_some_and(|at| at.elapsed() < LEAVE_ALONE) {
            return None;
        }
        let outcome = async {
            let mut connection = match line.connection.take() {
                Some(Quiet(connection)) => connection,
                None => self.connect(answer_within).await?,
            };
            let answer = exchange(&mut connection).await?;
            line.connection = Some(Quiet(connection));
            line.broken_at = None;
            Ok::<T, RedisError>(answer)
        };
        match outcome.await {
            Ok(answer) => {
                if !self.up.swap(true, Ordering::Relaxed) {
                    tracing::info!(redis = %self.place, "Redis answers again");
                }
                Some(answer)
            }
            Err(error) => {
                line.broken_at = Some(Instant::now());
                if self.up.swap(false, Ordering::Relaxed) {
                    tracing::warn!(redis = %self.place, failure = reason(&error), "Redis does not answer: jobs go on by the timers, a little later");
                }
                None
            }
        }
    }

    /// Whether Redis took them (or its list is full, which is as good: the top-up rings them later).
    pub(super) async fn push(&self, lane: Lane, ids: &[i64]) -> bool {
        let length = self.length(lane);
        let crowded = length.load(Ordering::Relaxed) + ids.len() > self.cap;
        let room = if crowded {
            self.room(lane).await
        } else {
            ids.len()
        };
        if !self.is_up() && room == 0 {
            return false;
        }
        let ids = &ids[..room.min(ids.len())];
        if ids.is_empty() {
            return true;
        }
        let pushed = self.on(&self.talk, ANSWER_WITHIN, async |connection| {
            cmd("RPUSH")
                .arg(self.key(lane))
                .arg(ids)
                .query_async::<usize>(connection)
                .await
        });
        match pushed.await {
            Some(now) => {
                length.store(now, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }

    pub(super) async fn room(&self, lane: Lane) -> usize {
        let asked = self.on(&self.talk, ANSWER_WITHIN, async |connection| {
            cmd("LLEN")
                .arg(self.key(lane))
                .query_async::<usize>(connection)
                .await
        });
        match asked.await {
            Some(length) => {
                self.length(lane).store(length, Ordering::Relaxed);
                self.cap.saturating_sub(length)
            }
            None => 0,
        }
    }

    /// Pops what is wanted, interactive first; waits at most `patience`. While Redis is away this waits
    /// all the same, so that the caller's loop does not spin.
    pub(super) async fn pop(&self, want: Want, patience: Duration) -> Vec<i64> {
        let popped = self.on(
            &self.ear,
            patience + Duration::from_secs(3),
            async |connection| {
                let mut pop = cmd("BLMPOP");
                pop.arg(patience.as_secs_f64());
                if want.bulk > 0 {
                    pop.arg(2)
                        .arg(&self.interactive)
                        .arg(&self.bulk)
                        .arg("LEFT")
                        .arg("COUNT")
                        .arg(want.bulk);
                } else {
                    pop.arg(1)
                        .arg(&self.interactive)
                        .arg("LEFT")
                        .arg("COUNT")
                        .arg(want.interactive);
                }
                pop.query_async::<Option<(String, Vec<Vec<u8>>)>>(connection)
                    .await
            },
        );
        match popped.await {
            Some(Some((_, entries))) => entries.iter().filter_map(|entry| job_id(entry)).collect(),
            Some(None) => Vec::new(),
            None => {
                wait(LEAVE_ALONE).await;
                Vec::new()
            }
        }
    }

    pub(super) async fn publish(&self, settled: &[i64]) {
        if settled.is_empty() {
            return;
        }
        let text = settled
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        // Who waits asks SQL once a second anyway.
        let _ = self
            .on(&self.talk, ANSWER_WITHIN, async |connection| {
                cmd("PUBLISH")
                    .arg(&self.channel)
                    .arg(&text)
                    .query_async::<i64>(connection)
                    .await
            })
            .await;
    }

    /// The one subscription of this process; made anew for ever.
    pub(super) async fn listen(&self, done: &broadcast::Sender<i64>) {
        loop {
            if let Ok(mut heard) = self.client.get_async_pubsub().await
                && heard.subscribe(&self.channel).await.is_ok()
            {
                let mut messages = heard.on_message();
                while let Some(message) = messages.next().await {
                    for id in message
                        .get_payload_bytes()
                        .split(|byte| *byte == b' ')
                        .filter_map(job_id)
                    {
                        let _ = done.send(id);
                    }
                }
            }
            wait(LEAVE_ALONE).await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a Redis that is away is not asked in a tight loop"
)]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What failed, without the address (it may hold a password) and without what Redis quoted.
fn reason(error: &RedisError) -> String {
    match error.code() {
        Some(code) => code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(20)
            .collect(),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None if error.is_io_error() => "no connection".to_owned(),
        None => format!("{:?}", error.kind()),
    }
}

/// A job id: 1 to 19 digits. Anything else in the list is not ours.
fn job_id(entry: &[u8]) -> Option<i64> {
    if !(1..=19).contains(&entry.len()) || !entry.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(entry).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_numbers_are_job_ids() {
        assert_eq!(job_id(b"42"), Some(42));
        for forged in [
            &b""[..],
            b"-1",
            b"4x",
            b" 42",
            b"99999999999999999999",
            &[0xff, 0xfe],
            &[b'1'; 100_000],
        ] {
            assert_eq!(job_id(forged), None);
        }
    }

    #[test]
    fn a_wrong_address_is_named_without_its_password() {
        let options = RedisOptions {
            url: "http://user:hunter2@host".into(),
            prefix: "h".into(),
            cap: 10,
        };
        let error = Remote::new(&options).unwrap_err().to_string();
        assert!(
            !error.contains("hunter2") && error.contains("redis-url"),
            "{error}"
        );
    }
}
