//! `hostler keys`: the key files.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::App;
use crate::error::Failure;
use crate::keys;
use crate::start::{Patience, ledger};

/// Make, show and rotate the keys.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the keys that are not there yet
    Init,
    /// Show the public keys and which files are here
    Show,
    /// Bring the next keys into use and seal every secret to them; safe to interrupt and run again
    Rotate,
}

impl Keys {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let folder = app.config.settings.keys_dir();
        match self.action {
            Action::Init => {
                let made = keys::init(&folder)?;
                app.out
                    .json(&json!({ "folder": folder.display().to_string(), "made": made }));
                if made.is_empty() {
                    app.out
                        .line(format!("All keys are in {} already.", folder.display()));
                } else {
                    app.out
                        .line(format!("Made {} in {}.", made.join(", "), folder.display()));
                    app.out.line(
                        "Keep a copy of this folder: what is sealed to a lost key must be entered again.",
                    );
                }
            }
            Action::Show => show(app)?,
            Action::Rotate => rotate(app).await?,
        }
        Ok(())
    }
}

fn show(app: &App) -> Result<(), Failure> {
    let pairs = keys::show(&app.config.settings.keys_dir())?;
    app.out.json(&pairs);
    let rows = pairs
        .iter()
        .map(|pair| {
            let note = if pair.rotating {
                "rotation interrupted: run `hostler keys rotate` again"
            } else {
                ""
            };
            vec![
                pair.name.to_owned(),
                pair.id.clone(),
                pair.public.clone(),
                pair.private.join(" "),
                note.to_owned(),
            ]
        })
        .collect();
    app.out.table(
        &["pair", "key", "public half", "private files here", ""],
        rows,
        "",
    );
    Ok(())
}

async fn rotate(app: &App) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let out = app.out;
    let done = keys::rotate(&app.config.settings.keys_dir(), &store, |pair, rows| {
        out.line(format!("{pair}: {rows} secrets sealed to the new key"));
    })
    .await?;
    app.out.json(&done);
    for pair in &done {
        let resumed = if pair.resumed {
            " (an interrupted rotation was finished)"
        } else {
            ""
        };
        app.out.line(format!(
            "{}: key {} is in use, {} secrets sealed to it{resumed}",
            pair.name, pair.id, pair.resealed
        ));
    }
    app.out.line(
        "Restart schedulers and workers: they seal to the old key until then. After a leak, rotate twice: the next key lies beside the one in use.",
    );
    let unopened: u64 = done.iter().map(|pair| pair.unopened).sum();
    if unopened == 0 {
        Ok(())
    } else {
        Err(Failure::work(format!(
            "{unopened} secrets are sealed to keys that are not here; enter them again"
        )))
    }
}
