//! What can be ordered, and whether an order would be taken. Packages are products; where two share a name they
//! are called `Name (#id)`, which is understood for every one.

use std::collections::BTreeMap;

use hosting::{Limits, PackageName};
use serde_json::{Map, Value, json};

use super::HostBill;
use super::shapes::{Choice, Product};
use super::wire::Wire;
use crate::http::lenient::text;
use crate::{NewAccount, PanelAccount, PanelError, ServerConfig, ServerPackage};

async fn products(wire: &Wire) -> Result<Vec<Product>, PanelError> {
    let mut all: Vec<Product> = Vec::new();
    for category in wire.categories().await? {
        all.extend(wire.products(&category.id).await?);
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all.dedup();
    Ok(all)
}

pub(super) async fn server_config(wire: &Wire) -> Result<ServerConfig, PanelError> {
    let all = products(wire).await?;
    let package = |one: &Product| {
        Some(ServerPackage {
            name: label(one, &all)?,
            id: Some(one.id.clone()),
            limits: Limits::new(),
        })
    };
    Ok(ServerConfig {
        packages: all.iter().filter_map(package).collect(),
        ..ServerConfig::default()
    })
}

fn label(one: &Product, all: &[Product]) -> Option<PackageName> {
    let alike = all.iter().filter(|other| other.name == one.name).count();
    match one.name.parse() {
        Ok(name) if alike == 1 => Some(name),
        _ => numbered(one).parse().ok(),
    }
}

fn numbered(one: &Product) -> String {
    format!("{} (#{})", one.name, one.id)
}

/// The product of that name.
pub(super) fn resolve<'p>(
    all: &'p [Product],
    package: &PackageName,
) -> Result<&'p Product, PanelError> {
    let by_label = |one: &&Product| label(one, all).as_ref() == Some(package);
    let by_number = |one: &&Product| numbered(one) == package.as_str();
    let found = all.iter().find(by_label);
    found.or_else(|| all.iter().find(by_number)).ok_or_else(|| {
        let why = format!("the supplier offers no product `{package}`");
        PanelError::refused("package_unknown", why)
    })
}

/// Whether the service is of that product, by the name that it shows.
pub(super) async fn is_product(
    wire: &Wire,
    account: &PanelAccount,
    package: &PackageName,
) -> Result<bool, PanelError> {
    if account.package.as_ref() == Some(package) {
        return Ok(true);
    }
    // Where the package is named with its number, the service shows the name alone.
    let Some((name, _)) = package.as_str().rsplit_once(" (#") else {
        return Ok(false);
    };
    let same = account
        .package
        .as_ref()
        .is_some_and(|shown| shown.as_str() == name);
    if !same {
        return Ok(false);
    }
    let all = products(wire).await?;
    Ok(all.iter().filter(|one| one.name == name).count() == 1)
}

/// Puts the order together and has the supplier check it. Nothing is ordered.
pub(super) async fn prepare(bill: &HostBill, account: &NewAccount) -> Result<Value, PanelError> {
    if !account.limits.is_empty() {
        let why = "limits cannot come with an order; change them when the account is there";
        return Err(PanelError::refused("limits_refused", why));
    }
    let Some(package) = &account.package else {
        let why = "an order needs a package: the product's name";
        return Err(PanelError::refused("package_required", why));
    };
    let all = products(bill.wire()).await?;
    let product = resolve(&all, package)?;
    let (fields, forms) = bill.wire().form(&product.id).await?;
    let custom = custom(account, &forms)?;
    let mut order = Map::from_iter([("domain".to_owned(), json!(account.domain))]);
    if let Some(cycle) = cycle(account, &fields)? {
        order.insert("cycle".to_owned(), json!(cycle));
    }
    if let Some(method) = pay_method(bill, account).await? {
        order.insert("pay_method".to_owned(), method);
    }
    if !custom.is_empty() {
        order.insert("custom".to_owned(), json!(custom));
    }
    if let Some(code) = account.panel.get("promocode").and_then(text) {
        order.insert("promocode".to_owned(), json!(code));
    }
    let wrong = bill.wire().quote(&quote(&product.id, &order)).await?;
    if !wrong.is_empty() {
        let why = format!(
            "the supplier would not take the order: {}",
            wrong.join("; ")
        );
        return Err(PanelError::refused("order_refused", why));
    }
    Ok(json!({"product": product.id, "order": order}))
}

fn quote(product: &str, order: &Map<String, Value>) -> Value {
    let mut item = order.clone();
    let method = item.remove("pay_method");
    item.insert("type".to_owned(), json!("product"));
    item.insert("product_id".to_owned(), json!(product));
    json!({"pay_method": method, "output": "short", "items": [item]})
}

/// The cycle that was asked for, else the one that is selected, else the first.
fn cycle(account: &NewAccount, fields: &[Choice]) -> Result<Option<String>, PanelError> {
    let Some(cycles) = fields.iter().find(|field| field.id == "cycle") else {
        return Ok(account.panel.get("cycle").and_then(text));
    };
    let offered = || cycles.items.iter();
    match account.panel.get("cycle").and_then(text) {
        Some(asked) if offered().any(|one| one.id == asked) => Ok(Some(asked)),
        Some(asked) => {
            let known: Vec<&str> = offered().map(|one| one.id.as_str()).collect();
            let why = format!(
                "the product has no cycle `{asked}`; it has {}",
                known.join(", ")
            );
            Err(PanelError::refused("field_refused", why))
        }
        None => {
            let chosen = offered().find(|one| one.selected);
            Ok(chosen
                .or_else(|| offered().next())
                .map(|one| one.id.clone()))
        }
    }
}

async fn pay_method(bill: &HostBill, account: &NewAccount) -> Result<Option<Value>, PanelError> {
    let asked = account.panel.get("pay_method").and_then(text);
    let chosen = match asked.or_else(|| bill.options.pay_method.clone()) {
        Some(chosen) => Some(chosen),
        None => bill.wire().pay_methods().await?.into_iter().next(),
    };
    // HostBill wants a number here.
    Ok(chosen
        .and_then(|id| id.parse::<u64>().ok())
        .map(Value::from))
}

/// `1618:10330=1,1700:5=2` as `{"1618": {"10330": 1}, "1700": {"5": 2}}`; every form and item must be there,
/// and every required form named.
fn custom(
    account: &NewAccount,
    forms: &[Choice],
) -> Result<BTreeMap<String, BTreeMap<String, u64>>, PanelError> {
    let refuse = |why: String| PanelError::refused("field_refused", why);
    let given = account
        .panel
        .get("custom")
        .and_then(text)
        .unwrap_or_default();
    let mut custom: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for part in given.split(',').filter(|part| !part.is_empty()) {
        let read = part.split_once(':').and_then(|(form, rest)| {
            let (item, quantity) = rest.split_once('=')?;
            Some((form, item, quantity.parse().ok()?))
        });
        let Some((form, item, quantity)) = read else {
            return Err(refuse(format!(
                "`custom` is FORM:ITEM=QUANTITY,..., not `{part}`"
            )));
        };
        let known = forms.iter().find(|one| one.id == form);
        let fits = known.is_some_and(|one| {
            one.items.is_empty() || one.items.iter().any(|choice| choice.id == item)
        });
        if !fits {
            return Err(refuse(format!(
                "the product has no form {form} with an item {item}"
            )));
        }
        custom
            .entry(form.to_owned())
            .or_default()
            .insert(item.to_owned(), quantity);
    }
    let selected = |one: &Choice| one.items.iter().any(|choice| choice.selected);
    let missing = forms
        .iter()
        .find(|one| one.required && !selected(one) && !custom.contains_key(&one.id));
    match missing {
        Some(one) => Err(refuse(format!(
            "the product needs form {} in `custom`",
            one.id
        ))),
        None => Ok(custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str, name: &str) -> Product {
        Product {
            id: id.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn products_that_share_a_name_are_told_apart_by_id() {
        let all = [
            product("1", "Small"),
            product("2", "Gold"),
            product("3", "Small"),
        ];
        let labels: Vec<String> = all
            .iter()
            .filter_map(|one| label(one, &all))
            .map(|name| name.to_string())
            .collect();
        assert_eq!(labels, ["Small (#1)", "Gold", "Small (#3)"]);
        for (asked, id) in [("Small (#3)", "3"), ("Gold", "2"), ("Gold (#2)", "2")] {
            assert_eq!(resolve(&all, &asked.parse().unwrap()).unwrap().id, id);
        }
        let shared = resolve(&all, &"Small".parse().unwrap()).unwrap_err();
        assert_eq!(shared.code(), "package_unknown");
    }
}
