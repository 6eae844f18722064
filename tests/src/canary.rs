//! Secrets that can be told from all other text, and the scanner that finds them in whatever disguise.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets by name, in all their guises.
#[derive(Debug, Clone, Default)]
pub struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// Adds a secret; `user` is who it belongs to where it may be written as `user:secret`.
    ///
    /// # Panics
    /// When it is too short to be told from other text.
    pub fn add(&mut self, name: &str, secret: &str, user: &str) {
        assert!(secret.len() > 12, "{name} is long enough to be told apart");
        let guises = BTreeSet::from_iter(guises(secret, user)).into_iter();
        self.0.extend(guises.map(|guise| (name.to_owned(), guise)));
        // A key is kept as base64 of its bytes, which may be written down in another way.
        if let Ok(bytes) = STANDARD.decode(secret.trim_start_matches("whsec_"))
            && bytes.len() >= 16
        {
            self.0.push((name.to_owned(), hex(&bytes)));
            self.0.push((name.to_owned(), hex(&bytes).to_uppercase()));
            self.0.push((name.to_owned(), format!("{bytes:?}")));
        }
    }

    /// Those that are in there: each name with the guise.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let found = self.0.iter().filter(|(_, guise)| text.contains(guise));
        let named = found.map(|(name, guise)| format!("{name} as {guise}"));
        named.collect()
    }

    /// Says where the first hit of each is, with what stands around it.
    #[must_use]
    pub fn hits(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let mut hits = Vec::new();
        for (name, guise) in &self.0 {
            if let Some(at) = text.find(guise) {
                let before: String = text[..at].chars().rev().take(120).collect();
                let before: String = before.chars().rev().collect();
                let after: String = text[at..].chars().take(guise.len() + 40).collect();
                hits.push(format!("{place} holds {name}: ...{before}{after}..."));
            }
        }
        hits
    }
}

/// A secret in every way in which it might be written somewhere: raw, URL-escaped, base64 wherever it
/// begins in a longer text, JSON-escaped, as HTML, and hexadecimal.
fn guises(secret: &str, user: &str) -> Vec<String> {
    let mut guises = vec![secret.to_owned()];
    for text in [secret.to_owned(), format!("{user}:{secret}")] {
        for skip in 0..3.min(text.len()) {
            let whole = (text.len() - skip) / 3 * 3;
            let part = &text.as_bytes()[skip..skip + whole];
            guises.push(STANDARD_NO_PAD.encode(part));
            guises.push(URL_SAFE_NO_PAD.encode(part));
        }
    }
    for kept in ["", "-_.~", "-_.?@", "-_.!~*'()", "/"] {
        guises.push(each(secret, kept, |byte| format!("%{byte:02X}")));
        guises.push(each(secret, kept, |byte| format!("%{byte:02x}")));
    }
    for kept in ["", "-_.~", "@", "@?", "-@?", "+-_.:,;@?!="] {
        guises.push(each(secret, kept, |byte| format!("\\u{byte:04x}")));
        guises.push(each(secret, kept, |byte| format!("\\u{byte:04X}")));
    }
    guises.push(secret.replace('\\', "\\\\").replace('"', "\\\""));
    guises.push(secret.replace('/', "\\/"));
    let html = secret.replace('&', "&amp;").replace('<', "&lt;");
    guises.push(html.replace('"', "&quot;").replace('\'', "&#39;"));
    guises.push(hex(secret.as_bytes()));
    guises.push(hex(secret.as_bytes()).to_uppercase());
    guises
}

/// The text with what is neither a letter, a digit nor `kept` in another form.
fn each(secret: &str, kept: &str, form: impl Fn(u8) -> String) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&form(byte));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const IT: &str = "Pl4nted+Ch0sen@pw-Zq9?";

    fn it() -> Canaries {
        let mut canaries = Canaries::default();
        canaries.add("it", IT, "root");
        canaries
    }

    #[test]
    fn a_secret_is_recognized_in_every_guise() {
        for text in [
            format!("x{IT}y"),
            STANDARD.encode(format!("root:{IT}")),
            STANDARD.encode(format!("a{IT}")),
            STANDARD.encode(format!("aa{IT}bb")),
            URL_SAFE_NO_PAD.encode(IT),
            "password=Pl4nted%2BCh0sen%40pw-Zq9%3F&x=1".to_owned(),
            "Pl4nted%2bCh0sen%40pw-Zq9%3f".to_owned(),
            r#"{"p":"Pl4nted\u002bCh0sen@pw-Zq9?"}"#.to_owned(),
            r#"{"p":"Pl4nted\u002BCh0sen\u0040pw\u002DZq9\u003F"}"#.to_owned(),
            format!("{:?}", serde_json::json!({"nested": {"p": IT}}).to_string()),
            format!("\\x{}", hex(IT.as_bytes())),
            hex(IT.as_bytes()).to_uppercase(),
        ] {
            assert!(!it().found_in(text.as_bytes()).is_empty(), "{text}");
        }
        let others = b"Pl4nted and others, Ch0sen@pw";
        assert_eq!(it().found_in(others), Vec::<String>::new());
    }

    #[test]
    fn quotes_and_slashes_are_seen_through_their_escapes() {
        let mut canaries = Canaries::default();
        canaries.add("quoted", "Pl4nted\"quote/slash\\", "u");
        for text in [
            serde_json::json!("Pl4nted\"quote/slash\\").to_string(),
            "Pl4nted&quot;quote/slash\\".to_owned(),
            "Pl4nted\"quote\\/slash\\".to_owned(),
        ] {
            assert!(!canaries.found_in(text.as_bytes()).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_key_is_recognized_by_its_bytes() {
        let bytes: Vec<u8> = (100..132).collect();
        let mut canaries = Canaries::default();
        canaries.add("key", &STANDARD.encode(&bytes), "");
        for text in [
            hex(&bytes),
            hex(&bytes).to_uppercase(),
            format!("Key({bytes:?})"),
        ] {
            assert!(!canaries.found_in(text.as_bytes()).is_empty(), "{text}");
        }
    }

    /// In the middle of bytes that are no text, as in a database's file, and across none.
    #[test]
    fn a_leak_in_each_kind_of_place_is_found() {
        let places: [(&str, Vec<u8>); 7] = [
            (
                "a log line",
                format!("WARN worker: no: {IT}\n").into_bytes(),
            ),
            (
                "an answer",
                serde_json::json!({"error": {"message": IT}})
                    .to_string()
                    .into_bytes(),
            ),
            (
                "a metric",
                format!("hostler_attempts_total{{kind=\"{IT}\"}} 1\n").into_bytes(),
            ),
            (
                "a panic",
                format!("thread 'main' panicked at src/x.rs:1:1:\n{IT}").into_bytes(),
            ),
            (
                "a page of a database",
                [&[0, 255, 254, 13][..], IT.as_bytes(), &[0; 9]].concat(),
            ),
            (
                "a dump",
                format!("INSERT INTO job VALUES ('\\x{}');", hex(IT.as_bytes())).into_bytes(),
            ),
            (
                "a Redis value",
                [b"\x00\xc3\x16", IT.as_bytes(), b"\x0b\x00"].concat(),
            ),
        ];
        for (place, bytes) in places {
            assert_eq!(it().hits(place, &bytes).len().min(1), 1, "{place}");
        }
    }
}
