//! The doorbell over Redis: two lists of job ids, and a channel of jobs that came to rest.
//!
//! Needs RPUSH, LLEN, BLMPOP (Redis 7.0), PUBLISH and SUBSCRIBE, and nothing else: no scripts, no leases,
//! no payloads. Everything in it may be lost at any time. What comes out of it is not trusted: an entry
//! that is not a small number is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use secrecy::ExposeSecret;
use tokio::sync::{Mutex, broadcast};

use super::standing::{CONNECT, Came, Say, Standing};
use super::{QueueError, RedisOptions};
use crate::Lane;

/// After a failure Redis is left alone for this long, so that nobody waits for it again and again.
const LEAVE_ALONE: Duration = Duration::from_secs(1);
/// An answer later than this is a failure. BLMPOP has its own connection and its own patience.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const OLDEST: (u32, u32) = (7, 0);
/// What is said of each lane's pop: one may be refused while the other is answered.
const POP: [&str; 2] = ["BLMPOP", "BLMPOP of bulk rings"];

#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    place: String,
    interactive: String,
    bulk: String,
    channel: String,
    cap: usize,
    talk: Mutex<Line>,
    /// One a lane: a blocking pop keeps its connection busy.
    ears: [Mutex<Line>; 2],
    standing: Standing,
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
            ears: Default::default(),
            standing: Standing::default(),
            lengths: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.standing.is_well()
    }

    fn key(&self, lane: Lane) -> &str {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    fn length(&self, lane: Lane) -> &AtomicUsize {
        &self.lengths[index(lane)]
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

    /// Runs one exchange on a line; `None` = Redis is away or refuses it, now or since a moment ago.
    async fn on<T, F>(
        &self,
        line: &Mutex<Line>,
        command: &'static str,
        answer_within: Duration,
        exchange: F,
    ) -> Option<T>
    where
        F: AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    {
        let mut line = line.lock().await;
        if line.broken_at.is_some_and(|at| at.elapsed() < LEAVE_ALONE) {
            return None;
        }
        let mut stage = CONNECT;
        let outcome = async {
            let mut connection = match line.connection.take() {
                Some(Quiet(connection)) => connection,
                None => self.connect(answer_within).await?,
            };
            stage = command;
            let answer = exchange(&mut connection).await?;
            line.connection = Some(Quiet(connection));
            line.broken_at = None;
            Ok::<T, RedisError>(answer)
        };
        match outcome.await {
            Ok(answer) => {
                self.tell(Came::Answered(command), "");
                Some(answer)
            }
            Err(error) => {
                line.broken_at = Some(Instant::now());
                let refused = error.code().is_some();
                let came = if refused {
                    Came::Refused(stage)
                } else {
                    Came::Nothing
                };
                self.tell(came, &reason(&error));
                None
            }
        }
    }

    /// Says what an exchange tells about Redis, where that is new.
    fn tell(&self, came: Came, why: &str) {
        match self.standing.note(came, Instant::now()) {
            Some(Say::Trouble) => {
                let what = match came {
                    Came::Refused(command) => format!("refuses {command}"),
                    Came::Answered(_) | Came::Nothing => "does not answer".to_owned(),
                };
                tracing::warn!(redis = %self.place, failure = why, "Redis {what}: jobs go on by the timers, a little later");
            }
            Some(Say::Well) => tracing::info!(redis = %self.place, "Redis answers again"),
            None => {}
        }
    }

    /// Whether Redis took them (or its list is full, which is as good: the top-up rings them later).
    ///
    /// Looking and pushing are one exchange of the one line, so this process never pushes past the cap;
    /// another one may push in between.
    pub(super) async fn push(&self, lane: Lane, ids: &[i64]) -> bool {
        let (key, length) = (self.key(lane), self.length(lane));
        let pushed = self.on(&self.talk, "RPUSH", ANSWER_WITHIN, async |connection| {
            // What this process has seen last is good for a single ring and no more: others push too.
            let mut there = length.load(Ordering::Relaxed);
            if ids.len() > 1 || there >= self.cap {
                there = cmd("LLEN").arg(key).query_async(connection).await?;
            }
            let ids = &ids[..ids.len().min(self.cap.saturating_sub(there))];
            if !ids.is_empty() {
                let mut push = cmd("RPUSH");
                there = push.arg(key).arg(ids).query_async(connection).await?;
            }
            length.store(there, Ordering::Relaxed);
            Ok(())
        });
        pushed.await.is_some()
    }

    pub(super) async fn room(&self, lane: Lane) -> usize {
        let asked = self.on(&self.talk, "LLEN", ANSWER_WITHIN, async |connection| {
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

    /// Pops at most so many of a lane; waits at most `patience`. While Redis is away this waits all the same,
    /// so that the caller's loop does not spin.
    pub(super) async fn pop(&self, lane: Lane, most: usize, patience: Duration) -> Vec<i64> {
        let popped = self.on(
            &self.ears[index(lane)],
            POP[index(lane)],
            patience + Duration::from_secs(3),
            async |connection| {
                cmd("BLMPOP")
                    .arg(patience.as_secs_f64())
                    .arg(1)
                    .arg(self.key(lane))
                    .arg("LEFT")
                    .arg("COUNT")
                    .arg(most)
                    .query_async::<Option<(String, Vec<Vec<u8>>)>>(connection)
                    .await
            },
        );
        match popped.await {
            Some(Some((_, entries))) => {
                let ids: Vec<i64> = entries.iter().filter_map(|entry| job_id(entry)).collect();
                let foreign = entries.len() - ids.len();
                if foreign > 0 {
                    metrics::counter!("hostler_doorbell_foreign_total").increment(foreign as u64);
                }
                ids
            }
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
            .on(&self.talk, "PUBLISH", ANSWER_WITHIN, async |connection| {
                cmd("PUBLISH")
                    .arg(&self.channel)
                    .arg(&text)
                    .query_async::<i64>(connection)
                    .await
            })
            .await;
    }

    /// A subscription; none while Redis is away. One that hangs must not be waited for.
    async fn subscribed(&self) -> Option<PubSub> {
        let subscribe = async {
            let mut heard = self.client.get_async_pubsub().await?;
            heard.subscribe(&self.channel).await?;
            Ok::<PubSub, RedisError>(heard)
        };
        let answer = tokio::time::timeout(2 * ANSWER_WITHIN, subscribe).await;
        answer.ok()?.ok()
    }

    /// The one subscription of this process; made anew for ever.
    pub(super) async fn listen(&self, done: &broadcast::Sender<i64>) {
        loop {
            if let Some(mut heard) = self.subscribed().await {
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

fn index(lane: Lane) -> usize {
    usize::from(lane == Lane::Bulk)
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
pub(super) fn job_id(entry: &[u8]) -> Option<i64> {
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
