//! Where settings come from, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use cli::config::{KEYS, Settings, Sources, known_variables, load, reference};

fn sources(folder: &Path, file: &str, environment: &[(&str, &str)]) -> Sources {
    std::fs::write(folder.join("hostler.toml"), file).unwrap();
    Sources {
        file: None,
        folder: folder.to_owned(),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: Vec::new(),
    }
}

fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    load(&sources(folder.path(), file, environment))
        .unwrap_err()
        .to_string()
}

#[test]
fn the_later_source_wins_and_each_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = "data_dir = '/from-file'\n[worker]\nconcurrency = 5\npoll_seconds = 9\n[timing]\npace = 0.5\n";
    let environment = [
        ("HOSTLER_WORKER__CONCURRENCY", "6"),
        ("HOSTLER_WORKER__POLL_SECONDS", "8"),
        ("DATABASE_URL", "postgres://me:pw@db/hostler"),
        ("UNRELATED", "x"),
        ("HOSTLER_TEST_SERVERS", "x"),
    ];
    let sources = sources(folder.path(), file, &environment).flag(
        "worker.concurrency",
        "--concurrency",
        Some(7),
    );
    let config = load(&sources).unwrap();
    let settings = &config.settings;
    assert_eq!(settings.data_dir, Path::new("/from-file"));
    assert_eq!(settings.worker.concurrency, 7);
    assert_eq!(settings.worker.poll_seconds, 8);
    assert_eq!(settings.worker.grace_seconds, 610);
    assert_eq!(settings.database_url(), "postgres://me:pw@db/hostler");
    let source = |key: &str| {
        let line = config.origins.iter().find(|line| line.key == key).unwrap();
        (line.value.clone(), line.source.clone())
    };
    assert_eq!(
        source("worker.concurrency"),
        ("7".into(), "flag --concurrency".into())
    );
    assert_eq!(
        source("worker.poll_seconds"),
        ("8".into(), "variable HOSTLER_WORKER__POLL_SECONDS".into())
    );
    assert!(source("data_dir").1.ends_with("hostler.toml"));
    assert_eq!(
        source("worker.grace_seconds"),
        ("610".into(), "default".into())
    );
    assert_eq!(
        source("database.url"),
        ("(hidden)".into(), "variable DATABASE_URL".into())
    );
    assert!(!format!("{config:?}").contains("pw@"));
}

#[test]
fn what_is_not_known_is_named() {
    for (file, environment, words) in [
        (
            "[worker]\nconcurency = 3",
            &[][..],
            ["worker.concurency", "hostler.toml"],
        ),
        ("nightly = true", &[], ["nightly", "hostler.toml"]),
        ("[wroker]\nconcurrency = 3", &[], ["wroker", "hostler.toml"]),
        (
            "",
            &[("HOSTLER_WORKER__CONCURENCY", "3")],
            ["HOSTLER_WORKER__CONCURENCY", "not a variable"],
        ),
        (
            "",
            &[("HOSTLER_DATADIR", "x")],
            ["HOSTLER_DATADIR", "not a variable"],
        ),
        (
            "",
            &[("HOSTLER_WORKER__CONCURRENCY", "many")],
            ["worker.concurrency", "HOSTLER_WORKER__CONCURRENCY"],
        ),
        (
            "[worker]\nconcurrency = 0",
            &[],
            ["worker.concurrency", "1 or more"],
        ),
        ("[timing]\npace = 7", &[], ["timing.pace", "between"]),
        ("[api]\ntls_cert = 'x'", &[], ["api.tls_key", "together"]),
        (
            "deployment = 'a-b'",
            &[],
            ["deployment", "letters and digits"],
        ),
        (
            "[stats]\nclose_day = 31",
            &[],
            ["stats.close_day", "1 to 28"],
        ),
        (
            "[retention]\njobs_months = 0\nkeys_months = 0",
            &[],
            ["retention.keys_months", "at least 1"],
        ),
        (
            "[stats]\nspread_minutes = 1440",
            &[],
            ["stats.spread_minutes", "0 to 1439"],
        ),
    ] {
        let text = refusal(file, environment);
        for word in words {
            assert!(text.contains(word), "{file} {environment:?}: {text}");
        }
    }
}

#[test]
fn a_secret_comes_from_a_file_or_from_one_variable() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("url");
    std::fs::write(&secret, "postgres://me:pw@db/x\n").unwrap();
    let path = secret.to_str().unwrap();
    let config = load(&sources(folder.path(), "", &[("DATABASE_URL_FILE", path)])).unwrap();
    assert_eq!(config.settings.database_url(), "postgres://me:pw@db/x");
    let twice = refusal(
        "",
        &[("DATABASE_URL_FILE", path), ("DATABASE_URL", "sqlite:x")],
    );
    assert!(twice.contains("set one of them"), "{twice}");
    let twice = refusal(
        "",
        &[
            ("HOSTLER_DATABASE__URL", "sqlite:y"),
            ("DATABASE_URL", "sqlite:x"),
        ],
    );
    assert!(twice.contains("set one of them"), "{twice}");
    let missing = refusal("", &[("REDIS_URL_FILE", "/nowhere/at/all")]);
    assert!(
        missing.contains("REDIS_URL_FILE") && missing.contains("/nowhere"),
        "{missing}"
    );
    let plain = refusal("", &[("HOSTLER_API__LISTEN_FILE", path)]);
    assert!(plain.contains("not a variable"), "{plain}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let missing = Sources {
        file: Some("/nowhere/hostler.toml".into()),
        ..Sources::default()
    };
    assert!(
        load(&missing)
            .unwrap_err()
            .to_string()
            .starts_with("config:")
    );
    let none = Sources {
        folder: "/nowhere".into(),
        ..Sources::default()
    };
    assert_eq!(load(&none).unwrap().settings.api.listen.port(), 8080);
}

/// The list of keys is what the reference and the variables come from; the types decide what is read.
#[test]
fn every_setting_is_in_the_list_of_keys() {
    let mut settings: Vec<String> = Vec::new();
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    for (name, value) in defaults.as_object().unwrap() {
        match value.as_object() {
            Some(section) => settings.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => settings.push(name.clone()),
        }
    }
    settings.sort();
    let mut keys: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    keys.sort();
    assert_eq!(settings, keys);
    let variables = known_variables();
    for name in [
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "REDIS_URL",
        "HOSTLER_DATA_DIR",
        "HOSTLER_API__LISTEN",
    ] {
        assert!(variables.contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn the_reference_in_the_documents_is_the_one_that_is_printed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let written = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        written.trim_end(),
        reference().trim_end(),
        "write it anew: hostler config reference > docs/configuration.md"
    );
}
