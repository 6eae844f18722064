//! 429 with whatever a panel writes behind `Retry-After`.

use std::time::Duration;

use panels::PanelError;

use crate::suite::Stage;
use crate::support::Canned;
use crate::{named, open, suites};

#[tokio::test]
async fn a_throttle_means_the_same_in_every_spelling() {
    const DATE: &str = "Sun, 22 Nov 2026 01:00:00 GMT";
    for (text, after) in [
        (Some("120"), Some(120)),
        (Some("0"), Some(0)),
        (Some("Sun, 22 Nov 2026 01:02:00 GMT"), Some(120)),
        (Some("Sun, 22 Nov 2026 00:00:00 GMT"), Some(0)),
        (Some("Mon, 23 Nov 2026 01:00:00 GMT"), Some(3600)),
        (Some("999999999"), Some(3600)),
        (Some("99999999999999999999999999"), None),
        (Some("abc"), None),
        (Some("-5"), None),
        (Some("1.5"), None),
        (Some(""), None),
        (Some("120\u{e9}"), None),
        (None, None),
    ] {
        for suite in &suites() {
            for name in ["find_present", "suspend"] {
                let stage = Stage::new();
                let driver = open(suite, &stage);
                let scenario = named(suite, name);
                let place = usize::from(name == "suspend" && suite.driver == "froxlor");
                let mut canned = Canned::new(429, "text/plain", "slow down").with("Date", DATE);
                if let Some(text) = text {
                    canned = canned.with("Retry-After", text);
                }
                stage.set(&scenario.routes, Some((place, canned.into())));
                let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                match result.unwrap_err() {
                    PanelError::Throttled { after: seen, .. } => {
                        assert_eq!(seen, after.map(Duration::from_secs), "{text:?}");
                    }
                    other => panic!("{} {name} {text:?}: {other:?}", suite.driver),
                }
            }
        }
    }
}
