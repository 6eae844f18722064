//! What clients ask for: the lives of many accounts, mixed.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Every account gets it; it must be found nowhere.
pub(super) const PASSWORD: &str = "Xy7-canary-Pass+word/9=";
/// Accounts whose lives are mixed in one lane.
const MIXED: usize = 8;

/// One request.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) key: String,
    pub(super) body: Value,
}

/// So many requests, and those that end the last lives, the same for the same seed. Each lane is asked in its order, all lanes at one time;
/// an account's requests are in one lane.
pub(super) fn lanes(jobs: usize, lanes: usize, seed: u64) -> Vec<Vec<Ask>> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut all: Vec<Vec<Ask>> = (0..lanes).map(|_| Vec::new()).collect();
    let (mut left, mut account, mut lane) = (jobs, 0, 0);
    while left > 0 {
        let lives = (0..MIXED).map(|_| {
            account += 1;
            let mut life = life(account, &mut chance);
            life.reverse();
            life
        });
        let mut lives: Vec<Vec<Ask>> = lives.collect();
        while lives.iter().any(|life| !life.is_empty()) {
            let which = chance.random_range(0..MIXED);
            if let Some(ask) = lives[which].pop() {
                all[lane % lanes].push(ask);
                left = left.saturating_sub(1);
            }
        }
        lane += 1;
    }
    all
}

/// An account from its create to the last thing that is asked about it.
fn life(n: usize, chance: &mut StdRng) -> Vec<Ask> {
    let server = if n.is_multiple_of(2) {
        "cpanel"
    } else {
        "froxlor"
    };
    let mut kinds = vec![
        "suspend",
        "unsuspend",
        "change_package",
        "change_limits",
        "change_password",
        "suspend",
        "unsuspend",
        "change_limits",
    ];
    kinds.shuffle(chance);
    kinds.truncate(chance.random_range(3..=8));
    kinds.insert(0, "create");
    // WHM sets no password of a suspended account: that job waits until somebody lifts the suspension.
    let mut standing = kinds.iter().rev().filter(|kind| kind.ends_with("suspend"));
    if standing.next() == Some(&"suspend") {
        kinds.push("unsuspend");
    }
    if chance.random_bool(0.4) {
        kinds.push("terminate");
    }
    if chance.random_bool(0.2) {
        kinds.push("get_stats");
    }
    let asks = kinds.into_iter().enumerate().map(|(index, kind)| Ask {
        key: format!("{server}-{n}-{index}-{kind}"),
        body: body(kind, server, n, chance),
    });
    asks.collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the panels' month is this machine's"
)]
fn body(kind: &str, server: &str, n: usize, chance: &mut StdRng) -> Value {
    if kind == "get_stats" {
        let month = chrono::Utc::now().format("%Y-%m").to_string();
        return json!({"kind": kind, "server": server, "month": month});
    }
    let reference = format!("billing:{n}");
    let mut account = json!({ "reference": reference });
    match kind {
        "create" => {
            // WHM wants names to differ in their first eight characters.
            account["username"] = json!(format!("u{n:05}"));
            account["domain"] = json!(format!("site{n}.example.com"));
            account["email"] = json!(format!("owner{n}@example.org"));
            account["package"] = json!("silver");
        }
        "change_package" => account["package"] = json!("gold"),
        "change_limits" => {
            account["limits"] = json!({"disk_mb": 1024 * chance.random_range(1..=9_u32)});
        }
        "change_password" => account["password"] = json!(PASSWORD),
        _ => {}
    }
    json!({"kind": kind, "server": server, "account": account})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_asks_for_the_same() {
        let text = |seed| format!("{:?}", lanes(500, 24, seed));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
        let all = lanes(500, 24, 7);
        assert!((500..600).contains(&all.iter().map(Vec::len).sum::<usize>()));
        for kind in [
            "create",
            "suspend",
            "unsuspend",
            "terminate",
            "change_package",
            "change_limits",
            "change_password",
            "get_stats",
        ] {
            let asks = all.iter().flatten();
            let count = asks.filter(|ask| ask.body["kind"] == kind).count();
            assert!(count > 5, "{kind}: {count}");
        }
    }
}
