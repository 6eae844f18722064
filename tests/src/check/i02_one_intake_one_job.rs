//! 2. One intake, one job: one key, one body, one id; another body under the same key is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Exchange};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut by_key: BTreeMap<&str, Vec<&Exchange>> = BTreeMap::new();
    let mut by_id: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for exchange in evidence.exchanges.iter().filter(|e| e.path == "/v1/jobs") {
        by_key.entry(&exchange.key).or_default().push(exchange);
        if let Some(id) = exchange.promised() {
            by_id.entry(id).or_default().insert(&exchange.key);
        }
    }
    let mut broken = Vec::new();
    for (key, exchanges) in &by_key {
        let promised = exchanges.iter().filter(|e| e.promised().is_some());
        let ids: BTreeSet<_> = promised.clone().filter_map(|e| e.promised()).collect();
        if ids.len() > 1 {
            broken.push((format!("key {key}"), format!("gave several jobs: {ids:?}")));
        }
        let bodies: BTreeSet<String> = promised.map(|e| e.body.to_string()).collect();
        if bodies.len() > 1 {
            let what = "was accepted with two different bodies".to_owned();
            broken.push((format!("key {key}"), what));
        }
    }
    for (id, keys) in by_id.iter().filter(|(_, keys)| keys.len() > 1) {
        broken.push((
            format!("job {id}"),
            format!("was given for several keys: {keys:?}"),
        ));
    }
    let asked: BTreeSet<&str> = by_key.keys().copied().collect();
    let mut rows: BTreeMap<(i64, &str), usize> = BTreeMap::new();
    for job in &evidence.jobs {
        *rows.entry((job.platform_id, &job.idem_key)).or_default() += 1;
    }
    for ((_, key), count) in rows {
        if count > 1 && asked.contains(key) {
            broken.push((format!("key {key}"), format!("has {count} rows")));
        }
    }
    broken
}
