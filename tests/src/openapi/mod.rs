//! The API's description against the running server: schemathesis makes requests of it and reads the answers.
//!
//! What is made up reaches little, so the server has accounts, jobs and secrets before, and the hooks in
//! `tests/openapi` name them in most requests.

#![expect(
    clippy::expect_used,
    reason = "a run whose set-up fails must fail at once"
)]

mod known;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::servers::Kind;
use known::Known;
pub use report::{Report, Row};

/// What a run needs.
#[derive(Debug)]
pub struct Run {
    /// On which database.
    pub database: Kind,
    /// The program.
    pub schemathesis: PathBuf,
    /// What chance is drawn from.
    pub seed: u64,
    /// Most requests that are made up for an operation in a phase.
    pub examples: u32,
    /// Where the report stays (`report.ndjson`); else it goes.
    pub folder: Option<PathBuf>,
}

/// What schemathesis reads, beside this package.
const FILES: [&str; 2] = ["schemathesis.toml", "hooks.py"];

/// Starts a server, puts things in and has it checked.
///
/// # Errors
/// When schemathesis cannot be run or leaves no report.
pub async fn run(run: &Run) -> Result<Report, String> {
    let known = Known::set_up(run.database).await;
    let passing = tempfile::tempdir().map_err(|error| error.to_string())?;
    let folder = run.folder.as_deref().unwrap_or(passing.path());
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi");
    for file in FILES {
        let copied = std::fs::copy(here.join(file), folder.join(file));
        copied.map_err(|error| format!("{file}: {error}"))?;
    }
    let names = folder.join("known.json");
    std::fs::write(&names, known.names.to_string()).map_err(|error| error.to_string())?;
    let output = Command::new(&run.schemathesis)
        .current_dir(folder)
        .arg("--no-color")
        .arg("run")
        .arg(format!("{}/openapi.json", known.client.base()))
        .args(["--warnings", "off"])
        .args([
            "--report",
            "ndjson",
            "--report-ndjson-path",
            "report.ndjson",
        ])
        .args(["--seed", &run.seed.to_string()])
        .args(["--max-examples", &run.examples.to_string()])
        .env("HOSTLER_TOKEN", &known.token)
        .env("HOSTLER_KNOWN", &names)
        .env("HOSTLER_SEED", run.seed.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .map_err(|error| format!("{}: {error}", run.schemathesis.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let events = std::fs::read_to_string(folder.join("report.ndjson"))
        .map_err(|error| format!("it left no report ({error}): {said}"))?;
    let (_, document) = known.client.get("/openapi.json").await;
    known.end().await;
    Report::of(
        &operations(&document),
        &events,
        output.status.success(),
        said,
    )
}

/// `GET /v1/jobs`, ... as the document lists them, without the one that it comes from itself.
fn operations(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().expect("a document has paths");
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().expect("a path has operations").keys();
        let names = methods.map(|method| format!("{} {path}", method.to_uppercase()));
        names.collect::<Vec<_>>()
    };
    let all = paths.iter().flat_map(of);
    all.filter(|name| name != "GET /openapi.json").collect()
}
