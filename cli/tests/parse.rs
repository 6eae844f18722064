//! Every command line of the public interface is understood, and its help does not change unseen.

use std::fmt::Write as _;

const UNDERSTOOD: &[&str] = &[
    "demo",
    "demo --once --json",
    "demo --accounts 4 --listen 127.0.0.1:0",
    "serve",
    "serve --listen 0.0.0.0:8443 --tls-cert c.pem --tls-key k.pem",
    "serve --listen 0.0.0.0:8080 --insecure-listen",
    "keys init",
    "keys show",
    "keys rotate",
    "scheduler --listen 127.0.0.1:8081",
    "worker --concurrency 8",
    "migrate",
    "migrate up",
    "migrate down",
    "migrate status",
    "simulate cpanel --listen 127.0.0.1:0 --accounts 20 --ledger l.jsonl --faults f.toml --seed 7",
    "simulate froxlor",
    "server add web1 --panel cpanel --url https://web1.example.net:2087 --user root --secret-file f --pin sha256/x --ca ca.pem --allow-network 10.0.0.0/8 --time-zone Europe/Berlin --max-jobs 4",
    "server add web2 --panel froxlor --url https://web2.example.net --secret-stdin",
    "server pin web1 --show",
    "server list",
    "server show web1",
    "server check web1",
    "server packages web1",
    "server pause web1 --until 2h --reason upgrade",
    "server resume web1",
    "server release-guard web1",
    "server remove web1 --force",
    "account list --server web1",
    "account show 01ABC",
    "account import --server web1 --dry-run",
    "enqueue create --server web1 --username acme --domain acme.example.com --package gold --email o@example.com --limit disk_mb=2000 --limit traffic_mb=unlimited --panel company=Acme --password-stdin --reason r --due 2h --idempotency-key k --wait 60",
    "enqueue get_stats --server web1 --month 2026-11",
    "job list --state failed --kind create --server web1 --account acme --since 2h",
    "job show 01ABC",
    "job replay 01ABC 01ABD",
    "job replay --where state=failed,server=web1 --dry-run",
    "job cancel 01ABC 01ABD",
    "traffic sync --server web1 --month 2026-11 --wait",
    "traffic sync --all",
    "traffic show --month 2026-11 --server web1 --account acme",
    "traffic export --month 2026-11 --format csv",
    "traffic export --month 2026-11 --format json",
    "traffic close --month 2026-10",
    "platform add whmcs",
    "platform list",
    "token create --platform whmcs --name main --scope create --scope suspend --server web1",
    "token list",
    "token revoke 0123456789abcdef",
    "webhook add main --platform whmcs --url https://billing.example.com/hook",
    "webhook list",
    "webhook rotate main --platform whmcs",
    "webhook remove main --platform whmcs",
    "config check",
    "config reference",
    "--config h.toml --database-url sqlite:x --redis-url redis://127.0.0.1 --data-dir d --log-format json -v --json job list",
    "job list --json -q",
];

const REFUSED: &[(&str, &str)] = &[
    ("", "Usage"),
    ("nothing", "nothing"),
    ("enqueue make --server web1", "make"),
    ("enqueue create --limit disk_mb", "NAME=VALUE"),
    ("simulate plesk", "cpanel"),
    ("server add web1 --panel plesk --url https://x", "cpanel"),
    (
        "server add web1 --panel cpanel --url https://x --secret-file f --secret-stdin",
        "secret-stdin",
    ),
    (
        "server add web1 --panel cpanel --url https://x --time-zone Mars/Base",
        "time-zone",
    ),
    ("server pin web1", "--show"),
    ("job replay", "IDS"),
    ("job replay 01ABC --where state=failed", "where"),
    ("job list --state gone", "gone"),
    ("token create --platform p --name n", "scope"),
    (
        "token create --platform p --name n --scope everything",
        "everything",
    ),
    ("traffic sync", "server"),
    ("traffic export --month november", "november"),
    ("job list -v -q", "verbose"),
];

fn words(line: &str) -> Vec<&str> {
    std::iter::once("hostler")
        .chain(line.split_whitespace())
        .collect()
}

#[test]
fn every_command_of_the_interface_is_understood() {
    for line in UNDERSTOOD {
        if let Err(error) = cli::parse(words(line)) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_usage_names_what_is_wrong() {
    for (line, word) in REFUSED {
        let error = cli::parse(words(line)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(word), "{line}: {error}");
    }
}

#[test]
fn no_secret_can_be_an_argument() {
    let mut parser = cli::parser();
    parser.build();
    let mut pending = vec![parser];
    while let Some(command) = pending.pop() {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let secret = ["password", "secret", "token", "key"].contains(&name);
            assert!(!secret, "{} --{name}", command.get_name());
        }
        pending.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_help_of_every_command() {
    let mut parser = cli::parser().term_width(100);
    parser.build();
    let mut text = String::new();
    collect(&mut parser, &mut text);
    insta::assert_snapshot!(text);
}

/// Every command's own help; the global options once.
fn collect(command: &mut clap::Command, text: &mut String) {
    let help = command.render_help().to_string();
    let own = match help.split_once("\nGlobal:\n") {
        Some((own, _)) if !text.is_empty() => own,
        _ => &help,
    };
    let _ = writeln!(text, "{}\n", own.trim_end());
    for sub in command.get_subcommands_mut() {
        if sub.get_name() != "help" {
            let _ = writeln!(text, "----");
            collect(sub, text);
        }
    }
}
