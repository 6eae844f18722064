//! The words of the trade: what is accepted comes back as it was, and nothing else is accepted.

use std::collections::BTreeMap;
use std::time::Duration;

use hosting::{
    Bytes, DomainName, Limit, LimitName, Limits, Month, Reference, ServerName, Username,
};
use jobs::{AccountState, Event, JobKind, JobState, Pace, next, retry};
use proptest::prelude::*;
use tests::world::rules;

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        Just(Limit::Unlimited),
        (0..=i64::MAX as u64).prop_map(Limit::AtMost),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let name = prop::sample::select(LimitName::ALL.to_vec());
    prop::collection::btree_map(name, limit(), 0..7).prop_map(|all| all.into_iter().collect())
}

/// The picture in `docs/architecture.md`: `from --> to` of the first state diagram.
fn picture() -> Vec<(String, String)> {
    let page = include_str!("../../../docs/architecture.md");
    let (_, rest) = page.split_once("stateDiagram-v2").expect("the picture");
    let (picture, _) = rest.split_once("```").expect("its end");
    let arrows = picture
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "));
    arrows
        .map(|(from, to)| {
            let to = to.split(':').next().unwrap_or_default().trim();
            (from.to_owned(), to.to_owned())
        })
        .filter(|(from, to)| from != "[*]" && to != "[*]")
        .collect()
}

proptest! {
    #[test]
    fn every_walk_of_a_job_follows_the_picture(events in prop::collection::vec(prop::sample::select(Event::ALL.to_vec()), 1..40)) {
        let picture = picture();
        prop_assert!(picture.len() >= 12);
        let mut state = JobState::Queued;
        for event in events {
            let Some(after) = next(state, event) else { continue };
            let step = (state.to_string(), after.to_string());
            prop_assert!(picture.contains(&step), "{step:?} is not in the picture");
            state = after;
        }
    }

    #[test]
    fn names_of_states_and_kinds_come_back(text in "\\PC{0,12}", index in 0..1000_usize) {
        let state = JobState::ALL[index % JobState::ALL.len()];
        prop_assert_eq!(state.name().parse::<JobState>().ok(), Some(state));
        let account = AccountState::ALL[index % AccountState::ALL.len()];
        prop_assert_eq!(account.name().parse::<AccountState>().ok(), Some(account));
        let kind = JobKind::ALL[index % JobKind::ALL.len()];
        prop_assert_eq!(kind.name().parse::<JobKind>().ok(), Some(kind));
        if let Ok(state) = text.parse::<JobState>() {
            prop_assert_eq!(state.name(), text);
        }
    }

    #[test]
    fn a_username_is_exactly_its_characters(text in "\\PC{0,70}|[A-Za-z0-9._-]{0,70}") {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let parsed = text.parse::<Username>();
        prop_assert_eq!(parsed.is_ok(), good);
        if let Ok(name) = parsed {
            let json = serde_json::to_string(&name).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<Username>(&json).expect("read"), &name);
            let upper = name.as_str().to_ascii_uppercase().parse::<Username>().expect("a name");
            prop_assert!(upper.same_as(&name));
        }
    }

    #[test]
    fn a_domain_name_is_in_its_last_form(text in "[a-zA-Zäöüß漢0-9-]{1,20}(\\.[a-zA-Zé0-9-]{1,12}){0,4}\\.?|\\PC{0,40}") {
        if let Ok(name) = text.parse::<DomainName>() {
            let kept = name.as_str();
            prop_assert!(kept.is_ascii() && kept.len() <= 253 && kept.contains('.'));
            prop_assert_eq!(kept.to_ascii_lowercase(), kept);
            prop_assert!(kept.split('.').all(|label| (1..=63).contains(&label.len())));
            prop_assert!(kept.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
            prop_assert_eq!(kept.parse::<DomainName>().expect("again"), name.clone());
            prop_assert_eq!(kept.to_ascii_uppercase().parse::<DomainName>().expect("upper"), name);
        }
    }

    #[test]
    fn other_names_are_kept_as_they_are(text in "\\PC{0,140}|[a-z0-9._-]{1,70}") {
        if let Ok(name) = text.parse::<ServerName>() {
            prop_assert_eq!(name.as_str(), text.as_str());
            prop_assert!(text.len() <= 63 && !text.contains('/'));
        }
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.as_str(), text.as_str());
            prop_assert!(text.trim() == text && !text.chars().any(char::is_control));
        }
    }

    #[test]
    fn a_generated_name_tells_its_account(a in 0..80_000_000_000_i64, b in 0..80_000_000_000_i64) {
        let (first, second) = (rules().username_for(a), rules().username_for(b));
        let fits = |id: i64| id < 36_i64.pow(7);
        prop_assert_eq!(first.is_ok(), fits(a));
        if let (Ok(first), Ok(second)) = (first, second) {
            prop_assert_eq!(first == second, a == b);
            let digits = first.as_str().strip_prefix('h').expect("its letter");
            prop_assert_eq!(i64::from_str_radix(digits, 36).expect("base 36"), a);
        }
    }

    #[test]
    fn limits_come_back_and_overrides_win(package in limits(), own in limits()) {
        let json = serde_json::to_string(&package).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Limits>(&json).expect("read"), &package);
        let both = package.overridden_by(&own);
        for name in LimitName::ALL {
            prop_assert_eq!(both.get(name), own.get(name).or(package.get(name)));
        }
        prop_assert!(both.missing_of(&own).is_empty());
        let missing = package.missing_of(&own);
        prop_assert_eq!(&package.overridden_by(&missing), &both);
    }

    #[test]
    fn a_limit_is_a_whole_number_of_a_bigint_or_unlimited(text in "-?[0-9]{1,21}(\\.[0-9])?|unlimited|\\PC{0,8}") {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u128>().ok().filter(|n| digits && *n <= i64::MAX as u128);
        let wanted = match (text.as_str(), number) {
            ("unlimited", _) => Some(Limit::Unlimited),
            (_, Some(number)) => u64::try_from(number).ok().map(Limit::AtMost),
            _ => None,
        };
        prop_assert_eq!(text.parse::<Limit>().ok(), wanted);
        let by_name = BTreeMap::from([("disk_mb", text)]);
        let json = serde_json::to_string(&by_name).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Limits>(&json).ok().and_then(|l| l.get(LimitName::DiskMb)), wanted);
    }

    #[test]
    fn bytes_are_counted_without_loss(a in any::<u64>(), b in any::<u64>()) {
        const MAX: u128 = i64::MAX as u128;
        let fits = |n: u128| n <= MAX;
        prop_assert_eq!(Bytes::new(a).is_some(), fits(a.into()));
        prop_assert_eq!(Bytes::from_kib(a).map(|x| u128::from(x.get())), Some(u128::from(a) << 10).filter(|n| fits(*n)));
        prop_assert_eq!(Bytes::from_mb(a).map(|x| u128::from(x.get())), Some(u128::from(a) << 20).filter(|n| fits(*n)));
        if let (Some(x), Some(y)) = (Bytes::new(a), Bytes::new(b)) {
            prop_assert_eq!(Bytes::from_i64(x.as_i64()), Some(x));
            prop_assert_eq!(x.checked_add(y).map(|s| u128::from(s.get())), Some(u128::from(a) + u128::from(b)).filter(|n| fits(*n)));
            prop_assert_eq!(x.checked_sub(y).map(Bytes::get), a.checked_sub(b));
            prop_assert_eq!(x.whole_mb(), a >> 20);
            // As a person reads it: never more than it is, and less than a tenth of the unit below.
            let text = x.to_string();
            let (number, unit) = text.split_once(' ').expect("a unit");
            let power = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].iter().position(|u| *u == unit).expect("known");
            let tenths: u128 = number.replace('.', "").parse().expect("digits");
            let tenths = if number.contains('.') { tenths } else { tenths * 10 };
            let of_unit = u128::from(a) * 10;
            prop_assert!(tenths << (10 * power) <= of_unit && of_unit < (tenths + 1) << (10 * power));
        }
    }

    #[test]
    fn months_are_in_order_and_as_written(year in 1990..2210_i32, month in 0..14_u32, text in "[0-9]{4}-[0-9]{2}|\\PC{0,8}") {
        let good = (2000..2200).contains(&year) && (1..=12).contains(&month);
        let made = Month::new(year, month);
        prop_assert_eq!(made.is_ok(), good);
        if let Ok(made) = made {
            let number = |m: Month| m.year() * 12 + i32::try_from(m.month()).expect("small");
            prop_assert_eq!(number(made.next()), number(made) + 1);
            prop_assert_eq!(made.first_day().to_string(), format!("{made}-01"));
        }
        if let Ok(read) = text.parse::<Month>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn no_wait_is_shorter_than_the_pace_says(tries in 1..100_i32, jitter in 0.9..1.1_f64, factor in 0.001..1.0_f64) {
        let pace = Pace::new(factor).expect("a pace");
        for kind in JobKind::ALL {
            let wait = pace.of(retry::after_try(kind, tries, jitter));
            prop_assert!(wait >= Duration::from_secs_f64(1.7 * factor));
            prop_assert!(pace.of(kind.lease()) > pace.of(kind.attempt_limit()));
        }
    }
}
