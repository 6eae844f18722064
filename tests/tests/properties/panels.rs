//! What panels send, and where they may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use panels::fuzzing::{base, let_through, may_be_at};
use panels::http::{Redactor, lenient, retry_after};
use panels::{PanelError, ServerSettings};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use worker::webhook::sign;

/// Where no panel is by the standard library's and the registries' words, worked out without any list of
/// networks.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => is_special_v6(v6),
    }
}

fn is_special_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_special_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let hides_v4 = s[..6] == [0; 6]
        || v6.to_ipv4_mapped().is_some()
        || s[0] == 0x2002
        || s[..2] == [0x2001, 0]
        || (s[..2] == [0x64, 0xff9b] && (s[2..6] == [0; 4] || s[2] == 1));
    hides_v4 || s[0] >> 9 == 0x7e || s[0] >> 6 == 0x3fa || s[0] >> 6 == 0x3fb || v6.is_multicast()
}

/// Any address, most of them near the special ones.
fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = prop_oneof![
        any::<[u8; 4]>(),
        (
            prop::sample::select(vec![0, 10, 100, 127, 169, 172, 192, 198, 224, 240, 255]),
            any::<[u8; 3]>()
        )
            .prop_map(|(a, [b, c, d])| [a, b, c, d]),
        (
            prop::sample::select(vec![
                [100, 64],
                [169, 254],
                [172, 16],
                [192, 0],
                [192, 168],
                [198, 18]
            ]),
            any::<[u8; 2]>()
        )
            .prop_map(|([a, b], [c, d])| [a, b, c % 2, d]),
    ];
    let first = prop::sample::select(vec![
        0, 0x64, 0x2001, 0x2002, 0x2a01, 0xfc00, 0xfdff, 0xfe80, 0xfec0, 0xff02, 0x3fff,
    ]);
    let second = prop::sample::select(vec![0, 1, 0xff9b, 0x4f8]);
    let few = || {
        prop::collection::vec(
            prop_oneof![3 => Just(0_u16), 1 => Just(0xffff), 1 => any::<u16>()],
            6,
        )
    };
    let v6 = (first, second, few()).prop_map(|(a, b, rest)| {
        let mut s = [a, b, 0, 0, 0, 0, 0, 0];
        s[2..].copy_from_slice(&rest);
        s
    });
    prop_oneof![
        v4.prop_map(|octets| IpAddr::V4(octets.into())),
        v6.prop_map(|segments| IpAddr::V6(segments.into())),
        any::<[u16; 8]>().prop_map(|segments| IpAddr::V6(segments.into())),
        any::<[u8; 4]>().prop_map(|octets| IpAddr::V6(Ipv4Addr::from(octets).to_ipv6_mapped())),
    ]
}

fn settings(url: String) -> ServerSettings {
    ServerSettings {
        name: "web1".to_owned(),
        url,
        user: None,
        secret: SecretString::from("topsecret"),
        pins: Vec::new(),
        ca_pem: None,
        allow_networks: Vec::new(),
        time_zone: chrono_tz::UTC,
        options: Default::default(),
    }
}

/// A secret as people and generators make them: no blank at its ends, not one character over and over.
fn secret() -> impl Strategy<Value = String> {
    "[!-~]{3}[A-Za-z0-9]{2}[!-~äß ]{4,24}[A-Za-z0-9!/+&<\"'%]{3}"
}

/// The five ways in which a secret may stand in a text: as it is, percent, base64, JSON (as PHP writes it),
/// HTML.
fn encodings(secret: &str) -> [String; 5] {
    let percent: String = secret
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let json: String = Value::from(secret)
        .to_string()
        .chars()
        .map(|c| match c.is_ascii() {
            true => c.to_string(),
            false => format!("\\u{:04x}", u32::from(c)),
        })
        .collect();
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    [
        secret.to_owned(),
        percent,
        STANDARD.encode(secret),
        json[1..json.len() - 1].to_owned(),
        html,
    ]
}

proptest! {
    #[test]
    fn no_panel_is_asked_in_a_special_network(address in address()) {
        prop_assert_eq!(may_be_at(address, &[]), !is_special(address), "{}", address);
        let allowed = [format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }).parse().expect("a network")];
        prop_assert!(may_be_at(address, &allowed));
    }

    #[test]
    fn a_name_server_leads_nowhere_special(found in prop::collection::vec(address(), 0..5)) {
        let found: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        let open = let_through(found.clone(), &[]);
        let wanted: Vec<SocketAddr> = found.into_iter().filter(|at| !is_special(at.ip())).collect();
        prop_assert_eq!(open, wanted);
    }

    #[test]
    fn a_panels_address_is_https_without_a_user(url in "(https?|HTTPS|ftp)://([a-z]{1,5}(:[a-z]{1,4})?@)?([a-z]{1,8}\\.example|[0-9.]{7,15}|\\[[0-9a-f:]{2,12}\\])(:[0-9]{1,5})?(/[a-z?#]{0,6})?|\\PC{0,30}", port in 1..u16::MAX) {
        match base(&settings(url), port) {
            Ok(asked) => {
                prop_assert!(asked.starts_with("https://") && !asked.contains(['@', '?', '#']));
                let host = asked["https://".len()..].split('/').next().unwrap_or_default();
                let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
                if let Ok(ip) = bare.trim_matches(['[', ']']).parse::<IpAddr>() {
                    prop_assert!(!is_special(ip), "{asked}");
                }
            }
            Err(error) => {
                prop_assert_eq!(error.code(), "server_settings");
                let refused = matches!(error, PanelError::Rejected { .. });
                prop_assert!(refused);
            }
        }
    }

    #[test]
    fn retry_after_is_never_above_an_hour_nor_made_up(text in "\\PC{0,40}|-?[0-9]{1,24}|[0-9.]{1,8}", now in 0..4_000_000_000_000_i64) {
        if let Some(wait) = retry_after(&text, now) {
            prop_assert!(wait <= Duration::from_secs(3600));
            let digits = text.trim().bytes().all(|b| b.is_ascii_digit());
            prop_assert!(digits || text.contains(':'), "{text}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates_alike(seconds in 0..100_000_u64, now in 1_000_000_000..4_000_000_000_i64) {
        let capped = Duration::from_secs(seconds.min(3600));
        prop_assert_eq!(retry_after(&seconds.to_string(), now * 1000), Some(capped));
        let at = now + i64::try_from(seconds).expect("small");
        let date = chrono::DateTime::from_timestamp(at, 0).expect("a time").format("%a, %d %b %Y %H:%M:%S GMT");
        prop_assert_eq!(retry_after(&date.to_string(), now * 1000), Some(capped));
        prop_assert_eq!(retry_after(&at.to_string(), now * 1000), Some(capped));
        prop_assert_eq!(retry_after(&(at * 1000).to_string(), now * 1000), Some(capped));
    }

    #[test]
    fn a_whole_number_is_never_rounded(number in any::<i64>(), float in any::<f64>()) {
        prop_assert_eq!(lenient::signed(&json!(number)), Some(number));
        prop_assert_eq!(lenient::signed(&json!(number.to_string())), Some(number));
        prop_assert_eq!(lenient::whole(&json!(number)), u64::try_from(number).ok());
        if let Some(read) = lenient::signed(&json!(float)) {
            #[expect(clippy::cast_precision_loss, reason = "what was read is small enough")]
            let back = read as f64;
            prop_assert!(back == float && float.abs() <= 9_007_199_254_740_992.0);
        }
        let tail = format!("{number}.5");
        prop_assert_eq!(lenient::signed(&json!(tail)), None);
    }

    #[test]
    fn no_secret_survives_in_any_encoding(secret in secret(), before in "[a-z<>{}:, \\n\"]{0,80}", after in "[a-z<>&;, \\n\"]{0,80}") {
        let redactor = Redactor::of([secret.as_str()]);
        for written in encodings(&secret) {
            let text = format!("{before}{written}{after}");
            for clean in [redactor.clean(&text), redactor.reason(&text), redactor.excerpt(text.as_bytes())] {
                for spelling in encodings(&secret) {
                    prop_assert!(!clean.contains(&spelling), "{spelling} in {clean}");
                }
            }
        }
    }

    #[test]
    fn a_clean_text_is_clean_for_good(text in "(\\PC|[\\x00-\\x1f]){0,300}", secret in "[A-Za-z0-9]{8,20}") {
        let redactor = Redactor::of([secret.as_str()]);
        let clean = redactor.clean(&text);
        prop_assert!(!clean.chars().any(char::is_control));
        prop_assert!(redactor.reason(&text).chars().count() <= 300);
        prop_assert!(redactor.excerpt(text.as_bytes()).len() <= 200);
        let debug = format!("{redactor:?}");
        prop_assert!(!debug.contains(&secret));
    }

    #[test]
    fn a_signature_belongs_to_its_key_id_time_and_body(key in any::<[u8; 32]>(), id in "[a-z0-9_]{1,20}", at in 0..4_000_000_000_i64, body in "\\PC{0,60}", other in any::<[u8; 32]>()) {
        let text = |key: [u8; 32]| SecretString::from(format!("whsec_{}", STANDARD.encode(key)));
        let signed = sign(&text(key), &id, at, &body).expect("a key");
        let bytes = STANDARD.decode(signed.strip_prefix("v1,").expect("version 1")).expect("base64");
        prop_assert_eq!(bytes.len(), 32);
        prop_assert_eq!(&sign(&text(key), &id, at, &body).expect("a key"), &signed);
        prop_assert_ne!(&sign(&text(key), &id, at + 1, &body).expect("a key"), &signed);
        prop_assert_ne!(&sign(&text(key), &id, at, &format!("{body} ")).expect("a key"), &signed);
        if other != key {
            prop_assert_ne!(&sign(&text(other), &id, at, &body).expect("a key"), &signed);
        }
    }
}
