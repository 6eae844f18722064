//! Whether address, key and rights are as they should be.

use super::envelope::{Generation, Kind, Said};
use super::rules::rules;
use super::wire::{Outcome, Wire};
use crate::{PanelError, ServerCheck};

/// Counts the customers, which only an admin's key may, then asks for what tells version and rights.
///
/// Froxlor tells its version only in a call that may ask the vendor's server first, so it is told as near
/// as the envelope and the known functions allow.
pub(super) async fn check(wire: &Wire) -> Result<ServerCheck, PanelError> {
    let customers = wire
        .count_customers()
        .await?
        .map_err(Said::into_error)?
        .value;
    let mut check = ServerCheck {
        version: None,
        rules: rules(),
        missing_rights: Vec::new(),
        notes: vec![format!("the API key sees {customers} customers")],
    };
    let links = login_links(wire, &mut check).await?;
    check.version = Some(match (wire.generation(), links) {
        (Some(Generation::Legacy), _) => "0.10".to_owned(),
        (_, Some(true)) => "2.1 or newer".to_owned(),
        (_, Some(false)) => "2.0".to_owned(),
        (_, None) => "2.x".to_owned(),
    });
    may_move(wire, &mut check).await?;
    php_configs(wire, &mut check).await?;
    Ok(check)
}

/// Whether there are login links (2.1 and later); `None` = cannot tell.
async fn login_links(wire: &Wire, check: &mut ServerCheck) -> Result<Option<bool>, PanelError> {
    let Some(functions) = told(wire.functions("Froxlor").await)? else {
        check
            .notes
            .push("which functions the panel has could not be read".to_owned());
        return Ok(None);
    };
    let known = functions.iter().any(|name| name == "generateloginlink");
    if !known {
        check.rules.kinds.retain(|kind| kind != "login_url");
        check
            .notes
            .push("this version has no login links (they came with 2.1)".to_owned());
    }
    Ok(Some(known))
}

/// A move needs `change_serversettings`, as does counting the admins.
async fn may_move(wire: &Wire, check: &mut ServerCheck) -> Result<(), PanelError> {
    match wire.count_admins().await? {
        Err(said) if said.kind == Kind::NotAllowed => {
            check.rules.kinds.retain(|kind| kind != "move");
            let right = "move: the API key's admin may not change server settings";
            check.missing_rights.push(right.to_owned());
        }
        Err(_) => {
            let note = "whether the API key may move customers could not be read";
            check.notes.push(note.to_owned());
        }
        Ok(_) => {}
    }
    Ok(())
}

/// The PHP configurations, since plans name them by id.
async fn php_configs(wire: &Wire, check: &mut ServerCheck) -> Result<(), PanelError> {
    let Some(configs) = told(wire.php_configs().await)? else {
        check
            .notes
            .push("the PHP configurations could not be read".to_owned());
        return Ok(());
    };
    let name = |config: &super::shapes::PhpConfig| {
        let mark = if config.default { ", the default" } else { "" };
        format!("#{} {}{mark}", config.id, config.description)
    };
    let names: Vec<String> = configs.iter().take(20).map(name).collect();
    let note = match names.is_empty() {
        true => "there are no PHP configurations: PHP cannot be switched on with FPM or FCGID"
            .to_owned(),
        false => format!("PHP configurations: {}", names.join("; ")),
    };
    check.notes.push(note);
    Ok(())
}

/// The answer, or `None` for an error that Froxlor reports.
fn told<T>(outcome: Outcome<T>) -> Result<Option<T>, PanelError> {
    Ok(outcome?.ok().map(|got| got.value))
}
