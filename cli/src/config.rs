//! The configuration: the only reader of files and environment.
//!
//! Defaults in code, then `hostler.toml`, then the environment, then flags; the later wins. A key that is
//! not in [`KEYS`] is an error that names it, wherever it stands.

mod keys;
mod layer;
mod reference;
mod settings;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use jobs::Pace;

pub use keys::{KEYS, Key, known_variables};
pub use reference::reference;
pub use settings::{
    Api, Database, Hidden, Log, LogFormat, Redis, Retention, Settings, Stats, Timing, Worker,
};

use crate::error::Failure;
use layer::Layer;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "hostler.toml";

/// Where settings come from, besides the defaults.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// The file named by `--config`; it must exist. `None` = [`DEFAULT_FILE`] if it exists.
    pub file: Option<PathBuf>,
    /// The folder in which [`DEFAULT_FILE`] is looked for.
    pub folder: PathBuf,
    /// The environment, names and values.
    pub environment: Vec<(String, String)>,
    /// What flags said: key, the flag's name, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Sources {
    /// This process's environment and working folder.
    #[must_use]
    pub fn of_this_process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            file,
            folder: PathBuf::from("."),
            environment,
            flags: Vec::new(),
        }
    }

    /// Adds what a flag said, if it was given.
    #[must_use]
    pub fn flag(
        mut self,
        key: &'static str,
        flag: &'static str,
        value: Option<impl ToString>,
    ) -> Self {
        if let Some(value) = value {
            self.flags.push((key, flag, value.to_string()));
        }
        self
    }
}

/// One value with where it comes from, as `config check` prints it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The key, `section.key`.
    pub key: &'static str,
    /// The value, secrets hidden; empty = not set.
    pub value: String,
    /// `default`, the file, the variable or the flag.
    pub source: String,
}

/// The settings and where each comes from.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// One line a key, in the order of [`KEYS`].
    pub origins: Vec<Origin>,
}

/// Reads all sources and checks what they say.
///
/// # Errors
/// [`Failure::Usage`] naming the key, and the file or the variable that it stands in.
pub fn load(sources: &Sources) -> Result<Config, Failure> {
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    if let Some(file) = file_of(sources)? {
        figment = figment.merge(Toml::file_exact(file));
    }
    for layer in layer::environment(&sources.environment)? {
        figment = figment.merge(layer);
    }
    for (key, flag, value) in &sources.flags {
        figment = figment.merge(Layer::new(key, format!("flag {flag}"), value)?);
    }
    let settings: Settings = figment.extract().map_err(|error| wrong(&error))?;
    settings.check()?;
    let origins = KEYS.iter().map(|key| origin(&figment, key)).collect();
    Ok(Config { settings, origins })
}

fn file_of(sources: &Sources) -> Result<Option<PathBuf>, Failure> {
    match &sources.file {
        Some(file) if file.is_file() => Ok(Some(file.clone())),
        Some(file) => Err(Failure::usage(
            "config",
            format!("{} is not a file that can be read", file.display()),
        )),
        None => {
            let usual = sources.folder.join(DEFAULT_FILE);
            Ok(usual.is_file().then_some(usual))
        }
    }
}

fn wrong(error: &figment::Error) -> Failure {
    // Only the first: the others are often its consequences.
    let key = error.path.join(".");
    let place = match &error.metadata {
        Some(from) => format!(" (in {})", place_of(from)),
        None => String::new(),
    };
    let (key, what) = match &error.kind {
        figment::error::Kind::UnknownField(name, known) => {
            let section = if key.is_empty() || key == *name {
                String::new()
            } else {
                format!("{}.", key.trim_end_matches(&format!(".{name}")))
            };
            let known = known.join(", ");
            (
                format!("{section}{name}"),
                format!("is not a key; known here are {known}"),
            )
        }
        kind => (key, kind.to_string()),
    };
    Failure::usage(key, format!("{what}{place}"))
}

fn place_of(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        _ if metadata.name.contains("Settings") => "default".to_owned(),
        _ => metadata.name.to_string(),
    }
}

fn origin(figment: &Figment, key: &'static Key) -> Origin {
    let value = match figment.find_value(key.name) {
        Ok(figment::value::Value::Empty(..)) | Err(_) => String::new(),
        Ok(_) if key.secret => "(hidden)".to_owned(),
        Ok(value) => shown(&value),
    };
    let source = figment
        .find_metadata(key.name)
        .map_or_else(|| "default".to_owned(), place_of);
    Origin {
        key: key.name,
        value,
        source,
    }
}

fn shown(value: &figment::value::Value) -> String {
    match (value.as_str(), value.to_bool()) {
        (Some(text), _) => text.to_owned(),
        (_, Some(flag)) => flag.to_string(),
        _ => match (value.to_i128(), value.to_u128(), value.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) => number.to_string(),
            _ => serde_json::to_string(value).unwrap_or_default(),
        },
    }
}

impl Settings {
    /// What types alone do not say.
    fn check(&self) -> Result<(), Failure> {
        self.pace()?;
        if self.worker.concurrency == 0 {
            return Err(Failure::usage(
                "worker.concurrency",
                "must be 1 or more, the jobs that run at one time",
            ));
        }
        if self.database.connections == 0 {
            return Err(Failure::usage("database.connections", "must be 1 or more"));
        }
        if !(1..=28).contains(&self.stats.close_day) {
            return Err(Failure::usage(
                "stats.close_day",
                "must be a day of the month from 1 to 28",
            ));
        }
        if self.stats.spread_minutes > 1439 {
            return Err(Failure::usage(
                "stats.spread_minutes",
                "must be 0 to 1439: a night stays on its date",
            ));
        }
        let thresholds = &self.traffic.thresholds;
        if thresholds.len() > 10 || thresholds.iter().any(|one| !(1..=1000).contains(one)) {
            return Err(Failure::usage(
                "traffic.thresholds",
                "must be at most ten numbers from 1 to 1000",
            ));
        }
        let suspend_at = self.traffic.suspend_at_percent;
        if suspend_at != 0 && !(100..=1000).contains(&suspend_at) {
            return Err(Failure::usage(
                "traffic.suspend_at_percent",
                "must be 0 (never) or 100 to 1000",
            ));
        }
        if self.retention.keys_months < self.retention.jobs_months {
            return Err(Failure::usage(
                "retention.keys_months",
                "must not be less than retention.jobs_months",
            ));
        }
        if self.retention.keys_months == 0 {
            return Err(Failure::usage(
                "retention.keys_months",
                "must be at least 1: clients rely on 30 days",
            ));
        }
        let marker = &self.deployment;
        let good =
            marker.len() <= 12 && marker.chars().all(|letter| letter.is_ascii_alphanumeric());
        if !good {
            return Err(Failure::usage(
                "deployment",
                "must be at most 12 letters and digits",
            ));
        }
        if self.api.tls_cert.is_some() != self.api.tls_key.is_some() {
            return Err(Failure::usage(
                "api.tls_key",
                "tls_cert and tls_key belong together; give both or neither",
            ));
        }
        Ok(())
    }

    /// The pace of all waiting.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it is not between 0.001 and 1.
    pub fn pace(&self) -> Result<Pace, Failure> {
        Pace::new(self.timing.pace)
            .ok_or_else(|| Failure::usage("timing.pace", "must be a number between 0.001 and 1"))
    }

    /// The database's address: what is set, or SQLite in the data folder.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.database.url {
            Some(url) => url.reveal().to_owned(),
            None => {
                let file = self.data_dir.join("hostler.db");
                format!("sqlite:{}?mode=rwc", file.display())
            }
        }
    }

    /// Whether the database is a file of ours.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    /// The folder of the key files.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.data_dir.join("keys")
    }
}

/// A file's text, for what a command is pointed to (certificates, secrets).
///
/// # Errors
/// [`Failure::Usage`] naming `field` and the file.
pub fn read_text(field: &str, file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(field, format!("cannot read {}: {error}", file.display())))
}

/// Whether colours are wanted on a terminal (the NO_COLOR convention).
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "configuration is read here and nowhere else"
)]
pub fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// This machine's name and process, for a worker's name.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "configuration is read here and nowhere else"
)]
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Who types, for the history: `operator:USER`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "configuration is read here and nowhere else"
)]
pub fn operator() -> String {
    std::env::var("SUDO_USER")
        .or_else(|_| std::env::var("USER"))
        .or_else(|_| std::env::var("LOGNAME"))
        .ok()
        .filter(|user| !user.is_empty())
        .unwrap_or_else(|| "root".to_owned())
}
