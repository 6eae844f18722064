//! What is shipped beside the binary fits the binary: the composition's commands and variables, the
//! image, the time that a stop is given.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use cli::config::{Settings, Sources, known_variables};
use jobs::JobKind;
use serde_json::Value;
use tests::installation::{binary, faulty_binary};

/// What the files in `/run/secrets` hold when it runs.
const LEDGER: &str = "postgres://hostler:secret@postgres:5432/hostler";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn composition() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).expect("the composition can be read")
}

fn services() -> BTreeMap<String, Value> {
    let services = composition()["services"].clone();
    serde_json::from_value(services).expect("services have names")
}

/// Services that run our binary as it is.
fn ours() -> BTreeMap<String, Value> {
    let ours = services().into_iter().filter(|(_, service)| {
        service["image"] == "hostler" && service.get("entrypoint").is_none()
    });
    ours.collect()
}

fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list").iter();
    list.map(|word| word.as_str().expect("a word").replace("$$", "$"))
        .collect()
}

fn command(service: &Value) -> Vec<String> {
    let mut line = vec!["hostler".to_owned()];
    line.extend(words(&service["command"]));
    line
}

fn environment(service: &Value) -> BTreeMap<String, String> {
    let variables = service.get("environment").cloned().unwrap_or_default();
    if variables.is_null() {
        return BTreeMap::new();
    }
    serde_json::from_value(variables).expect("variables are texts")
}

/// Seconds of `90s`.
fn seconds(service: &Value) -> u64 {
    let text = service["stop_grace_period"].as_str().expect("a duration");
    let number = text.strip_suffix('s').expect("in seconds");
    number.parse().expect("a number")
}

#[test]
fn every_role_is_in_the_composition() {
    let commands: BTreeSet<String> = ours().values().map(|s| command(s)[1].clone()).collect();
    for role in ["keys", "migrate", "scheduler", "worker", "simulate"] {
        assert!(commands.contains(role), "{role} is in {commands:?}");
    }
    for name in ["postgres", "redis"] {
        assert!(services().contains_key(name));
    }
}

#[test]
fn every_command_is_one_that_the_binary_takes() {
    for (name, service) in ours() {
        let line = command(&service);
        if let Err(error) = cli::parse(&line) {
            panic!("{name}: {line:?}: {error}");
        }
        if let Some(check) = service.get("healthcheck") {
            let line = words(&check["test"]);
            assert_eq!(line[0], "CMD", "{name}");
            if line[1] == "hostler" {
                assert!(cli::parse(&line[1..]).is_ok(), "{name}: {line:?}");
            }
        }
    }
    assert!(cli::parse(["hostler", "scheduler", "--planted"]).is_err());
}

#[test]
fn every_variable_is_known_and_every_value_is_right() {
    let known = known_variables();
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, LEDGER).expect("written");
    for (name, service) in ours() {
        let mut variables = Vec::new();
        for (variable, value) in environment(&service) {
            assert!(known.contains(&variable), "{name}: {variable}");
            let value = match value.strip_prefix("/run/secrets/") {
                Some(_) => secret.display().to_string(),
                None => value,
            };
            variables.push((variable, value));
        }
        let sources = Sources {
            environment: variables,
            folder: folder.path().to_owned(),
            ..Sources::default()
        };
        let config = cli::config::load(&sources).unwrap_or_else(|error| panic!("{name}: {error}"));
        let url = &config.settings.database.url;
        if service.get("secrets").is_some() {
            assert_eq!(url.as_ref().map(|url| url.reveal()), Some(LEDGER), "{name}");
        }
    }
}

#[test]
fn the_built_binary_agrees_on_scheduler_and_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, LEDGER).expect("written");
    for name in ["scheduler", "worker"] {
        let service = &ours()[name];
        let mut check = Command::new(binary());
        check
            .args(["config", "check", "--json"])
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL");
        for (variable, value) in environment(service) {
            let from_file = value.starts_with("/run/secrets/");
            check.env(
                variable,
                if from_file {
                    secret.display().to_string()
                } else {
                    value
                },
            );
        }
        let output = check.output().expect("the binary runs");
        let (out, err) = (output.stdout, output.stderr);
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&err)
        );
        assert!(
            !String::from_utf8_lossy(&out).contains("secret@"),
            "the password is hidden"
        );
    }
}

#[test]
fn a_stop_waits_for_the_longest_call() {
    let settings = Settings::default();
    let longest = JobKind::ALL
        .map(|kind| kind.policy().deadline)
        .into_iter()
        .max()
        .unwrap();
    let grace = u64::from(settings.worker.grace_seconds);
    assert!(grace > longest.as_secs());
    assert!(
        seconds(&ours()["worker"]) > grace,
        "or Docker kills a worker in the middle of a call"
    );
}

#[test]
fn no_secret_stands_in_the_composition() {
    let declared = composition()["secrets"].clone();
    for (name, service) in services() {
        for (variable, value) in environment(&service) {
            let secret = ["PASSWORD", "SECRET", "TOKEN", "DATABASE_URL"];
            if secret.iter().any(|word| variable.contains(word)) {
                assert!(variable.ends_with("_FILE"), "{name}: {variable}");
                let file = value
                    .strip_prefix("/run/secrets/")
                    .expect("a secret's path");
                assert!(
                    declared[file]["file"].is_string(),
                    "{name}: {file} is declared"
                );
                assert!(
                    words(&service["secrets"]).contains(&file.to_owned()),
                    "{name}: {file} is given"
                );
            }
            assert!(
                !value.contains('@'),
                "{name}: {variable} holds no credentials"
            );
        }
    }
}

#[test]
fn the_scheduler_cannot_open_what_the_panels_need() {
    let services = services();
    let mounts = |name: &str| words(&services[name]["volumes"]);
    assert_eq!(mounts("scheduler"), ["scheduler:/var/lib/hostler"]);
    assert_eq!(mounts("worker"), ["worker:/var/lib/hostler"]);
    let script = words(&services["hand-out"]["command"]).remove(0);
    for line in script
        .lines()
        .filter(|line| line.contains("/roles/scheduler/keys"))
    {
        assert!(!line.contains("worker.key"), "{line}");
    }
    for line in script
        .lines()
        .filter(|line| line.contains("/roles/worker/keys"))
    {
        assert!(
            !line.contains("api.key") && !line.contains("intake.key"),
            "{line}"
        );
    }
}

#[test]
fn nothing_but_the_loopback_is_open_and_nothing_runs_as_root() {
    for (name, service) in services() {
        if let Some(ports) = service.get("ports") {
            assert!(
                words(ports)
                    .iter()
                    .all(|port| port.starts_with("127.0.0.1:")),
                "{name}"
            );
        }
    }
    for (name, service) in ours() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert!(
            service.get("user").is_none(),
            "{name}: the image's own user"
        );
    }
    let image = read("Dockerfile");
    let last = image.rsplit("\nFROM ").next().unwrap_or_default();
    assert!(last.contains("\nUSER 10001\n") && last.contains("ca-certificates"));
    assert!(last.contains("ENTRYPOINT [\"hostler\"]"));
}

#[test]
fn services_that_stay_are_watched_and_restarted() {
    for (name, service) in services() {
        let once = ["keys", "hand-out", "migrate", "rotate-keys"].contains(&name.as_str());
        let pretend = name.starts_with("simulated-");
        if !once && !pretend {
            assert!(service["healthcheck"]["test"].is_array(), "{name}");
            assert_eq!(service["restart"], "unless-stopped", "{name}");
        }
    }
}

#[test]
fn the_image_is_built_with_a_compiler_that_is_new_enough() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).expect("TOML");
    let wanted = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .expect("a version");
    let image = read("Dockerfile");
    let line = image
        .lines()
        .find_map(|line| line.strip_prefix("FROM rust:"));
    let version = line
        .and_then(|line| line.split('-').next())
        .expect("a version");
    let minor = |version: &str| {
        version
            .split('.')
            .nth(1)
            .map(|text| text.parse::<u32>().unwrap())
    };
    assert!(
        minor(version) >= minor(wanted),
        "{version} is older than {wanted}"
    );
}

/// Failpoints and seeded bugs are read from these variables, whose names a binary that can read them holds.
#[test]
fn the_released_binary_cannot_be_broken_on_purpose() {
    let holds = |path: PathBuf, word: &str| {
        let bytes = std::fs::read(path).expect("a built binary can be read");
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    for variable in ["HOSTLER_FAILPOINT", "HOSTLER_BUG"] {
        assert!(holds(faulty_binary(), variable), "{variable}");
        assert!(!holds(binary(), variable), "{variable}");
    }
}
