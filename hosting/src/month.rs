//! Calendar months, as panels count traffic in them.

use chrono::{DateTime, Datelike, NaiveDate, TimeZone};
use serde::{Deserialize, Serialize};

/// A calendar month of the years 2000 to 2199, written `2026-11`.
///
/// Whose month it is depends on a time zone: always ask with [`Month::of`] in the panel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i32,
    month: u32,
}

/// Text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("month must be written YYYY-MM, like 2026-11")]
pub struct NotAMonth;

impl Month {
    /// `month` counts from 1.
    ///
    /// # Errors
    /// [`NotAMonth`] outside of January to December or the years 2000 to 2199.
    pub fn new(year: i32, month: u32) -> Result<Self, NotAMonth> {
        if (2000..2200).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(NotAMonth)
        }
    }

    /// The month in which `at` lies, in its own zone.
    #[must_use]
    pub fn of<Tz: TimeZone>(at: &DateTime<Tz>) -> Self {
        Self {
            year: at.year().clamp(2000, 2199),
            month: at.month(),
        }
    }

    /// The year, like 2026.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.year
    }

    /// The month in the year, January = 1.
    #[must_use]
    pub const fn month(self) -> u32 {
        self.month
    }

    /// The month before.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.month == 1 {
            Self {
                year: self.year - 1,
                month: 12,
            }
        } else {
            Self {
                year: self.year,
                month: self.month - 1,
            }
        }
    }

    /// The month after.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.month == 12 {
            Self {
                year: self.year + 1,
                month: 1,
            }
        } else {
            Self {
                year: self.year,
                month: self.month + 1,
            }
        }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or(NaiveDate::MIN)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl std::str::FromStr for Month {
    type Err = NotAMonth;
    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let digits = |part: &str, count: usize| {
            part.len() == count && part.bytes().all(|b| b.is_ascii_digit())
        };
        if !digits(year, 4) || !digits(month, 2) {
            return Err(NotAMonth);
        }
        Self::new(
            year.parse().map_err(|_| NotAMonth)?,
            month.parse().map_err(|_| NotAMonth)?,
        )
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;
    fn try_from(text: String) -> Result<Self, NotAMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> String {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_written_as_year_and_month() {
        let month: Month = "2026-11".parse().unwrap();
        assert_eq!(
            (month.year(), month.month(), month.to_string().as_str()),
            (2026, 11, "2026-11")
        );
        for bad in [
            "2026-13", "2026-00", "2026-1", "26-11", "2026/11", "", "1999-12", "+026-11",
        ] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_month_belongs_to_a_time_zone() {
        let instant = chrono::Utc
            .with_ymd_and_hms(2026, 10, 31, 23, 30, 0)
            .unwrap();
        assert_eq!(Month::of(&instant).to_string(), "2026-10");
        assert_eq!(
            Month::of(&instant.with_timezone(&chrono_tz::Europe::Berlin)).to_string(),
            "2026-11"
        );
    }

    proptest::proptest! {
        #[test]
        fn next_and_previous_undo_each_other(year in 2001..2199_i32, month in 1..=12_u32) {
            let m = Month::new(year, month).unwrap();
            assert_eq!(m.next().previous(), m);
            assert!(m.previous() < m && m < m.next());
            assert_eq!(m.to_string().parse::<Month>().unwrap(), m);
        }
    }
}
