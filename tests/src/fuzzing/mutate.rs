//! Mutations, by a seed: the same seed gives the same inputs.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Pieces that readers of JSON, numbers, texts and addresses stumble over.
const PIECES: [&[u8]; 40] = [
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e400",
    b"1e-400",
    b"-0.0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1.5 GB",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0",
    b"\r\n",
    b"\"data\":",
    b"\"message\":",
    b"\"metadata\":{\"result\":1}",
    b"\"status\":200",
    b"\"list\":",
    b"\"reason\":",
    b"<html>",
    b"</b>",
    b"password=",
    b"Authorization: ",
    b"\\\\\"",
    b"://",
    b"@",
    b"[::1]",
    b"127.0.0.1",
    b"%2f",
    b"unlimited",
    b"2026-13",
    b"\xe2\x80\xae",
];
/// Inputs do not grow beyond this.
const MOST: usize = 64 << 10;

/// Draws inputs from a corpus.
#[derive(Debug)]
pub struct Mutator {
    chance: StdRng,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// One for that corpus.
    #[must_use]
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            corpus,
        }
    }

    /// The next input: something of the corpus with one to eight changes.
    pub fn draw(&mut self) -> Vec<u8> {
        let mut input = self.one().to_vec();
        for _ in 0..self.chance.random_range(1..=8) {
            self.change(&mut input);
        }
        input.truncate(MOST);
        input
    }

    fn one(&mut self) -> &[u8] {
        self.corpus
            .choose(&mut self.chance)
            .map_or(&[], Vec::as_slice)
    }

    fn place(&mut self, input: &[u8]) -> usize {
        self.chance.random_range(0..=input.len())
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (a, b) = (self.place(input), self.place(input));
        let (from, to) = (a.min(b), a.max(b));
        // Short pieces are more telling than half the input.
        let near = to.min(from + self.chance.random_range(1..=24));
        match self.chance.random_range(0..9) {
            0 if from < input.len() => input[from] ^= 1 << self.chance.random_range(0..8),
            1 if from < input.len() => input[from] = self.chance.random(),
            2 => input.truncate(from),
            3 => drop(input.drain(from..near)),
            4 => {
                let again = input[from..near].to_vec();
                input.splice(to..to, again);
            }
            5 => {
                let piece = PIECES.choose(&mut self.chance).copied().unwrap_or_default();
                input.splice(from..near, piece.iter().copied());
            }
            6 => {
                let piece = PIECES.choose(&mut self.chance).copied().unwrap_or_default();
                input.splice(from..from, piece.iter().copied());
            }
            7 => {
                let other = self.one().to_vec();
                let at = self.place(&other);
                input.truncate(from);
                input.extend_from_slice(&other[at..]);
            }
            _ => input.insert(from, self.chance.random()),
        }
    }
}
