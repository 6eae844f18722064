//! Logs on standard error, as text or JSON, one line an event whatever is in it.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};
use crate::error::Failure;

/// Starts logging. The database's and the network's libraries are kept at `warn` unless the filter names
/// them: their debug lines quote requests.
///
/// # Errors
/// [`Failure::Usage`] when the level is no filter.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(quiet_libraries(&log.level))
        .map_err(|error| Failure::usage("log.level", error.to_string()))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(OneLine);
    let started = match log.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    // A second start in one process (tests) keeps the first one's.
    drop(started);
    Ok(())
}

fn quiet_libraries(level: &str) -> String {
    let libraries = [
        "sqlx",
        "sea_orm",
        "sea_orm_migration",
        "hyper",
        "hyper_util",
        "h2",
        "rustls",
        "reqwest",
        "redis",
        "tower",
        "apalis",
        "apalis_core",
    ];
    let named = |library: &str| {
        let mut rests = level
            .split(',')
            .filter_map(|part| part.trim().strip_prefix(library));
        rests.any(|rest| rest.is_empty() || rest.starts_with(['=', '[', ':']))
    };
    let at = if matches!(level, "error" | "off") {
        "error"
    } else {
        "warn"
    };
    let mut filter = level.to_owned();
    for library in libraries.into_iter().filter(|library| !named(library)) {
        filter.push_str(&format!(",{library}={at}"));
    }
    filter
}

/// Writes to standard error and turns control characters inside a line into their escapes: text from a
/// panel must not be able to forge a line or move the terminal's cursor.
#[derive(Debug, Clone, Copy)]
struct OneLine;

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for OneLine {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = escaped(text.trim_end_matches('\n'));
        let mut stderr = std::io::stderr().lock();
        stderr.write_all(line.as_bytes())?;
        stderr.write_all(b"\n")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The text with every control character as its escape.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_be_forged() {
        assert_eq!(
            escaped("ok\nERROR forged \u{1b}[2Jgone"),
            "ok\\nERROR forged \\u{1b}[2Jgone"
        );
        assert_eq!(escaped("Müller"), "Müller");
    }

    #[test]
    fn libraries_stay_quiet_unless_they_are_named() {
        assert!(quiet_libraries("debug").contains("sqlx=warn"));
        let one = quiet_libraries("info,sqlx=debug,hostler[{job.id}]=trace");
        assert!(one.starts_with("info,sqlx=debug,"), "{one}");
        assert!(
            !one.contains("sqlx=warn") && one.contains("hyper=warn"),
            "{one}"
        );
    }
}
