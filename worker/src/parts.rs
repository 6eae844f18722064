//! The worker: what every attempt needs.

use std::sync::Arc;

use jobs::seal::Keyring;
use jobs::store::{Claimed, Store, Writer};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::executor;
use crate::panel_source::PanelSource;
use crate::webhook::WebhookSender;

/// What a worker is made of.
pub struct Parts {
    /// The ledger.
    pub store: Store,
    /// Writes intents and outcomes in groups.
    pub writer: Writer,
    /// Opens what is sealed to the workers, seals to the API.
    pub keyring: Arc<Keyring>,
    /// Opens panels.
    pub panels: Arc<dyn PanelSource>,
    /// Sends webhooks.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Where chance comes from.
    pub chance: Chance,
    /// Names this installation in the markers that are left on panels: `H<deployment>-<account id>`.
    /// Two installations on one panel must have different ones.
    pub deployment: String,
}

/// Runs claimed jobs. Cheap to share.
pub struct Worker {
    pub(crate) parts: Parts,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("deployment", &self.parts.deployment)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Makes one attempt at a claimed job and commits its outcome. Never panics; failures are logged here,
    /// once. A claim that has become invalid meanwhile writes nothing.
    pub async fn handle(&self, claimed: Claimed) {
        executor::execute(self, claimed).await;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The marker that an account of ours carries on panels that keep one.
    pub(crate) fn marker(&self, account_id: i64) -> String {
        format!("H{}-{account_id}", self.parts.deployment)
    }
}

type Draw = Box<dyn Fn(usize) -> usize + Send + Sync>;
type Jitter = Box<dyn Fn() -> f64 + Send + Sync>;

/// Chance, as an argument.
pub struct Chance {
    jitter: Jitter,
    draw: Draw,
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

impl Chance {
    /// From these sources: `jitter` gives factors of delays (0.9 to 1.1), `draw` uniform numbers below its
    /// argument for passwords.
    pub fn new(
        jitter: impl Fn() -> f64 + Send + Sync + 'static,
        draw: impl Fn(usize) -> usize + Send + Sync + 'static,
    ) -> Self {
        Self {
            jitter: Box::new(jitter),
            draw: Box::new(draw),
        }
    }

    /// Passwords by the operating system's source, jitter by a cheap one.
    #[must_use]
    pub fn of_the_system() -> Self {
        Self::new(|| rand::random_range(0.9..1.1), system_draw)
    }

    pub(crate) fn jitter(&self) -> f64 {
        (self.jitter)()
    }

    pub(crate) fn draw(&self, below: usize) -> usize {
        (self.draw)(below)
    }
}

/// Uniform below `below`, by rejection: a plain remainder would prefer small numbers.
///
/// # Panics
/// When the operating system has no randomness: better no password than a weak one. The executor catches it.
fn system_draw(below: usize) -> usize {
    let below = u64::try_from(below.max(1)).unwrap_or(u64::MAX);
    let limit = u64::MAX - u64::MAX % below;
    loop {
        match SysRng.try_next_u64() {
            Ok(number) if number < limit => return usize::try_from(number % below).unwrap_or(0),
            Ok(_) => {}
            Err(error) => panic!("the operating system gives no random numbers: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_can_be_drawn() {
        let chance = Chance::of_the_system();
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[chance.draw(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert!((0.9..1.1).contains(&chance.jitter()));
    }
}
