//! The long answers, `showbw` and `get_disk_usage`, whose rows become ours while they are read.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::shapes::{Disk, Traffic};
use crate::AccountUsage;
use crate::http::{Object, Scalar, lenient};

/// A row that is read: the account, or the name as sent and what is wrong.
pub(super) type Read = Result<AccountUsage, (String, String)>;

/// `showbw`'s data.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct TrafficList {
    #[serde(default, deserialize_with = "number")]
    pub(super) month: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub(super) year: Option<i64>,
    /// `None` = there is no list.
    #[serde(default, deserialize_with = "traffic")]
    pub(super) acct: Option<Vec<Read>>,
}

/// `get_disk_usage`'s data.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct DiskList {
    #[serde(default, deserialize_with = "disks")]
    pub(super) accounts: Vec<AccountUsage>,
}

impl TrafficList {
    /// From data that is not written as usual.
    pub(super) fn odd(data: &Value) -> Self {
        let told = |field: &str| data.get(field).and_then(lenient::signed);
        let read = |rows: &Value| {
            let rows = lenient::items(rows).into_iter();
            rows.map(|row| Traffic::from(row).usage()).collect()
        };
        Self {
            month: told("month"),
            year: told("year"),
            acct: data.get("acct").map(read),
        }
    }
}

impl DiskList {
    /// From data that is not written as usual.
    pub(super) fn odd(data: &Value) -> Self {
        let rows = data.get("accounts").unwrap_or(&Value::Null);
        let rows = lenient::items(rows).into_iter();
        Self {
            accounts: rows.filter_map(|row| Disk::from(row).usage()).collect(),
        }
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Scalar::deserialize(deserializer).map(|scalar| scalar.signed())
}

fn traffic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Read>>, D::Error> {
    rows(deserializer, |row: &Traffic<'_>| Some(row.usage())).map(Some)
}

fn disks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AccountUsage>, D::Error> {
    rows(deserializer, |row: &Disk<'_>| row.usage())
}

/// A plain list, each row taken as soon as it is read.
fn rows<'de, D, R, T>(deserializer: D, take: fn(&R) -> Option<T>) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    R: Deserialize<'de>,
{
    struct Rows<R, T>(fn(&R) -> Option<T>, PhantomData<R>);

    impl<'de, R: Deserialize<'de>, T> Visitor<'de> for Rows<R, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Vec<T>, A::Error> {
            let mut taken = Vec::new();
            while let Some(Object(row)) = rows.next_element::<Object<R>>()? {
                taken.extend((self.0)(&row));
            }
            Ok(taken)
        }
    }

    deserializer.deserialize_seq(Rows(take, PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As the answer's envelope reads it: in place, or else by way of a tree.
    fn read(data: &Value) -> (bool, TrafficList) {
        match serde_json::from_str(&data.to_string()) {
            Ok(Object(list)) => (true, list),
            Err(_) => (false, TrafficList::odd(data)),
        }
    }

    fn same(data: &Value, in_place: bool) {
        let (placed, list) = read(data);
        let odd = TrafficList::odd(data);
        assert_eq!(placed, in_place, "{data}");
        let all = |list: TrafficList| (list.month, list.year, list.acct);
        assert_eq!(all(list), all(odd), "{data}");
    }

    #[test]
    fn a_list_reads_the_same_in_place_and_by_way_of_a_tree() {
        let row = json!({"user": " acme1 ", "maindomain": "ac\u{fc}.example.com", "owner": 7,
            "deleted": "1", "totalbytes": "123", "limit": 104_857_600, "bwusage": [{"usage": 1}]});
        let nameless = json!({"totalbytes": 5, "deleted": null});
        let wrong = json!({"user": "acme2", "totalbytes": {"of": 5}, "owner": "*unknown*"});
        for rows in [json!([row, nameless, wrong]), json!([])] {
            same(&json!({"month": "11", "year": 2026, "acct": rows}), true);
        }
        same(&json!({"month": null, "acct": [row]}), true);
        same(&json!({}), true);
        same(&json!([11, 2026, [["acme1", null, null, null, 5]]]), false);
        same(&json!({"acct": [["acme1", null, null, null, 5]]}), false);
        for rows in [
            json!({"1": row, "4": wrong}),
            json!(null),
            json!([1, row]),
            json!("x"),
            json!({"user": "alone", "totalbytes": 1}),
        ] {
            same(&json!({"month": 11, "year": 2026, "acct": rows}), false);
        }
    }

    #[test]
    fn a_null_limit_of_disk_space_is_none_and_a_missing_one_is_unknown() {
        let text = r#"{"accounts": [
            {"user": "a1", "blocks_used": "2", "blocks_limit": null, "inodes_used": 3},
            {"user": "a2", "blocks_used": 4},
            {"blocks_used": 4}
        ]}"#;
        let list: DiskList = serde_json::from_str(text).unwrap();
        let odd = DiskList::odd(&serde_json::from_str(text).unwrap());
        assert_eq!(list.accounts, odd.accounts);
        let limits: Vec<_> = list.accounts.iter().map(|row| row.disk_limit).collect();
        assert_eq!(limits, [Some(hosting::Limit::Unlimited), None]);
    }
}
