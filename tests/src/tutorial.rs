//! Tutorials of the docs, run as they are printed: their commands by a shell against the built binary, their
//! outputs compared with what they say now.
//!
//! Blocks that begin with ```` ```console tutorial ```` are run. Words with a digit in them may differ from
//! the page (ids, times, pins, figures), `...` stands for anything. An id that the page shows in an
//! output and uses in a later command is replaced by the one of this run.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; the path of programs comes from the test run"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::installation::{binary, free_port};
use regex::Regex;

/// Shorter words with a digit are figures, not names of something.
const ID: usize = 12;

/// A command with the output that the page shows.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    output: Vec<String>,
}

/// The steps of all blocks with that first line.
fn steps(text: &str, opening: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line == opening) {
        for line in lines.by_ref().take_while(|line| *line != "```") {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    output: Vec::new(),
                }),
                (None, Some(step)) if step.command.ends_with('\\') => {
                    step.command.push('\n');
                    step.command.push_str(line);
                }
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            }
        }
    }
    steps
}

/// What may differ between two runs, made equal.
struct Sameness {
    ago: Regex,
    amount: Regex,
    word: Regex,
}

impl Sameness {
    fn new() -> Self {
        let regex = |text: &str| Regex::new(text).expect("the pattern is right");
        Self {
            ago: regex(r"\d+ (s|min|h) ago"),
            amount: regex(r"\d[\d.]* (ms|s|min|B|KiB|MiB|GiB)\b"),
            word: regex(r"[\w.:/+=-]*\d[\w.:/+=-]*"),
        }
    }

    fn plain(&self, line: &str) -> String {
        let line = self.ago.replace_all(line, "now");
        let line = self.amount.replace_all(&line, "#");
        let line = self.word.replace_all(&line, "#");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn fits(&self, shown: &str, said: &str) -> bool {
        let said = self.plain(said);
        match shown.strip_suffix("...") {
            Some(beginning) => said.starts_with(self.plain(beginning).as_str()),
            None => said == self.plain(shown),
        }
    }

    /// Pairs of shown and said lines, where all that is shown was said in that order.
    fn pairs<'a>(
        &self,
        shown: &'a [String],
        said: &'a [String],
    ) -> Option<Vec<(&'a str, &'a str)>> {
        match (shown, said) {
            ([], []) => Some(Vec::new()),
            ([gap, rest @ ..], _) if gap == "..." => {
                (0..=said.len()).find_map(|skipped| self.pairs(rest, &said[skipped..]))
            }
            ([line, rest @ ..], [heard, others @ ..]) if self.fits(line, heard) => {
                let mut pairs = self.pairs(rest, others)?;
                pairs.push((line, heard));
                Some(pairs)
            }
            _ => None,
        }
    }

    /// The page's ids and this run's.
    fn ids(&self, pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let words = |line| {
            self.word
                .find_iter(line)
                .map(|word| word.as_str().to_owned())
        };
        pairs
            .iter()
            .flat_map(|(shown, said)| words(shown).zip(words(said)))
            .filter(|(shown, _)| shown.len() >= ID)
            .collect()
    }
}

/// A clean folder with `hostler` on the path, as a newcomer has it.
struct Newcomer {
    folder: tempfile::TempDir,
    /// Addresses of the page and those of this run.
    known: BTreeMap<String, String>,
    exports: Vec<String>,
    same: Sameness,
}

impl Newcomer {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("a folder can be made");
        let hostler = binary().canonicalize().expect("the binary is there");
        symlink(hostler, bin.join("hostler")).expect("a link can be made");
        let known = [2087, 2443, 8080].map(|port| {
            let address = |port: u16| format!("127.0.0.1:{port}");
            (address(port), address(free_port()))
        });
        Self {
            folder,
            known: known.into(),
            exports: Vec::new(),
            same: Sameness::new(),
        }
    }

    fn shell(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-c", script])
            .current_dir(self.folder.path())
            .env(
                "PATH",
                format!("{}:{path}", self.folder.path().join("bin").display()),
            )
            .env("HOSTLER_WORKER__POLL_SECONDS", "1")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for elsewhere in ["DATABASE_URL", "REDIS_URL", "HOSTLER_DATA_DIR", "TOKEN"] {
            command.env_remove(elsewhere);
        }
        command
    }

    /// With the addresses and ids of this run; the longest first, since one may be a part of another.
    fn mine(&self, command: &str) -> String {
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(shown, _)| std::cmp::Reverse(shown.len()));
        known
            .into_iter()
            .fold(command.to_owned(), |text, (shown, mine)| {
                text.replace(shown, mine)
            })
    }

    /// Runs a step to its end, and learns its ids.
    fn run(&mut self, step: &Step) {
        let command = self.mine(&step.command);
        if command.starts_with("export ") {
            self.exports.push(command);
            return;
        }
        let script = format!("{}\n( {command} ) 2>&1", self.exports.join("\n"));
        let output = self.shell(&script).output().expect("a shell can be run");
        let said: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        assert!(
            output.status.success(),
            "{command}\nended with {}: {said:#?}",
            output.status
        );
        println!("$ {command}\n{}", said.join("\n"));
        let shown = without_blank_end(&step.output);
        let pairs = self.same.pairs(shown, without_blank_end(&said));
        let Some(pairs) = pairs else {
            panic!(
                "the page shows another output for\n{command}\n{}",
                said.join("\n")
            );
        };
        let ids = self.same.ids(&pairs);
        self.known.extend(ids);
    }
}

fn without_blank_end(lines: &[String]) -> &[String] {
    let end = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    &lines[..end]
}

/// A program that runs beside the others; killed when dropped.
struct Beside {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Beside {
    fn start(newcomer: &Newcomer, command: &str) -> Self {
        let command = newcomer.mine(command.trim_end_matches('&'));
        let mut child = newcomer
            .shell(&format!("exec {command}"))
            .spawn()
            .expect("a program can be started");
        let (tell, lines) = channel();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        hear(out.expect("standard output is piped"), tell.clone());
        hear(err.expect("standard error is piped"), tell);
        Self { child, lines }
    }

    /// Waits until it has said such a line.
    fn until(&self, fits: impl Fn(&str) -> bool) -> String {
        let mut said = Vec::new();
        for line in &self.lines {
            if fits(&line) {
                return line;
            }
            said.push(line);
        }
        panic!("it ended without the line that was waited for: {said:#?}")
    }
}

fn hear(from: impl std::io::Read + Send + 'static, tell: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Also when nobody listens any more: a full pipe would stop the program.
            let _ = tell.send(line);
        }
    });
}

/// What was run of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// Programs that were started beside the others.
    pub beside: usize,
    /// Pretend panels among them.
    pub panels: usize,
    /// Commands.
    pub commands: usize,
}

/// Runs the tutorial of a page.
///
/// # Panics
/// When something does not do what the page shows.
#[must_use]
pub fn run(page: &str) -> Ran {
    let mut newcomer = Newcomer::new();
    let mut beside = Vec::new();
    let mut panels = Vec::new();
    for step in steps(page, "```console tutorial background") {
        let program = Beside::start(&newcomer, &step.command);
        for shown in step.output.iter().filter(|line| *line != "...") {
            program.until(|said| newcomer.same.fits(shown, said));
        }
        if step.command.contains("simulate") {
            let line = program.until(|said| said.trim_start().starts_with("hostler server add"));
            panels.push(line.trim().to_owned());
        }
        beside.push(program);
    }
    let steps = steps(page, "```console tutorial");
    for step in &steps {
        let printed = panels
            .iter()
            .find(|line| newcomer.same.plain(line) == newcomer.same.plain(&step.command));
        match printed {
            Some(line) => newcomer.run(&Step {
                command: line.clone(),
                output: step.output.clone(),
            }),
            None => {
                assert!(
                    !step.command.starts_with("hostler server add"),
                    "the pretend panel prints another line: {panels:#?}"
                );
                newcomer.run(step);
            }
        }
    }
    Ran {
        beside: beside.len(),
        panels: panels.len(),
        commands: steps.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_noticed() {
        let same = Sameness::new();
        let lines = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let said = lines(&[
            "01M80H589YFT57KGVDFVG0R8J5  succeeded",
            "a",
            "b",
            "took 84 ms, 3 s ago",
        ]);
        for (shown, fits) in [
            (
                lines(&[
                    "01AAAAAAAAAAAAAAAAAAAAAAAA succeeded",
                    "...",
                    "took 1.2 s, now",
                ]),
                true,
            ),
            (lines(&["01AAAAAAAAAAAAAAAAAAAAAAAA failed", "..."]), false),
            (lines(&["01AAAAAAAAAAAAAAAAAAAAAAAA succeeded"]), false),
            (lines(&["...", "b"]), false),
            (lines(&["...", "took ..."]), true),
        ] {
            assert_eq!(same.pairs(&shown, &said).is_some(), fits, "{shown:?}");
        }
    }
}
