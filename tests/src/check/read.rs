//! Reading a run folder.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::evidence::{Evidence, Panel};
use super::sql;

pub(super) async fn read(folder: &Path) -> Result<Evidence, String> {
    let mut evidence = Evidence {
        exchanges: lines(&folder.join("client.jsonl"))?,
        secrets: secrets(&text(&folder.join("secrets.txt"))?)?,
        ..Evidence::default()
    };
    let pace = text(&folder.join("pace"))?;
    evidence.pace = pace
        .trim()
        .parse()
        .map_err(|_| format!("`{pace}` is no pace"))?;
    for name in names(folder)? {
        let server = name
            .strip_prefix("panel-")
            .and_then(|name| name.strip_suffix(".accounts.json"));
        if let Some(server) = server {
            evidence
                .panels
                .insert(server.to_owned(), panel(folder, server)?);
        }
        // A file of SQLite, its log beside it: what is in clear there is in clear.
        if name.contains(".sqlite") {
            evidence
                .outputs
                .push((name.clone(), bytes(&folder.join(&name))?));
        }
    }
    if evidence.panels.is_empty() {
        return Err(format!(
            "no panel has written its end in {}",
            folder.display()
        ));
    }
    let output = folder.join("output");
    for name in names(&output)? {
        let said = bytes(&output.join(&name))?;
        evidence.outputs.push((format!("output/{name}"), said));
    }
    sql::read(&text(&folder.join("database.url"))?, &mut evidence).await?;
    Ok(evidence)
}

fn panel(folder: &Path, server: &str) -> Result<Panel, String> {
    let file = |end: &str| folder.join(format!("panel-{server}{end}"));
    Ok(Panel {
        ledger: lines(&file(".jsonl"))?,
        accounts: document(&file(".accounts.json"))?,
        traffic: document(&file(".traffic.json"))?,
        requests: lines(&file(".requests.jsonl"))?,
    })
}

fn secrets(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().map(|line| {
        let (name, value) = line.split_once(' ').ok_or("a secret without a value")?;
        Ok((name.to_owned(), value.to_owned()))
    });
    lines.collect()
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| told(folder, &error))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| told(path, &error))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| told(path, &error))
}

fn document<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    serde_json::from_str(&text(path)?).map_err(|error| told(path, &error))
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, String> {
    let text = text(path)?;
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .map_err(|error| told(path, &error))
}

fn told(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
