//! The text of a token: `hst_<id>_<secret><checksum>`.
//!
//! The prefix and the checksum let secret scanners (and us, before asking SQL) tell a token from noise.
//! The secret is 256 random bits, so its plain SHA-256 is enough to keep.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "hst_";
const ID: usize = 16;
const SECRET: usize = 64;
const CHECKSUM: usize = 8;

/// A token's parts. Its `Debug` shows the id alone.
pub(crate) struct Token {
    id: String,
    secret: SecretString,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, redacted)", self.id)
    }
}

impl Token {
    /// A new one, from the operating system's randomness.
    #[must_use]
    pub(crate) fn generate() -> Self {
        Self {
            id: hex::encode(rand::random::<[u8; ID / 2]>()),
            secret: SecretString::from(hex::encode(rand::random::<[u8; SECRET / 2]>())),
        }
    }

    /// From its text; `None` when that is not a token of ours (no database needed to know).
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (id, rest) = rest.split_once('_')?;
        let fits = id.len() == ID
            && rest.len() == SECRET + CHECKSUM
            && id
                .bytes()
                .chain(rest.bytes())
                .all(|b| b.is_ascii_hexdigit());
        if !fits {
            return None;
        }
        let (secret, sum) = rest.split_at(SECRET);
        (checksum(id, secret) == sum).then(|| Self {
            id: id.to_owned(),
            secret: SecretString::from(secret),
        })
    }

    /// The part by which its row is found.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What is kept of it: SHA-256 of the secret part, 64 hex digits.
    #[must_use]
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.expose_secret().as_bytes()))
    }

    /// Whether it is the one whose hash was kept, in constant time.
    #[must_use]
    pub(crate) fn matches(&self, kept: &str) -> bool {
        self.hash().as_bytes().ct_eq(kept.as_bytes()).into()
    }

    /// The whole text, to be shown once.
    #[must_use]
    pub(crate) fn text(&self) -> SecretString {
        let secret = self.secret.expose_secret();
        SecretString::from(format!(
            "{PREFIX}{}_{secret}{}",
            self.id,
            checksum(&self.id, secret)
        ))
    }
}

fn checksum(id: &str, secret: &str) -> String {
    let digest = Sha256::digest(format!("{PREFIX}{id}_{secret}").as_bytes());
    hex::encode(&digest[..CHECKSUM / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_by_its_text_and_no_other_is() {
        let token = Token::generate();
        let text = token.text();
        let again = Token::parse(text.expose_secret()).unwrap();
        assert_eq!(again.id(), token.id());
        assert!(again.matches(&token.hash()));
        assert!(!Token::generate().matches(&token.hash()));
        let mut typo = text.expose_secret().to_owned();
        let last = if typo.pop() == Some('0') { '1' } else { '0' };
        typo.push(last);
        for bad in ["", "hst_", "hst_x_y", typo.as_str()] {
            assert!(Token::parse(bad).is_none());
        }
    }

    #[test]
    fn a_token_never_shows_its_secret() {
        let token = Token::generate();
        let text = token.text();
        let secret = &text.expose_secret()[21..85];
        assert!(!format!("{token:?}").contains(secret) && !token.hash().contains(secret));
    }
}
