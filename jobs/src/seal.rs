//! Sealing secrets to the one who needs them.
//!
//! HPKE (RFC 9180) in base mode: X25519, HKDF-SHA-256, ChaCha20-Poly1305. What a secret is for is bound
//! into it (`purpose|audience|owner`), so a ciphertext moved to another row does not open. Public keys
//! come from files, never from SQL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::store::{Audience, NewSecret, Purpose};

type Suite = X25519HkdfSha256;

const INFO: &[u8] = b"hostler sealed secret, version 1";

/// Something is wrong with a key or a ciphertext. None of the texts holds either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is no key.
    #[error("this is no key of ours: {0}")]
    NoKey(&'static str),
    /// The secret was sealed to a key that we do not have.
    #[error("the secret is sealed to key {0}, which is not here")]
    OtherKey(String),
    /// It does not open: it was changed, or belongs to another row.
    #[error("the secret does not open")]
    Broken,
    /// There is none (any more).
    #[error("the secret is gone")]
    Gone,
}

/// A key to seal to.
#[derive(Clone)]
pub struct PublicKey {
    key: <Suite as Kem>::PublicKey,
    id: String,
}

/// A key that opens what was sealed to its public half.
#[derive(Clone)]
pub struct PrivateKey {
    key: <Suite as Kem>::PrivateKey,
    public: PublicKey,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({}, redacted)", self.public.id)
    }
}

impl PublicKey {
    /// From the text in its file (base64 of 32 bytes).
    ///
    /// # Errors
    /// [`SealError::NoKey`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = BASE64
            .decode(text.trim())
            .map_err(|_| SealError::NoKey("not base64"))?;
        let key = <Suite as Kem>::PublicKey::from_bytes(&bytes)
            .map_err(|_| SealError::NoKey("a public key has 32 bytes"))?;
        Ok(Self::of(key))
    }

    fn of(key: <Suite as Kem>::PublicKey) -> Self {
        let id = hex::encode(&Sha256::digest(key.to_bytes())[..8]);
        Self { key, id }
    }

    /// The text for its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64.encode(self.key.to_bytes())
    }

    /// A short name of the key: 16 hex digits of its hash.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a secret for that owner and purpose.
    ///
    /// # Errors
    /// [`SealError::Broken`] when the key is not usable.
    pub fn seal(
        &self,
        audience: Audience,
        purpose: Purpose,
        owner: &str,
        secret: &SecretString,
    ) -> Result<NewSecret, SealError> {
        let (enc, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeS::Base,
            &self.key,
            INFO,
            secret.expose_secret().as_bytes(),
            &context(purpose.name(), audience.name(), owner),
        )
        .map_err(|_| SealError::Broken)?;
        let mut bytes = enc.to_bytes().to_vec();
        bytes.extend(sealed);
        Ok(NewSecret {
            owner: owner.to_owned(),
            purpose,
            audience,
            key_id: self.id.clone(),
            sealed: BASE64.encode(bytes),
            token_id: None,
        })
    }
}

impl PrivateKey {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let (key, public) = Suite::gen_keypair();
        Self {
            key,
            public: PublicKey::of(public),
        }
    }

    /// From the text in its file (base64 of 32 bytes).
    ///
    /// # Errors
    /// [`SealError::NoKey`].
    pub fn parse(text: &SecretString) -> Result<Self, SealError> {
        let bytes = BASE64
            .decode(text.expose_secret().trim())
            .map_err(|_| SealError::NoKey("not base64"))?;
        let bytes = Zeroizing::new(bytes);
        let key = <Suite as Kem>::PrivateKey::from_bytes(&bytes)
            .map_err(|_| SealError::NoKey("a private key has 32 bytes"))?;
        let public = PublicKey::of(Suite::sk_to_pk(&key));
        Ok(Self { key, public })
    }

    /// The text for its file.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        SecretString::from(BASE64.encode(&*Zeroizing::new(self.key.to_bytes().to_vec())))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Opens a secret's row.
    ///
    /// # Errors
    /// [`SealError::Gone`] when it is wiped, [`SealError::OtherKey`], [`SealError::Broken`].
    pub fn open(&self, row: &entity::secret::Model) -> Result<SecretString, SealError> {
        let sealed = row.sealed.as_deref().ok_or(SealError::Gone)?;
        if row.key_id != self.public.id {
            return Err(SealError::OtherKey(row.key_id.clone()));
        }
        let bytes = BASE64.decode(sealed).map_err(|_| SealError::Broken)?;
        let (enc, body) = bytes.split_at_checked(32).ok_or(SealError::Broken)?;
        let enc = <Suite as Kem>::EncappedKey::from_bytes(enc).map_err(|_| SealError::Broken)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.key,
            &enc,
            INFO,
            body,
            &context(&row.purpose, &row.audience, &row.owner),
        )
        .map_err(|_| SealError::Broken)?;
        let opened = Zeroizing::new(opened);
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Broken)?;
        Ok(SecretString::from(text))
    }
}

fn context(purpose: &str, audience: &str, owner: &str) -> Vec<u8> {
    format!("{purpose}|{audience}|{owner}").into_bytes()
}

/// The keys of one process. A role has only what it needs: the scheduler cannot open what is sealed to
/// the workers.
#[derive(Debug, Clone)]
pub struct Keyring {
    /// Seals to the workers.
    pub worker: PublicKey,
    /// Seals to the API.
    pub api: PublicKey,
    /// Opens the workers' secrets; the newest first, older ones while a rotation runs.
    pub worker_private: Vec<PrivateKey>,
    /// Opens the API's.
    pub api_private: Vec<PrivateKey>,
    /// Keys the hashes of request bodies.
    pub intake: IntakeKey,
}

impl Keyring {
    /// Opens a row with whichever of this process's keys it is sealed to.
    ///
    /// # Errors
    /// As [`PrivateKey::open`].
    pub fn open(&self, row: &entity::secret::Model) -> Result<SecretString, SealError> {
        let keys = if row.audience == Audience::Worker.name() {
            &self.worker_private
        } else {
            &self.api_private
        };
        match keys.iter().find(|key| key.public().id() == row.key_id) {
            Some(key) => key.open(row),
            None if row.sealed.is_none() => Err(SealError::Gone),
            None => Err(SealError::OtherKey(row.key_id.clone())),
        }
    }
}

/// Keys the hash by which request bodies are compared: a body may hold a password, and a plain hash of a
/// short secret can be guessed back.
#[derive(Clone)]
pub struct IntakeKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for IntakeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntakeKey(redacted)")
    }
}

impl IntakeKey {
    /// A new one: 32 random bytes.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random::<[u8; 32]>().to_vec()))
    }

    /// From the text in its file (base64 of 32 bytes).
    ///
    /// # Errors
    /// [`SealError::NoKey`].
    pub fn parse(text: &SecretString) -> Result<Self, SealError> {
        let bytes = BASE64
            .decode(text.expose_secret().trim())
            .map_err(|_| SealError::NoKey("not base64"))?;
        if bytes.len() == 32 {
            Ok(Self(Zeroizing::new(bytes)))
        } else {
            Err(SealError::NoKey("an intake key has 32 bytes"))
        }
    }

    /// The text for its file.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        SecretString::from(BASE64.encode(&*self.0))
    }

    /// The keyed hash of a body, 64 hex digits.
    #[must_use]
    pub fn hash(&self, body: &[u8]) -> String {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(never) => unreachable!("HMAC takes keys of any length: {never}"),
        };
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(secret: NewSecret) -> entity::secret::Model {
        entity::secret::Model {
            id: 1,
            owner: secret.owner,
            purpose: secret.purpose.name().into(),
            audience: secret.audience.name().into(),
            key_id: secret.key_id,
            sealed: Some(secret.sealed),
            token_id: None,
            created_at: 0,
            expires_at: None,
            read_at: None,
            wiped_at: None,
        }
    }

    fn sealed() -> (PrivateKey, entity::secret::Model) {
        let key = PrivateKey::generate();
        let secret = SecretString::from("s3cret-Tok3n");
        let new = key
            .public()
            .seal(Audience::Worker, Purpose::PanelSecret, "server:7", &secret)
            .unwrap();
        assert!(!new.sealed.contains("s3cret"));
        (key, row(new))
    }

    #[test]
    fn what_is_sealed_opens_with_the_private_key_alone() {
        let (key, row) = sealed();
        assert_eq!(key.open(&row).unwrap().expose_secret(), "s3cret-Tok3n");
        assert!(matches!(
            PrivateKey::generate().open(&row),
            Err(SealError::OtherKey(_))
        ));
    }

    #[test]
    fn a_ciphertext_moved_to_another_row_does_not_open() {
        let (key, row) = sealed();
        let moved = entity::secret::Model {
            owner: "server:8".into(),
            ..row.clone()
        };
        assert_eq!(key.open(&moved).unwrap_err(), SealError::Broken);
        let other_use = entity::secret::Model {
            purpose: "password".into(),
            ..row.clone()
        };
        assert_eq!(key.open(&other_use).unwrap_err(), SealError::Broken);
        let wiped = entity::secret::Model {
            sealed: None,
            ..row
        };
        assert_eq!(key.open(&wiped).unwrap_err(), SealError::Gone);
    }

    #[test]
    fn keys_survive_their_files_and_never_show_themselves() {
        let (key, row) = sealed();
        let again = PrivateKey::parse(&key.to_text()).unwrap();
        assert_eq!(again.open(&row).unwrap().expose_secret(), "s3cret-Tok3n");
        assert_eq!(
            PublicKey::parse(&key.public().to_text()).unwrap().id(),
            key.public().id()
        );
        assert!(!format!("{key:?}").contains(key.to_text().expose_secret()));
        assert!(PublicKey::parse("AAAA").is_err() && PublicKey::parse("no base64!").is_err());
    }

    #[test]
    fn a_body_hash_depends_on_the_key() {
        let (a, b) = (IntakeKey::generate(), IntakeKey::generate());
        assert_eq!(
            a.hash(b"x"),
            IntakeKey::parse(&a.to_text()).unwrap().hash(b"x")
        );
        assert_ne!(a.hash(b"x"), b.hash(b"x"));
        assert_ne!(a.hash(b"x"), a.hash(b"y"));
    }
}
