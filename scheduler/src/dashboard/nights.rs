//! How far the last night has come, server by server.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use hosting::Bytes;
use jobs::JobState;

use super::viewer::{Viewer, refused};
use super::{REFRESH, SOON, html};
use crate::Problem;
use crate::api::{Api, registry_problem};
use crate::cron::{LastNight, MonthRead, last_nights};
use crate::registry;

/// Lines of a page. A browser shows that many without trouble, and whoever needs somebody is among the first.
const MOST: usize = 500;
/// A browser asks for the page anew after so many seconds when all is over.
const LATER: HeaderValue = HeaderValue::from_static("60");

pub(super) async fn show(State(api): State<Api>, Viewer(caller): Viewer) -> Response {
    let page = async {
        let store = api.store();
        let mut servers = registry::servers(store).await.map_err(registry_problem)?;
        servers.retain(|server| caller.may_touch(&server.name));
        let page = Page::of(&last_nights(store, &servers).await?, store.now().await?);
        Ok::<_, Problem>((html(&page)?, page.open > 0))
    };
    match page.await {
        Ok((page, open)) => {
            let again = if open { SOON } else { LATER };
            ([(REFRESH, again)], page).into_response()
        }
        Err(problem) => refused(&problem),
    }
}

#[derive(Template)]
#[template(path = "nights.html")]
struct Page {
    at: String,
    /// Servers.
    begun: usize,
    ended: usize,
    /// The dates of their nights, the oldest and the newest.
    dates: String,
    none_yet: usize,
    /// Readings: a night at the turn of a month has two of a server.
    need: usize,
    open: usize,
    accounts: i64,
    booked: String,
    missing: i64,
    flagged: i64,
    lines: Vec<Line>,
    /// Lines that are not shown.
    more: usize,
}

/// Which lines come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Need,
    Open,
    Done,
    #[default]
    None,
}

impl Rank {
    fn of(read: &MonthRead) -> Self {
        if read.is_open() {
            Rank::Open
        } else if read.state == JobState::Succeeded.name() {
            Rank::Done
        } else {
            // Cancelled too: nobody has read that server, and nobody will by himself.
            Rank::Need
        }
    }

    fn class(self) -> &'static str {
        match self {
            Rank::Need => "need",
            Rank::Open => "open",
            Rank::Done => "done",
            Rank::None => "none",
        }
    }
}

#[derive(Debug, Default)]
struct Line {
    rank: Rank,
    server: String,
    night: String,
    month: String,
    state: String,
    accounts: String,
    booked: String,
    missing: String,
    flagged: String,
    error: String,
    job: String,
}

impl Page {
    fn of(nights: &[LastNight], now: i64) -> Self {
        let (begun, ended) = LastNight::begun_and_ended(nights);
        let reads = || nights.iter().flat_map(|night| &night.months);
        let sum = |of: fn(&MonthRead) -> Option<i64>| reads().filter_map(of).sum::<i64>();
        let mut lines: Vec<Line> = nights.iter().flat_map(lines).collect();
        let many = |rank| lines.iter().filter(|line| line.rank == rank).count();
        let (need, open) = (many(Rank::Need), many(Rank::Open));
        lines.sort_by(|one, other| (one.rank, &one.server).cmp(&(other.rank, &other.server)));
        let more = lines.len().saturating_sub(MOST);
        lines.truncate(MOST);
        let date = |night: &LastNight| night.night;
        let (oldest, newest) = (
            nights.iter().filter_map(date).min(),
            nights.iter().filter_map(date).max(),
        );
        let dates = match (oldest, newest) {
            (Some(oldest), Some(newest)) if oldest < newest => format!(" ({oldest} to {newest})"),
            (Some(night), _) => format!(" ({night})"),
            (None, _) => String::new(),
        };
        let at = DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default();
        Self {
            at: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            begun,
            ended,
            dates,
            none_yet: nights.len() - begun,
            need,
            open,
            accounts: sum(|read| read.accounts),
            booked: in_words(sum(|read| read.booked_bytes)),
            missing: sum(|read| read.missing),
            flagged: sum(|read| read.flagged),
            lines,
            more,
        }
    }
}

fn lines(night: &LastNight) -> Vec<Line> {
    let Some(date) = night.night else {
        return vec![Line {
            server: night.server.clone(),
            night: "none yet".to_owned(),
            ..Line::default()
        }];
    };
    let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
    let line = |read: &MonthRead| Line {
        rank: Rank::of(read),
        server: night.server.clone(),
        night: date.to_string(),
        month: read.month.to_string(),
        state: read.state.clone(),
        accounts: number(read.accounts),
        booked: read.booked_bytes.map_or_else(String::new, in_words),
        missing: number(read.missing),
        flagged: number(read.flagged),
        error: read.error.clone().unwrap_or_default(),
        job: read.job.clone(),
    };
    night.months.iter().map(line).collect()
}

fn in_words(bytes: i64) -> String {
    Bytes::from_i64(bytes).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night(server: &str, states: &[&str]) -> LastNight {
        let read = |state: &&str| MonthRead {
            month: "2026-03".parse().unwrap(),
            job: format!("job-of-{server}"),
            state: (*state).to_owned(),
            accounts: Some(7),
            booked_bytes: Some(3 << 20),
            missing: Some(1),
            flagged: None,
            error: None,
        };
        LastNight {
            server: server.to_owned(),
            night: (!states.is_empty()).then(|| "2026-03-05".parse().unwrap()),
            months: states.iter().map(read).collect(),
        }
    }

    #[test]
    fn who_needs_a_person_comes_first_and_everybody_is_counted() {
        let nights = [
            night("a", &["succeeded", "succeeded"]),
            night("b", &[]),
            night("c", &["running"]),
            night("d", &["succeeded", "held"]),
        ];
        let page = Page::of(&nights, 0);
        let servers: Vec<&str> = page.lines.iter().map(|line| line.server.as_str()).collect();
        assert_eq!(servers, ["d", "c", "a", "a", "d", "b"]);
        assert_eq!((page.begun, page.ended, page.none_yet), (3, 2, 1));
        assert_eq!((page.need, page.open, page.more), (1, 1, 0));
        assert_eq!((page.accounts, page.missing, page.flagged), (35, 5, 0));
        assert_eq!(page.booked, "15.0 MiB");
        assert_eq!(page.dates, " (2026-03-05)");
        assert_eq!(page.at, "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn of_very_many_servers_the_page_says_how_many_it_leaves_out() {
        let mut nights: Vec<LastNight> = (0..600)
            .map(|number| night(&format!("web{number:03}"), &["succeeded"]))
            .collect();
        nights.push(night("zzz", &["failed"]));
        let page = Page::of(&nights, 0);
        assert_eq!((page.lines.len(), page.more), (MOST, 101));
        assert_eq!(page.lines[0].server, "zzz");
        let text = page.render().unwrap();
        assert!(text.contains("101 more lines"), "{text}");
    }
}
