//! What a supplier by HostBill takes, as data; and the look at one.

use hosting::{LimitRule, NameRule, PanelField, PanelRules, PasswordRule};

use super::HostBill;
use super::shapes::money;
use crate::{PanelError, ServerCheck};

/// The kinds that every supplier has.
const KINDS: [&str; 18] = [
    "create",
    "terminate",
    "change_package",
    "change_limits",
    "get_stats",
    "get_server_config",
    "check_connection",
    "list_accounts",
    "ask_supplier",
    "vm_list",
    "vm_get",
    "vm_create",
    "vm_start",
    "vm_stop",
    "vm_reboot",
    "vm_rescue",
    "vm_unrescue",
    "vm_rebuild",
];

/// The rules as far as they hold for every supplier.
pub(super) fn rules() -> PanelRules {
    PanelRules {
        panel: "hostbill".to_owned(),
        kinds: KINDS.map(str::to_owned).to_vec(),
        username: NameRule {
            pattern: "[a-z][a-z0-9]{1,31}".to_owned(),
            words: "a lower-case letter, then 1 to 31 lower-case letters and digits".to_owned(),
            max_length: 32,
            reserved: Vec::new(),
            refused: vec![(
                "s[0-9]+".to_owned(),
                "must not be `s` and a number, by which services are called that are not ours"
                    .to_owned(),
            )],
        },
        // Not sent to a supplier, who chooses it; for the passwords of machines.
        password: PasswordRule {
            min_length: 8,
            max_length: 72,
            alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!?#$+@_-"
                .to_owned(),
        },
        required: vec!["domain".to_owned(), "package".to_owned()],
        panel_fields: panel_fields(),
        limits: Vec::new(),
        dedicated_ip: false,
        creates_at_once: 1,
    }
}

/// The kinds that are about one machine.
const OF_A_MACHINE: [&str; 7] = [
    "vm_get",
    "vm_start",
    "vm_stop",
    "vm_reboot",
    "vm_rescue",
    "vm_unrescue",
    "vm_rebuild",
];

fn panel_fields() -> Vec<PanelField> {
    let mut fields = order_fields();
    fields.extend(machine_fields());
    fields
}

fn machine_fields() -> Vec<PanelField> {
    let field =
        |name: &str, pattern: &str, kinds: &[&str], required: bool, about: &str| PanelField {
            name: name.to_owned(),
            about: about.to_owned(),
            pattern: pattern.to_owned(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            required,
        };
    let id = "[0-9]{1,18}";
    let word = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}";
    vec![
        field(
            "vm",
            id,
            &OF_A_MACHINE,
            true,
            "the machine's id, as `vm_list` tells it",
        ),
        field(
            "label",
            word,
            &["vm_create"],
            true,
            "the machine's name, 1 to 63 letters, digits and . _ -",
        ),
        field(
            "template",
            word,
            &["vm_create", "vm_rebuild"],
            true,
            "the id of the image",
        ),
        field("flavor", word, &["vm_create"], false, "the id of the size"),
        field(
            "disk_gb",
            "[1-9][0-9]{0,6}",
            &["vm_create"],
            false,
            "the disk in GB",
        ),
    ]
}

fn order_fields() -> Vec<PanelField> {
    let field = |name: &str, pattern: &str, about: &str| PanelField {
        name: name.to_owned(),
        about: about.to_owned(),
        pattern: pattern.to_owned(),
        kinds: vec!["create".to_owned()],
        required: false,
    };
    vec![
        field(
            "cycle",
            "[a-z0-9]{1,12}",
            "the billing cycle by HostBill's letter (m, q, s, a, b, t, ...); the product's own where it is left out",
        ),
        field(
            "pay_method",
            "[0-9]{1,9}",
            "the id of the payment method that the order names",
        ),
        field(
            "custom",
            "[0-9]{1,12}:[0-9]{1,12}=[0-9]{1,9}(?:,[0-9]{1,12}:[0-9]{1,12}=[0-9]{1,9}){0,49}",
            "choices of the product's forms, FORM:ITEM=QUANTITY, with commas between them",
        ),
        field("promocode", "[A-Za-z0-9_-]{1,40}", "a promotion code"),
    ]
}

pub(super) async fn check(bill: &HostBill) -> Result<ServerCheck, PanelError> {
    let email = bill.wire().details().await?;
    let mut check = ServerCheck {
        version: None,
        rules: rules(),
        missing_rights: Vec::new(),
        notes: vec![format!("the client is {email}")],
    };
    if bill.options.power {
        let both = ["suspend".to_owned(), "unsuspend".to_owned()];
        check.rules.kinds.extend(both);
    }
    let limits = bill
        .options
        .resources
        .iter()
        .map(|(name, resource)| LimitRule {
            name: *name,
            multiple_of: resource.unit,
            least: resource.unit,
            most: 1 << 40,
            unlimited: false,
        });
    check.rules.limits = limits.collect();
    match bill.wire().credit().await {
        Ok((credit, currency)) => {
            let note = format!("{} {currency} of credit", money(credit));
            check.notes.push(note);
        }
        Err(PanelError::Rejected { reason, .. }) => {
            let right = format!("create: the balance cannot be read: {reason}");
            check.missing_rights.push(right);
        }
        Err(error) => return Err(error),
    }
    Ok(check)
}
