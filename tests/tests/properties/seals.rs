//! Sealed secrets: they open for whom they were sealed, as what they were sealed, and for nobody else.

use std::sync::LazyLock;

use entity::secret;
use jobs::seal::{IntakeKey, PrivateKey, PublicKey, SealError};
use jobs::store::{Audience, NewSecret, Purpose};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

/// Making one takes long in a build for tests.
fn key() -> &'static PrivateKey {
    static KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);
    &KEY
}

fn stranger() -> &'static PrivateKey {
    static KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);
    &KEY
}

fn row(sealed: &NewSecret) -> secret::Model {
    secret::Model {
        id: 1,
        owner: sealed.owner.clone(),
        purpose: sealed.purpose.name().to_owned(),
        audience: sealed.audience.name().to_owned(),
        key_id: sealed.key_id.clone(),
        sealed: Some(sealed.sealed.clone()),
        token_id: None,
        created_at: 0,
        expires_at: None,
        read_at: None,
        wiped_at: None,
    }
}

fn seal(key: &PublicKey, purpose: Purpose, owner: &str, text: &str) -> secret::Model {
    let secret = SecretString::from(text);
    row(&key
        .seal(Audience::Worker, purpose, owner, &secret)
        .expect("sealed"))
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop::sample::select(Purpose::ALL.to_vec())
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(text in "\\PC{0,200}", owner in "(job|server|webhook):[0-9A-Z]{1,26}", purpose in purpose()) {
        let key = key();
        let sealed = seal(key.public(), purpose, &owner, &text);
        let opened = key.open(&sealed).expect("opens");
        prop_assert_eq!(opened.expose_secret(), text.as_str());
        let copy = PrivateKey::parse(&key.to_text()).expect("a key");
        let again = copy.open(&sealed).expect("opens");
        prop_assert_eq!(again.expose_secret(), text.as_str());
        let public = PublicKey::parse(&key.public().to_text()).expect("a key");
        prop_assert_eq!(public.id(), key.public().id());
        let twice = seal(key.public(), purpose, &owner, &text);
        prop_assert_ne!(twice.sealed, sealed.sealed, "the same text is sealed otherwise each time");
    }

    #[test]
    fn a_seal_that_was_moved_does_not_open(owner in "job:[0-9]{1,6}", other in "server:[0-9]{1,6}", purpose in purpose(), swapped in purpose()) {
        let key = key();
        let sealed = seal(key.public(), purpose, &owner, "hunter2hunter2");
        let elsewhere = secret::Model { owner: other, ..sealed.clone() };
        prop_assert_eq!(key.open(&elsewhere).err(), Some(SealError::Broken));
        if swapped.name() != purpose.name() {
            let misused = secret::Model { purpose: swapped.name().to_owned(), ..sealed.clone() };
            prop_assert_eq!(key.open(&misused).err(), Some(SealError::Broken));
        }
        let crossed = secret::Model { audience: Audience::Api.name().to_owned(), ..sealed.clone() };
        prop_assert_eq!(key.open(&crossed).err(), Some(SealError::Broken));
        let stranger = stranger();
        prop_assert_eq!(stranger.open(&sealed).err(), Some(SealError::OtherKey(sealed.key_id.clone())));
        let forged = secret::Model { key_id: stranger.public().id().to_owned(), ..sealed };
        prop_assert_eq!(stranger.open(&forged).err(), Some(SealError::Broken));
    }

    #[test]
    fn a_seal_that_was_changed_does_not_open(text in "[ -~]{0,60}", at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<prop::sample::Index>()) {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let key = key();
        let sealed = seal(key.public(), Purpose::Password, "job:1", &text);
        let bytes = STANDARD.decode(sealed.sealed.as_deref().expect("there")).expect("base64");
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        // The last bit of an X25519 point is not looked at; what is sealed depends on the point as sent.
        for changed in [flipped, bytes[..cut.index(bytes.len())].to_vec()] {
            let changed = secret::Model { sealed: Some(STANDARD.encode(changed)), ..sealed.clone() };
            prop_assert_eq!(key.open(&changed).err(), Some(SealError::Broken));
        }
        let odd = secret::Model { sealed: Some(text), ..sealed };
        prop_assert_eq!(key.open(&odd).err(), Some(SealError::Broken));
    }

    #[test]
    fn bodies_are_told_apart_by_a_keyed_hash(a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
        let (key, other) = (IntakeKey::generate(), IntakeKey::generate());
        prop_assert_eq!(key.hash(&a) == key.hash(&b), a == b);
        prop_assert_ne!(key.hash(&a), other.hash(&a));
        prop_assert!(key.hash(&a).len() == 64 && key.hash(&a).bytes().all(|c| c.is_ascii_hexdigit()));
    }
}
