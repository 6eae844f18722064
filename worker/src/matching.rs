//! Whose row of a report is it? Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::account;
use panels::AccountUsage;

use crate::flaw::Flaw;

/// A row of the report with the account that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matched<'a> {
    /// The account's row; `None` = nobody that we know.
    pub(crate) account_id: Option<i64>,
    /// The report's row.
    pub(crate) usage: &'a AccountUsage,
    /// What is remarkable about it before any arithmetic: `unmatched`, `deleted`, `conflict`.
    pub(crate) flag: Option<&'static str>,
}

/// What matching needs to know of an account.
#[derive(Debug, Clone, PartialEq, Eq, sea_orm::FromQueryResult)]
pub(crate) struct Known {
    /// Its row.
    pub(crate) id: i64,
    /// Its login name.
    pub(crate) username: String,
    /// Its main domain.
    pub(crate) domain: Option<String>,
    /// Its state.
    pub(crate) state: String,
    /// When it was terminated; `None` = it lives.
    pub(crate) terminated_at: Option<i64>,
}

impl Known {
    pub(crate) fn of(row: &account::Model) -> Self {
        Self {
            id: row.id,
            username: row.username.clone(),
            domain: row.domain.clone(),
            state: row.state.clone(),
            terminated_at: row.terminated_at,
        }
    }

    fn has_domain_of(&self, usage: &AccountUsage) -> bool {
        usage.domain.is_some() && self.domain.as_deref() == usage.domain.as_ref().map(AsRef::as_ref)
    }
}

/// Gives every row its account. A name that was used again in the month stands in the report twice: the
/// living account has the row that is not deleted; a deleted row belongs to the one account of that name
/// and domain that was terminated, if there is exactly one.
pub(crate) fn assign<'a>(known: &[Known], rows: &'a [AccountUsage]) -> Vec<Matched<'a>> {
    let mut by_name: HashMap<String, Vec<&Known>> = HashMap::new();
    for account in known {
        by_name
            .entry(account.username.to_ascii_lowercase())
            .or_default()
            .push(account);
    }
    let rows = without_twins(rows);
    let mut living: BTreeSet<String> = BTreeSet::new();
    for row in rows.iter().filter(|row| !row.deleted) {
        living.insert(lower(row));
    }
    let mut matched: Vec<Matched<'a>> = rows
        .into_iter()
        .map(|usage| {
            let name = lower(usage);
            let namesakes = by_name.get(&name).map_or(&[][..], Vec::as_slice);
            let account_id = owner(usage, namesakes, living.contains(&name));
            let flag = match (account_id, usage.deleted) {
                (None, _) => Some("unmatched"),
                (Some(_), true) => Some("deleted"),
                (Some(_), false) => None,
            };
            Matched {
                account_id,
                usage,
                flag,
            }
        })
        .collect();
    if !Flaw::ConflictsAreBelieved.is_on() {
        refuse_conflicts(&mut matched);
    }
    matched
}

fn owner(usage: &AccountUsage, namesakes: &[&Known], name_lives: bool) -> Option<i64> {
    let alive = namesakes.iter().find(|one| one.terminated_at.is_none());
    if Flaw::NamesakeInherits.is_on() {
        return namesakes.first().map(|one| one.id);
    }
    if !usage.deleted {
        return alive.map(|one| one.id);
    }
    let gone: Vec<&&Known> = namesakes
        .iter()
        .filter(|one| one.terminated_at.is_some() && one.has_domain_of(usage))
        .collect();
    match gone.as_slice() {
        [one] => Some(one.id),
        // Deleted on the panel behind our back: to us it still lives.
        [] => alive
            .filter(|one| !name_lives && one.has_domain_of(usage))
            .map(|one| one.id),
        _ => None,
    }
}

/// The rows without exact repetitions.
fn without_twins(rows: &[AccountUsage]) -> Vec<&AccountUsage> {
    let mut kept: HashMap<String, Vec<&AccountUsage>> = HashMap::new();
    rows.iter()
        .filter(|row| {
            let same_name = kept.entry(lower(row)).or_default();
            let new = !same_name.contains(row);
            if new {
                same_name.push(row);
            }
            new
        })
        .collect()
}

/// Two rows for one account that say different things: neither is believed.
fn refuse_conflicts(matched: &mut [Matched<'_>]) {
    let mut count: BTreeMap<i64, usize> = BTreeMap::new();
    for id in matched.iter().filter_map(|row| row.account_id) {
        *count.entry(id).or_default() += 1;
    }
    for row in matched {
        if row
            .account_id
            .is_some_and(|id| count.get(&id).is_some_and(|n| *n > 1))
        {
            row.account_id = None;
            row.flag = Some("conflict");
        }
    }
}

fn lower(row: &AccountUsage) -> String {
    row.username.as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: i64, username: &str, domain: &str, terminated_at: Option<i64>) -> Known {
        Known {
            id,
            username: username.into(),
            domain: Some(domain.into()),
            state: "active".into(),
            terminated_at,
        }
    }

    fn row(username: &str, domain: &str, deleted: bool, bytes: u64) -> AccountUsage {
        AccountUsage {
            username: username.parse().unwrap(),
            domain: Some(domain.parse().unwrap()),
            owner: None,
            deleted,
            traffic: hosting::Bytes::new(bytes),
            traffic_limit: None,
            disk: None,
            disk_limit: None,
            days: None,
        }
    }

    fn ids(known: &[Known], rows: &[AccountUsage]) -> Vec<(Option<i64>, Option<&'static str>)> {
        assign(known, rows)
            .into_iter()
            .map(|row| (row.account_id, row.flag))
            .collect()
    }

    #[test]
    fn a_name_that_was_used_again_is_told_apart_by_domain_and_deletion() {
        let accounts = [
            known(1, "acme", "old.example.com", Some(5)),
            known(2, "acme", "new.example.com", None),
        ];
        let rows = [
            row("ACME", "old.example.com", true, 10),
            row("acme", "new.example.com", false, 20),
        ];
        assert_eq!(
            ids(&accounts, &rows),
            [(Some(1), Some("deleted")), (Some(2), None)]
        );
    }

    #[test]
    fn a_deleted_row_without_its_account_is_nobodys() {
        let accounts = [known(2, "acme", "new.example.com", None)];
        let rows = [
            row("acme", "old.example.com", true, 10),
            row("acme", "new.example.com", false, 20),
            row("ghost", "ghost.example.com", false, 1),
        ];
        assert_eq!(
            ids(&accounts, &rows),
            [
                (None, Some("unmatched")),
                (Some(2), None),
                (None, Some("unmatched"))
            ]
        );
        let twice = [
            known(1, "acme", "old.example.com", Some(5)),
            known(3, "acme", "old.example.com", Some(6)),
        ];
        assert_eq!(ids(&twice, &rows[..1]), [(None, Some("unmatched"))]);
    }

    #[test]
    fn an_account_deleted_behind_our_back_keeps_its_traffic() {
        let accounts = [known(2, "acme", "a.example.com", None)];
        let rows = [row("acme", "a.example.com", true, 10)];
        assert_eq!(ids(&accounts, &rows), [(Some(2), Some("deleted"))]);
    }

    #[test]
    fn rows_that_contradict_each_other_are_not_believed_and_twins_are_one() {
        let accounts = [known(2, "acme", "a.example.com", None)];
        let one = row("acme", "a.example.com", false, 10);
        assert_eq!(
            ids(&accounts, &[one.clone(), one.clone()]),
            [(Some(2), None)]
        );
        let other = row("acme", "a.example.com", false, 11);
        assert_eq!(
            ids(&accounts, &[one, other]),
            [(None, Some("conflict")), (None, Some("conflict"))]
        );
    }
}
