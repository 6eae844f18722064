//! Packages: hosting plans.
//!
//! A plan's numbers are copied into a customer's record once and the plan is forgotten, so a package is
//! given by sending its fields and recognised by comparing them. Plan names are not unique: plans that
//! share one are called `Name (#id)`, which is understood for every plan.

use std::collections::BTreeSet;

use hosting::{Limit, Limits, PackageName};

use super::allowance::{Allowance, Grant};
use super::change::confirmed;
use super::envelope::Said;
use super::read::customer_that_is;
use super::shapes::Plan;
use super::wire::Wire;
use crate::{AccountKey, PanelAccount, PanelError, ServerConfig, ServerPackage};

/// The plans. Froxlor tells neither addresses nor name servers in this place.
pub(super) async fn server_config(wire: &Wire) -> Result<ServerConfig, PanelError> {
    let plans = plans(wire).await?;
    let package = |plan: &Plan| {
        Some(ServerPackage {
            name: label(plan, &plans)?,
            id: Some(plan.id.to_string()),
            limits: plan.allowance.limits(),
        })
    };
    Ok(ServerConfig {
        packages: plans.iter().filter_map(package).collect(),
        ..ServerConfig::default()
    })
}

async fn plans(wire: &Wire) -> Result<Vec<Plan>, PanelError> {
    let got = wire.plans().await?.map_err(Said::into_error)?;
    Ok(got.value)
}

/// What a plan is called: its name, with its id where the name alone would not do.
fn label(plan: &Plan, plans: &[Plan]) -> Option<PackageName> {
    let mut alike = plans.iter().filter(|other| other.name == plan.name);
    let alone = alike.next().is_some() && alike.next().is_none();
    match plan.name.parse() {
        Ok(name) if alone => Some(name),
        _ => numbered(plan).parse().ok(),
    }
}

/// `Name (#id)`; of a name that a package cannot have, what is left of it.
fn numbered(plan: &Plan) -> String {
    let plain: String = plan
        .name
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect();
    format!("{} (#{})", plain.trim(), plan.id).trim().to_owned()
}

/// The plan of that name.
fn resolve<'p>(plans: &'p [Plan], package: &PackageName) -> Result<&'p Plan, PanelError> {
    let labelled = plans
        .iter()
        .find(|plan| label(plan, plans).as_ref() == Some(package));
    let named = || plans.iter().find(|plan| numbered(plan) == package.as_str());
    labelled.or_else(named).ok_or_else(|| {
        let shared = plans.iter().any(|plan| plan.name == package.as_str());
        let why = if shared {
            format!("several packages are named `{package}`; add the id, like `{package} (#1)`")
        } else {
            format!("the panel has no package `{package}`")
        };
        PanelError::refused("package_unknown", why)
    })
}

/// What the package grants, ready to be sent.
pub(super) async fn allowance_of(
    wire: &Wire,
    package: &PackageName,
) -> Result<Allowance, PanelError> {
    let plans = plans(wire).await?;
    let mut allowance = resolve(&plans, package)?.allowance.clone();
    choose_php_config(wire, &mut allowance).await?;
    Ok(allowance)
}

/// PHP without a configuration is refused on servers that run it by FPM or FCGID: where none is chosen,
/// the server's default is, else the one with the lowest id.
pub(super) async fn choose_php_config(
    wire: &Wire,
    allowance: &mut Allowance,
) -> Result<(), PanelError> {
    if !lacks_php_config(allowance) {
        return Ok(());
    }
    let configs = match wire.php_configs().await? {
        Ok(got) => got.value,
        Err(said) => return Err(said.into_error()),
    };
    let chosen = configs
        .iter()
        .min_by_key(|config| (!config.default, config.id))
        .map(|config| config.id);
    allowance.set(
        "allowed_phpconfigs",
        Grant::Ids(BTreeSet::from_iter(chosen)),
    );
    Ok(())
}

fn lacks_php_config(allowance: &Allowance) -> bool {
    let chosen =
        matches!(allowance.get("allowed_phpconfigs"), Some(Grant::Ids(ids)) if !ids.is_empty());
    allowance.get("phpenabled") == Some(&Grant::Flag(true)) && !chosen
}

/// Sends the plan's fields.
pub(super) async fn change_package(
    wire: &Wire,
    key: &AccountKey,
    package: &PackageName,
) -> Result<(), PanelError> {
    let wanted = allowance_of(wire, package).await?;
    let answer = wire
        .update_customer(key.username.as_str(), wanted.params()?)
        .await?;
    confirmed(answer, key, |customer| {
        wanted.matches(&customer.allowance, &[])
    })
}

/// Compares every field of the plan with the customer's record, read anew because an account as the
/// panels share it does not hold them all. What overrides decide is left out, and so is the PHP
/// configuration where the plan names none.
pub(super) async fn is_on_package(
    wire: &Wire,
    account: &PanelAccount,
    package: &PackageName,
    overrides: &Limits,
) -> Result<bool, PanelError> {
    let plans = plans(wire).await?;
    let plan = resolve(&plans, package)?;
    let got = customer_that_is(wire, &account.username).await?;
    let mut but = Allowance::decided_by(overrides);
    if lacks_php_config(&plan.allowance) {
        but.push("allowed_phpconfigs");
    }
    Ok(plan.allowance.matches(&got.value.allowance, &but))
}

/// Sets these limits and leaves the others.
pub(super) async fn set_limits(
    wire: &Wire,
    key: &AccountKey,
    limits: &Limits,
) -> Result<(), PanelError> {
    let mut wanted = Allowance::of_limits(limits)?;
    if wanted.limit("email_accounts").is_some() {
        let got = customer_that_is(wire, &key.username).await?;
        raise_addresses(&mut wanted, got.value.allowance.limit("emails"));
    }
    let answer = wire
        .update_customer(key.username.as_str(), wanted.params()?)
        .await?;
    confirmed(answer, key, |customer| {
        wanted.matches(&customer.allowance, &[])
    })
}

/// A mailbox needs an address: raises the number of addresses to that of the mailboxes where `has` is
/// less. It is never lowered, because addresses are used for forwarders as well.
pub(super) fn raise_addresses(wanted: &mut Allowance, has: Option<Limit>) {
    let Some(mailboxes) = wanted.limit("email_accounts") else {
        return;
    };
    // `Limit` orders unlimited after every number.
    if has.is_none_or(|has| has < mailboxes) {
        wanted.set("emails", Grant::Limit(mailboxes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(id: i64, name: &str) -> Plan {
        Plan {
            id,
            name: name.to_owned(),
            allowance: Allowance::of_plan(&json!({"diskspace": id})),
        }
    }

    #[test]
    fn plans_that_share_a_name_are_told_apart_by_id() {
        let plans = [
            plan(1, "Starter"),
            plan(2, "Gold"),
            plan(3, "Starter"),
            plan(4, " odd "),
        ];
        let labels: Vec<_> = plans.iter().filter_map(|one| label(one, &plans)).collect();
        let names: Vec<_> = labels.iter().map(PackageName::as_str).collect();
        assert_eq!(names, ["Starter (#1)", "Gold", "Starter (#3)", "odd (#4)"]);
        for (asked, id) in [
            ("Starter (#3)", 3),
            ("Gold", 2),
            ("Gold (#2)", 2),
            ("odd (#4)", 4),
        ] {
            let found = resolve(&plans, &asked.parse().unwrap()).unwrap();
            assert_eq!(found.id, id, "{asked}");
        }
        let shared = resolve(&plans, &"Starter".parse().unwrap()).unwrap_err();
        assert_eq!(shared.code(), "package_unknown");
        assert!(shared.to_string().contains("(#1)"));
        assert!(resolve(&plans, &"Gold (#1)".parse().unwrap()).is_err());
    }

    #[test]
    fn the_number_of_addresses_is_raised_and_never_lowered() {
        for (has, raised) in [
            (Some(Limit::AtMost(5)), Some(Limit::AtMost(10))),
            (Some(Limit::AtMost(10)), None),
            (Some(Limit::Unlimited), None),
            (None, Some(Limit::AtMost(10))),
        ] {
            let mut wanted = Allowance::default();
            wanted.set("email_accounts", Grant::Limit(Limit::AtMost(10)));
            raise_addresses(&mut wanted, has);
            assert_eq!(wanted.limit("emails"), raised, "{has:?}");
        }
    }
}
