//! Taking secrets out of texts that operators and customers see.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::Regex;
use zeroize::Zeroizing;

/// What stands where a secret stood.
const MASK: &str = "[redacted]";
/// Most bytes of an excerpt.
const EXCERPT: usize = 200;
/// Most characters of a reason that a customer sees.
const REASON: usize = 300;
/// As much of a text is looked at; the rest cannot come into an excerpt.
const WINDOW: usize = 16 << 10;
/// Shorter secrets would blank out half of every text; no panel allows them.
const SHORTEST: usize = 4;

/// Knows the live secrets of a call and takes them out of texts, however they are written there, and
/// with them everything that looks like a secret.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every spelling of every secret, longest first.
    needles: Arc<Vec<Zeroizing<String>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// One that knows these secrets.
    #[must_use]
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut needles: Vec<Zeroizing<String>> = Vec::new();
        for secret in secrets {
            needles.extend(spellings(secret).map(Zeroizing::new));
        }
        needles.retain(|needle| needle.len() >= SHORTEST);
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self {
            needles: Arc::new(needles),
        }
    }

    /// The text without secrets, control characters escaped; at most a few kilobytes of it.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        escape(&mask_patterns(self.mask_live(text)))
    }

    /// The beginning of the text without the live secrets.
    fn mask_live(&self, text: &str) -> String {
        let whole = text.len() <= WINDOW;
        let mut text = head(text, WINDOW).to_owned();
        for needle in self.needles.iter() {
            if text.contains(needle.as_str()) {
                text = text.replace(needle.as_str(), MASK);
            }
        }
        if !whole {
            // The cut may have left the beginning of a secret, which no longer is recognised.
            let longest = self.needles.first().map_or(0, |needle| needle.len());
            let sure = head(&text, text.len().saturating_sub(longest)).len();
            text.truncate(sure);
        }
        text
    }

    /// The beginning of a body, clean, at most 200 bytes.
    #[must_use]
    pub fn excerpt(&self, body: &[u8]) -> String {
        let head = &body[..body.len().min(2 * WINDOW)];
        cut_bytes(self.clean(&String::from_utf8_lossy(head)), EXCERPT)
    }

    /// A panel's reason as a customer may read it: clean, without markup, one line, at most 300
    /// characters.
    #[must_use]
    pub fn reason(&self, text: &str) -> String {
        // Live secrets first: what looks like markup may be a part of one.
        let masked = self.mask_live(text);
        let plain = MARKUP.replace_all(&masked, " ");
        let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let clean = self.clean(&line);
        match clean.char_indices().nth(REASON) {
            Some(_) => clean.chars().take(REASON - 1).chain(['…']).collect(),
            None => clean,
        }
    }
}

/// Every way in which a secret may be written in a request, an answer or a log that an answer quotes.
fn spellings(secret: &str) -> impl Iterator<Item = String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // Perl's and PHP's encoders of JSON write only ASCII.
    let ascii_json = ascii(&json);
    // By the standard, what browsers leave as it is, and encoders that leave nothing.
    let [standard, script, all] =
        [b"-._~".as_slice(), b"-._~!*'()", b""].map(|kept| percent(secret, kept));
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let numeric_quote = html.replace('\'', "&#039;");
    let short_quote = html.replace('\'', "&#39;");
    [
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        ascii_json.replace('/', "\\/"),
        ascii_json,
        form.to_ascii_lowercase(),
        lower_escapes(&standard),
        lower_escapes(&form),
        lower_escapes(&script),
        lower_escapes(&all),
        form,
        standard,
        script,
        all,
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        html,
        numeric_quote,
        short_quote,
    ]
    .into_iter()
}

/// Everything but ASCII letters, digits and `kept` as `%XX`.
fn percent(text: &str, kept: &[u8]) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || kept.contains(&b) => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// `ä` as `\u00e4`, beyond 16 bits as a pair.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// `%2F` as `%2f`, the rest as it is.
fn lower_escapes(encoded: &str) -> String {
    let mut left = 0_u8;
    encoded
        .chars()
        .map(|c| {
            if c == '%' {
                left = 2;
                c
            } else if left > 0 {
                left -= 1;
                c.to_ascii_lowercase()
            } else {
                c
            }
        })
        .collect()
}

/// What looks like a secret, and what to write instead.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // WHM's creation log: `| PassWord: …`; JSON and query fields by their names.
        (
            r#"(?i)((?:pass\s?word|passwd|passphrase|\bpass|\bpwd|secret|api[_-]?key|access[_-]?hash|token|session|private[_-]?key)\w*\\*["']?\s*(?:[:=]|=>)\s*)(\\*"(?:[^"\\]|\\[^"]|\\")*"?|'[^']*'?|[^\s&,|<>}]+)"#,
            "${1}[redacted]",
        ),
        (r#"(?i)(authorization\\*"?\s*[:=]\s*\\*"?)[^\r\n"\\]+"#, "${1}[redacted]"),
        (r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=_.~-]{12,}", "${1} [redacted]"),
        (r"(?i)\b(whm\s+[a-z0-9._-]+):[A-Za-z0-9]{8,}", "${1}:[redacted]"),
        (r"\$(?:2[abxy]|[1567y]|gy|argon2(?:id|i|d))\$[A-Za-z0-9./$=,+-]{8,}", "[redacted]"),
        (r"cpsess[0-9A-Za-z]{4,}", "[redacted]"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", "[redacted]"),
        (r"(://)[^/\s@]+@", "${1}[redacted]@"),
    ]
    .into_iter()
    .filter_map(|(pattern, mask)| Some((Regex::new(pattern).ok()?, mask)))
    .collect()
});

fn mask_patterns(mut text: String) -> String {
    for (pattern, mask) in PATTERNS.iter() {
        if let std::borrow::Cow::Owned(masked) = pattern.replace_all(&text, *mask) {
            text = masked;
        }
    }
    text
}

static MARKUP: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(
        clippy::unwrap_used,
        reason = "a constant pattern, tried by every test"
    )]
    Regex::new(r"<[^<>]{0,200}>").unwrap()
});

/// Control and direction-changing characters in a visible form, so that no text can move a terminal's
/// cursor or read otherwise than it is.
fn escape(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push(' '),
            c if c.is_control() || turns => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    clean
}

/// The first `most` bytes at most, whole characters.
fn head(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn cut_bytes(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = head(&text, most - '…'.len_utf8()).len();
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), 8);
    }

    #[test]
    fn a_live_secret_goes_in_every_spelling() {
        let secret = r#"aB/3"x&y'z +ü"#;
        let redactor = Redactor::of([secret]);
        for spelling in spellings(secret) {
            let clean = redactor.clean(&format!("before {spelling} after"));
            assert_eq!(clean, format!("before {MASK} after"), "{spelling}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_goes_too() {
        let redactor = Redactor::default();
        for (text, secret) in [
            ("| UserName: bob\n| PassWord: hunter2!\n| CpMod", "hunter2!"),
            (r#"{"secret":"abc\"def","x":1}"#, "def"),
            (r#"{\"api_token\":\"abcdef\"}"#, "abcdef"),
            ("Authorization: whm root:ABCDEF0123", "ABCDEF0123"),
            ("sent whm root:ABCDEF0123 there", "ABCDEF0123"),
            ("Basic cm9vdDpodW50ZXIy", "cm9vdDpodW50ZXIy"),
            ("user=bob&password=p%26w&x=1", "p%26w"),
            ("x $2y$05$abcdefghijklmnopqrstuv x", "abcdefghij"),
            ("x $6$salt$abcdefghijk x", "abcdefghijk"),
            ("https://h:2083/cpsess123456/login", "123456"),
            ("https://root:pw@host/", "pw@"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "MIIE"),
        ] {
            let clean = redactor.clean(text);
            assert!(!clean.contains(secret), "{clean}");
            assert!(clean.contains(MASK), "{clean}");
        }
    }

    #[test]
    fn a_sentence_about_passwords_stays_readable() {
        let reason = "Sorry, the password you selected cannot be used because it is too weak.";
        assert_eq!(Redactor::default().reason(reason), reason);
    }

    #[test]
    fn excerpts_are_short_one_line_and_printable() {
        let redactor = Redactor::of(["topsecret"]);
        let body = format!("\u{1b}[2J\r\n{}\u{202e}topsecret", "é".repeat(300));
        let excerpt = redactor.excerpt(body.as_bytes());
        assert!(excerpt.len() <= EXCERPT);
        assert!(excerpt.starts_with("\\u{1b}[2J\\r\\n"), "{excerpt}");
        let reason = redactor.reason(&format!("<b>No</b>\n {}", "x".repeat(400)));
        assert_eq!(reason.chars().count(), REASON);
        assert!(reason.starts_with("No x"));
    }

    #[test]
    fn a_secret_across_the_window_is_not_half_shown() {
        let redactor = Redactor::of(["topsecretword"]);
        for before in WINDOW - 40..WINDOW + 4 {
            let text = format!("{}topsecretword{}", "a".repeat(before), "b".repeat(100));
            assert!(!redactor.clean(&text).contains("tops"), "{before}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Redactor::of(["topsecret"])), "Redactor");
    }

    proptest::proptest! {
        #[test]
        fn no_secret_gets_through(
            secret in "[A-Z0-9!-/:-@ ]{8,40}",
            before in "[a-z<> \\n]{0,60}",
            after in "[a-z<> \\n]{0,60}",
        ) {
            let redactor = Redactor::of([secret.as_str()]);
            for spelling in spellings(&secret) {
                let text = format!("{before}{spelling}{after}");
                for clean in [redactor.clean(&text), redactor.reason(&text)] {
                    let parts = secret.as_bytes().windows(6);
                    for part in parts.filter(|part| part.iter().any(u8::is_ascii_alphanumeric)) {
                        let part = String::from_utf8_lossy(part);
                        proptest::prop_assert!(!clean.contains(&*part), "{clean}");
                    }
                }
                proptest::prop_assert!(redactor.excerpt(text.as_bytes()).len() <= EXCERPT);
            }
        }
    }
}
