//! Every key with what it means: the reference, the variables' names and `config check` come from here.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.key`, or `key` outside of sections.
    pub name: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
    /// Whether its value is hidden and may come from a file named by `..._FILE`.
    pub secret: bool,
    /// A variable besides the usual one.
    pub variable: Option<&'static str>,
    /// The flag that sets it.
    pub flag: Option<&'static str>,
}

impl Key {
    const fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            secret: false,
            variable: None,
            flag: None,
        }
    }

    const fn secret(mut self, variable: &'static str) -> Self {
        self.secret = true;
        self.variable = Some(variable);
        self
    }

    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    /// Its variable: `HOSTLER_SECTION__KEY`.
    #[must_use]
    pub fn usual_variable(&self) -> String {
        format!(
            "HOSTLER_{}",
            self.name.replace('.', "__").to_ascii_uppercase()
        )
    }
}

/// All keys.
pub const KEYS: &[Key] = &[
    Key::new(
        "data_dir",
        "Folder of the SQLite file and of the keys, made with mode 0700.",
    )
    .flag("--data-dir"),
    Key::new(
        "deployment",
        "At most 12 letters and digits that mark the accounts made by this installation on panels that keep a marker; empty = a name that the ledger draws once. Never change it once accounts exist.",
    ),
    Key::new("log.format", "`text` or `json`.").flag("--log-format"),
    Key::new(
        "log.level",
        "`error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,worker=debug`.",
    )
    .flag("-v, -q"),
    Key::new(
        "database.url",
        "`sqlite:PATH?mode=rwc`, `postgres://...` or `mysql://...`. Not set: SQLite in the data folder.",
    )
    .secret("DATABASE_URL")
    .flag("--database-url"),
    Key::new(
        "database.connections",
        "Connections of each of the two pools, for reading and for writing.",
    ),
    Key::new(
        "database.patience_seconds",
        "How long to wait for a connection before it counts as an outage.",
    ),
    Key::new(
        "redis.url",
        "`redis://`, `rediss://` or `redis+unix://`. Not set: rings stay inside the process.",
    )
    .secret("REDIS_URL")
    .flag("--redis-url"),
    Key::new(
        "redis.prefix",
        "Begins the name of every key; the braces keep them together in a cluster.",
    ),
    Key::new(
        "redis.cap",
        "Most rings in a list; what is not rung is found by the timers.",
    ),
    Key::new(
        "redis.allow_plain",
        "Accept an unencrypted `redis://` beyond this machine (a private network).",
    )
    .flag("--insecure-redis"),
    Key::new("api.listen", "Address and port of the HTTP listener.").flag("--listen"),
    Key::new("api.tls_cert", "Certificate chain of the listener, PEM.").flag("--tls-cert"),
    Key::new("api.tls_key", "Key of that certificate, PEM.").flag("--tls-key"),
    Key::new(
        "api.insecure_listen",
        "Accept a listener without TLS beyond this machine (a proxy in front does the TLS).",
    )
    .flag("--insecure-listen"),
    Key::new(
        "api.rate_per_second",
        "Requests a second that one token may send before it is told to wait.",
    ),
    Key::new("worker.concurrency", "Jobs that one worker runs at one time.").flag("--concurrency"),
    Key::new(
        "worker.poll_seconds",
        "How often a worker asks the database for due jobs, whatever the doorbell says.",
    ),
    Key::new(
        "worker.grace_seconds",
        "How long a stop waits for running calls to panels. Above the longest deadline (600).",
    ),
    Key::new(
        "worker.webhook_networks",
        "Private networks (CIDR) that webhooks may be sent to; others are refused.",
    ),
    Key::new(
        "worker.webhook_ca",
        "File of certificates (PEM) that webhooks' servers are trusted by instead of the public authorities.",
    ),
    Key::new(
        "timing.pace",
        "Factor between 0.001 and 1 on every deadline, delay and settle time. For demonstrations and tests; 1 in production.",
    ),
    Key::new(
        "stats.close_day",
        "Day of the month (1 to 28, the panel's time) on which the month before is closed.",
    ),
    Key::new(
        "stats.spread_minutes",
        "The nightly statistics of the servers begin spread over so many minutes after each one's own time, each server always at the same minute, and never after midnight. 0 to 1439; 0 = all at their time.",
    ),
    Key::new(
        "traffic.thresholds",
        "Percent of a month's limit, as `[80, 100]`. When an account reaches one, its platform is told by `usage.threshold`, once a month.",
    ),
    Key::new(
        "traffic.suspend_at_percent",
        "Suspend an account when a night finds that it has used so many percent of its month's limit, until the month is over on its panel or the limit is raised. 100 to 1000; 0 = never. A suspension of the platform's stands beside it, and neither lifts the other.",
    ),
    Key::new(
        "retention.jobs_months",
        "How long jobs, attempts and events are kept.",
    ),
    Key::new(
        "retention.keys_months",
        "How long an idempotency key is kept, counted from the intake. At least 1, and not less than the jobs.",
    ),
    Key::new(
        "retention.readings_months",
        "How long traffic readings are kept. What was booked is kept for ever.",
    ),
];

/// Every environment variable that means something.
#[must_use]
pub fn known_variables() -> Vec<String> {
    let mut names = Vec::new();
    for key in KEYS {
        for name in key
            .variable
            .map(str::to_owned)
            .into_iter()
            .chain([key.usual_variable()])
        {
            if key.secret {
                names.push(format!("{name}_FILE"));
            }
            names.push(name);
        }
    }
    names.push("NO_COLOR".to_owned());
    names.sort();
    names
}
