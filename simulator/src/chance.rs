//! Numbers drawn from a seed, the same on every machine and in every version.

/// A splitmix64 generator. Small enough to be kept stable: the data of a seed must not change with a dependency.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The generator of one seed.
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A generator for one thing (an account's name, a day), independent of the order in which things are asked for.
    pub(crate) fn for_name(seed: u64, name: &str) -> Self {
        // FNV-1a: enough to spread names, and it never changes.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Chance(seed ^ hash)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high` (`low` when the range is empty).
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % high.saturating_sub(low).max(1)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of the given values.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.between(0, from.len() as u64);
        from.get(usize::try_from(index).unwrap_or(0))
    }

    /// `length` characters of an alphabet.
    pub(crate) fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length)
            .filter_map(|_| self.pick(&letters).copied())
            .collect()
    }
}

/// Stems of user names and domains.
const STEMS: [&str; 24] = [
    "amber", "birch", "cedar", "delta", "ember", "flint", "grove", "hazel", "iris", "juniper",
    "kelp", "linden", "maple", "north", "ocean", "pine", "quartz", "river", "sage", "thistle",
    "umber", "violet", "willow", "yarrow",
];

/// The name and domain of the account number `index` (from 0) that exists at the start: at most 8 characters, and the
/// first 8 are unique, as WHM wants it.
pub(crate) fn seeded_account(seed: u64, index: u32) -> (String, String) {
    let mut chance = Chance::for_name(seed, &format!("account {index}"));
    let stem = chance.pick(&STEMS).copied().unwrap_or("pine");
    let short: String = stem.chars().take(3).collect();
    (
        format!("{short}{index}"),
        format!("{stem}{index}.example.com"),
    )
}
