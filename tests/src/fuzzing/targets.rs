//! The targets, and what each promises of any input.

use std::net::IpAddr;
use std::time::Duration;

use hosting::{Bytes, DomainName, Limit, Limits, Month, Username};
use jobs::queue::job_of_entry;
use panels::fuzzing::{base, froxlor, hostbill, may_be_at, whm};
use panels::http::{Effect, Redactor, lenient, retry_after};
use panels::{PanelError, ServerSettings};
use scheduler::intake::JobRequest;
use secrecy::SecretString;
use serde_json::Value;
use worker::webhook::sign;

use super::Target;

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target {
        name: "whm",
        recorded: &["panels/src/drivers/cpanel/fixtures"],
        run: read_whm,
    },
    Target {
        name: "froxlor",
        recorded: &["panels/src/drivers/froxlor/fixtures"],
        run: read_froxlor,
    },
    Target {
        name: "hostbill",
        recorded: &[],
        run: read_hostbill,
    },
    Target {
        name: "intake",
        recorded: &[],
        run: read_request,
    },
    Target {
        name: "payload",
        recorded: &[],
        run: read_payload,
    },
    Target {
        name: "config",
        recorded: &[],
        run: read_config,
    },
    Target {
        name: "redis",
        recorded: &[],
        run: read_entry,
    },
    Target {
        name: "retry_after",
        recorded: &[],
        run: read_retry_after,
    },
    Target {
        name: "redactor",
        recorded: &["panels/src/drivers/cpanel/fixtures"],
        run: redact,
    },
    Target {
        name: "address",
        recorded: &[],
        run: read_address,
    },
    Target {
        name: "signature",
        recorded: &[],
        run: sign_with,
    },
    Target {
        name: "month",
        recorded: &[],
        run: read_month,
    },
    Target {
        name: "units",
        recorded: &[],
        run: read_units,
    },
];

/// HTTP statuses under which anything may come; the first byte chooses.
const STATUSES: [u16; 16] = [
    200, 200, 200, 200, 201, 303, 400, 401, 403, 404, 405, 406, 429, 500, 502, 503,
];

/// A canary that stands in no corpus; see [`redact`].
const SECRET: &str = "Zq7!kX\"2/w&<L9'p %";

fn panel(input: &[u8], read: fn(Effect, u16, &[u8]) -> Result<usize, PanelError>) {
    // Recorded answers begin with `{`: they are tried as they are, under the usual status.
    let (status, body) = match input.split_first() {
        Some((first, rest)) if *first < 0x20 => (STATUSES[usize::from(first % 16)], rest),
        _ => (200, input),
    };
    for effect in [Effect::Read, Effect::Change] {
        if let Err(error) = read(effect, status, body) {
            is_an_error_for_people(effect, &error);
        }
    }
}

/// What the error says about the change, and that its texts are short and cannot move a cursor.
fn is_an_error_for_people(effect: Effect, error: &PanelError) {
    match (effect, error) {
        (Effect::Change, PanelError::Transient(_)) => {
            panic!("an answer to a change says that nothing was changed: {error:?}")
        }
        (Effect::Read, PanelError::InDoubt(_)) => {
            panic!("a read left a change in doubt: {error:?}")
        }
        _ => {}
    }
    if let PanelError::Throttled {
        after: Some(after), ..
    } = error
    {
        assert!(*after <= Duration::from_secs(3600));
    }
    let detail = error.detail();
    for text in [
        error.to_string(),
        detail.what.clone(),
        detail.reply.clone().unwrap_or_default(),
    ] {
        assert!(
            text.len() <= 1600 && !text.chars().any(char::is_control),
            "{text:?}"
        );
    }
}

fn read_whm(input: &[u8]) {
    panel(input, whm);
}

fn read_froxlor(input: &[u8]) {
    panel(input, froxlor);
}

fn read_hostbill(input: &[u8]) {
    panel(input, hostbill);
}

fn read_request(input: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    match JobRequest::parse(&body) {
        Ok(request) => assert_eq!(body["kind"], Value::from(request.kind)),
        Err(problem) => assert!(problem.errors.iter().all(|error| !error.field.is_empty())),
    }
}

/// What a newer or a broken version may have left in a job's row.
fn read_payload(input: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<jobs::JobSpec>(input) else {
        return;
    };
    let text = serde_json::to_string(&spec).expect("JSON");
    assert_eq!(
        serde_json::from_str::<jobs::JobSpec>(&text).expect("read again"),
        spec
    );
}

fn read_config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("hostler.toml"), text).expect("written");
    let sources = cli::config::Sources {
        folder: folder.path().to_owned(),
        ..cli::config::Sources::default()
    };
    match cli::config::load(&sources) {
        Ok(config) => {
            assert!(config.settings.worker.concurrency > 0 && config.settings.pace().is_ok());
        }
        Err(failure) => assert!(!failure.to_string().is_empty()),
    }
}

fn read_entry(input: &[u8]) {
    let id = job_of_entry(input);
    let plain = std::str::from_utf8(input)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let wanted = plain
        .filter(|text| text.len() <= 19)
        .and_then(|text| text.parse().ok());
    assert_eq!(id, wanted);
}

fn read_retry_after(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for now in [0, 784_111_777_000, 1_795_000_000_000, i64::MAX, i64::MIN] {
        if let Some(wait) = retry_after(&text, now) {
            assert!(wait <= Duration::from_secs(3600), "{text}");
        }
    }
}

/// The canary stands somewhere in the text, as it is and escaped.
fn redact(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let middle = (0..=text.len() / 2)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let redactor = Redactor::of([SECRET]);
    let escaped = Value::from(SECRET).to_string();
    for written in [SECRET, escaped.trim_matches('"')] {
        let text = format!("{}{written}{}", &text[..middle], &text[middle..]);
        for clean in [
            redactor.clean(&text),
            redactor.reason(&text),
            redactor.excerpt(text.as_bytes()),
        ] {
            assert!(
                !clean.contains("Zq7!kX") && !clean.contains("L9'p"),
                "{clean}"
            );
            assert!(!clean.chars().any(char::is_control), "{clean:?}");
        }
        assert!(redactor.reason(&text).chars().count() <= 300);
        assert!(redactor.excerpt(text.as_bytes()).len() <= 200);
    }
}

fn read_address(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(ip) = text.parse::<IpAddr>() {
        let local = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
        assert!(!local || !may_be_at(ip, &[]), "{ip}");
    }
    let settings = ServerSettings {
        name: "web1".to_owned(),
        url: text.to_string(),
        user: None,
        secret: SecretString::from("topsecret"),
        pins: Vec::new(),
        ca_pem: None,
        allow_networks: Vec::new(),
        time_zone: chrono_tz::UTC,
        options: Default::default(),
    };
    if let Ok(asked) = base(&settings, 2087) {
        let authority = asked
            .strip_prefix("https://")
            .and_then(|rest| rest.split('/').next());
        let authority = authority.expect("nothing but https");
        assert!(
            !authority.contains('@') && !asked.contains(['?', '#']),
            "{asked}"
        );
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            assert!(may_be_at(ip, &[]), "{asked}");
        }
    }
}

fn sign_with(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(signature) = sign(&SecretString::from(text.as_ref()), "msg_1", 1, "{}") {
        assert!(text.trim().starts_with("whsec_"));
        assert_eq!(signature.len(), "v1,".len() + 44);
    }
}

fn read_month(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(month) = text.parse::<Month>() {
        assert_eq!(month.to_string(), text);
        assert_eq!(month.next().previous(), month);
    }
    if let Ok(name) = text.parse::<DomainName>() {
        assert_eq!(name.as_str().parse::<DomainName>().expect("again"), name);
    }
    if let Ok(name) = text.parse::<Username>() {
        assert_eq!(name.as_str(), text);
    }
}

fn read_units(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let value =
        serde_json::from_slice::<Value>(input).unwrap_or_else(|_| Value::from(text.as_ref()));
    if let Some(number) = lenient::whole(&value) {
        assert_eq!(
            lenient::signed(&value).and_then(|n| u64::try_from(n).ok()),
            Some(number)
        );
        assert!(Bytes::new(number).is_some());
    }
    let _ = (
        lenient::flag(&value),
        lenient::items(&value).len(),
        lenient::text(&value),
    );
    if let Ok(limit) = text.parse::<Limit>() {
        assert_eq!(limit.to_string().parse::<Limit>().expect("again"), limit);
    }
    if let Ok(limits) = serde_json::from_slice::<Limits>(input) {
        let json = serde_json::to_string(&limits).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Limits>(&json).expect("again"),
            limits
        );
    }
}
