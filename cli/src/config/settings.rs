//! The settings as types, with their defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// All settings. Each field is one section or key of `hostler.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder of the SQLite file and the keys.
    pub data_dir: PathBuf,
    /// Marks accounts that this installation made.
    pub deployment: String,
    /// What is logged and how.
    pub log: Log,
    /// The ledger.
    pub database: Database,
    /// The doorbell.
    pub redis: Redis,
    /// The HTTP listener.
    pub api: Api,
    /// The workers.
    pub worker: Worker,
    /// Factors on waiting.
    pub timing: Timing,
    /// Traffic statistics.
    pub stats: Stats,
    /// See [`Traffic`].
    pub traffic: Traffic,
    /// How long rows are kept.
    pub retention: Retention,
}

/// What is logged and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A level, or a filter as `tracing-subscriber` reads it.
    pub level: String,
}

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// The ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its address; none = SQLite in the data folder.
    pub url: Option<Hidden>,
    /// Connections of each of the two pools.
    pub connections: u32,
    /// How long to wait for a connection, in seconds.
    pub patience_seconds: u32,
}

/// The doorbell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Its address; none = inside this process.
    pub url: Option<Hidden>,
    /// Begins every key's name.
    pub prefix: String,
    /// Most rings in a list.
    pub cap: usize,
    /// Whether an unencrypted connection beyond loopback is accepted.
    pub allow_plain: bool,
}

/// The HTTP listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its certificate, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Whether a plain listener beyond loopback is accepted.
    pub insecure_listen: bool,
    /// Requests a second that one token may send.
    pub rate_per_second: u32,
}

/// The workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Jobs at one time.
    pub concurrency: usize,
    /// How often SQL is asked for due jobs, in seconds.
    pub poll_seconds: u32,
    /// How long a stop waits for running calls, in seconds.
    pub grace_seconds: u32,
    /// Private networks that webhooks may be sent to.
    pub webhook_networks: Vec<IpNet>,
    /// Authorities that webhooks' servers are trusted by instead of the public ones, PEM.
    pub webhook_ca: Option<PathBuf>,
}

/// Factors on waiting.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Factor on every deadline, delay and settle time.
    pub pace: f64,
}

/// Traffic statistics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// The day of the month on which the month before is closed.
    pub close_day: u32,
    /// The minutes over which the nightly statistics are spread.
    pub spread_minutes: u32,
}

/// What is done about use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Percent of a month's limit that platforms are told of.
    pub thresholds: Vec<u32>,
    /// Percent of a month's limit at which accounts are suspended; 0 = never.
    pub suspend_at_percent: u32,
}

/// How long rows are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Jobs with their attempts and events.
    pub jobs_months: u32,
    /// Idempotency keys, counted from the intake.
    pub keys_months: u32,
    /// Traffic readings.
    pub readings_months: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./hostler-data"),
            deployment: String::new(),
            log: Log {
                format: LogFormat::Text,
                level: "info".to_owned(),
            },
            database: Database {
                url: None,
                connections: 8,
                patience_seconds: 10,
            },
            redis: Redis {
                url: None,
                prefix: "{hostler}".to_owned(),
                cap: 10_000,
                allow_plain: false,
            },
            api: Api {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                tls_cert: None,
                tls_key: None,
                insecure_listen: false,
                rate_per_second: 100,
            },
            worker: Worker {
                concurrency: 32,
                poll_seconds: 3,
                grace_seconds: 610,
                webhook_networks: Vec::new(),
                webhook_ca: None,
            },
            timing: Timing { pace: 1.0 },
            stats: Stats {
                close_day: 5,
                spread_minutes: 60,
            },
            traffic: Traffic {
                thresholds: vec![80, 100],
                suspend_at_percent: 0,
            },
            retention: Retention {
                jobs_months: 13,
                keys_months: 26,
                readings_months: 26,
            },
        }
    }
}

/// A text with a password in it; it never shows itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Serialize for Hidden {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}
