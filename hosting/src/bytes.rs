//! Amounts of data.

use serde::{Deserialize, Serialize};

/// An amount of data in bytes, never negative, at most 2^63 - 1 (it must fit a BIGINT column).
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(u64);

/// 1 MB as all our panels count it: 2^20 bytes.
const MEBIBYTE: u64 = 1 << 20;

impl Bytes {
    /// The largest amount that a BIGINT column holds.
    pub const MAX: Bytes = Bytes(i64::MAX as u64);
    /// Nothing.
    pub const ZERO: Bytes = Bytes(0);

    /// `None` when the amount does not fit a BIGINT column.
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= Self::MAX.0 {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// From a column or a total that is known to be an amount; `None` when negative.
    #[must_use]
    pub fn from_i64(bytes: i64) -> Option<Self> {
        u64::try_from(bytes).ok().map(Self)
    }

    /// From a count of KiB (2^10 bytes), checked.
    #[must_use]
    pub fn from_kib(kib: u64) -> Option<Self> {
        kib.checked_mul(1 << 10).and_then(Self::new)
    }

    /// From a count of MB (2^20 bytes), checked.
    #[must_use]
    pub fn from_mb(mb: u64) -> Option<Self> {
        mb.checked_mul(MEBIBYTE).and_then(Self::new)
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount in bytes as a column holds it.
    #[must_use]
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the constructor keeps the amount within i64"
    )]
    pub const fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// Whole MB (2^20 bytes), the rest cut.
    #[must_use]
    pub const fn whole_mb(self) -> u64 {
        self.0 / MEBIBYTE
    }

    /// The sum, or `None` when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Bytes) -> Option<Bytes> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, or `None` when it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Bytes) -> Option<Bytes> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl std::fmt::Display for Bytes {
    /// Binary units with one decimal, as a person reads them: `1.5 GiB`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let unit = (0..UNITS.len())
            .rev()
            .find(|&u| self.0 >> (10 * u) > 0)
            .unwrap_or(0);
        if unit == 0 {
            return write!(f, "{} B", self.0);
        }
        let tenths = u128::from(self.0) * 10 / (1_u128 << (10 * unit));
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_binary_and_checked() {
        assert_eq!(Bytes::from_mb(1).unwrap().get(), 1_048_576);
        assert_eq!(Bytes::from_kib(1).unwrap().get(), 1024);
        assert_eq!(Bytes::from_mb(u64::MAX), None);
        assert_eq!(Bytes::new(u64::MAX), None);
        assert_eq!(Bytes::MAX.checked_add(Bytes::from_kib(1).unwrap()), None);
    }

    #[test]
    fn amounts_read_as_a_person_says_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
        ] {
            assert_eq!(Bytes::new(bytes).unwrap().to_string(), text);
        }
    }
}
