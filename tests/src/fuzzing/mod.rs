//! What comes from outside, fed with anything: the bodies of the fuzz targets.
//!
//! A target takes any bytes and panics where Hostler breaks its word about them; that it returns, and in
//! reasonable time, is the first of these words. The same functions are replayed over the corpus and over
//! mutations of it in every test run, are run for as long as wanted by the ignored test of `fuzz_replay`,
//! and by cargo-fuzz (`fuzz/`).

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken word must be seen at once"
)]

mod mutate;
mod targets;

use std::path::{Path, PathBuf};

pub use mutate::Mutator;
pub use targets::TARGETS;

/// Something that reads what others wrote.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus's folder.
    pub name: &'static str,
    /// Folders of recorded exchanges that are its corpus, too; from the workspace's root.
    pub recorded: &'static [&'static str],
    /// Reads; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Target {
    /// Its corpus, in the order of the files' names.
    ///
    /// # Panics
    /// When a folder or file cannot be read.
    #[must_use]
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let own = root().join("tests/corpus").join(self.name);
        let folders = self.recorded.iter().map(|folder| root().join(folder));
        let mut files: Vec<PathBuf> = std::iter::once(own)
            .chain(folders)
            .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of the corpus"))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        let read = |path: &PathBuf| std::fs::read(path).expect("a file of the corpus");
        files.iter().map(read).collect()
    }
}
