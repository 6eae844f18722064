//! The functions that billing modules and panels name, and the table in `docs/architecture.md` that says
//! where each is done: every one is in the table, and what the table names exists.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use regex::Regex;

const PAGE: &str = include_str!("../../docs/architecture.md");

/// BILLmanager's cPanel module, WISECP's module class, Froxlor's customers API.
const FUNCTIONS: [&str; 27] = [
    "OpenAccount",
    "DeleteAccount",
    "SuspendAccount",
    "ResumeAccount",
    "SetAccountParam",
    "AddDetails",
    "AddDetails: bandwidth",
    "AddDetails: disk",
    "AddDetails: emaillimit",
    "AddDetails: databaselimit",
    "AddDetails: webdomainlimit",
    "GetServerConfig",
    "CheckServerConnection",
    "GetStats",
    "create",
    "terminate",
    "suspend",
    "unsuspend",
    "Single Sign-On",
    "Customers.listing",
    "Customers.listingCount",
    "Customers.add",
    "Customers.get",
    "Customers.update",
    "Customers.delete",
    "Customers.unlock",
    "Customers.move",
];

/// HostBill's user API.
const HOSTBILL: [&str; 71] = [
    "POST /login",
    "POST /logout",
    "POST /token",
    "POST /revoke",
    "GET /details",
    "PUT /details",
    "GET /logs",
    "GET /affiliates/summary",
    "GET /affiliates/campaigns",
    "GET /affiliates/commissions",
    "GET /affiliates/payouts",
    "GET /affiliates/vouchers",
    "GET /affiliates/commissionplans",
    "GET /contact",
    "POST /contact",
    "GET /contact/privileges",
    "GET /contact/@id",
    "PUT /contact/@id",
    "GET /notifications",
    "GET /notifications/new",
    "PUT /notifications/@id/ack",
    "GET /statuses",
    "PUT /statuses/@id",
    "GET /balance",
    "GET /invoice",
    "GET /invoice/@id",
    "POST /invoice/@id/credit",
    "GET /payment",
    "GET /payment/fees",
    "GET /tickets",
    "GET /tickets/@number",
    "GET /ticket/attachment/@file",
    "POST /tickets",
    "POST /tickets/@number",
    "PUT /tickets/@number/open",
    "PUT /tickets/@number/close",
    "GET /ticket/departments",
    "GET /service",
    "GET /service/@id",
    "GET /service/@id/methods",
    "GET /service/@id/upgrade",
    "POST /service/@id/upgrade",
    "POST /service/@id/cancel",
    "GET /service/@id/label",
    "POST /service/@id/label",
    "GET /service/@id/vms",
    "GET /service/@id/vms/@vmid",
    "POST /service/@id/vms",
    "POST /service/@id/vms/@vmid/stop",
    "POST /service/@id/vms/@vmid/start",
    "POST /service/@id/vms/@vmid/reboot",
    "POST /service/@id/vms/@vmid/rescue",
    "POST /service/@id/vms/@vmid/unrescue",
    "POST /service/@id/vms/@vmid/rebuild",
    "GET /service/@id/templates",
    "GET /service/@id/resources",
    "GET /service/@id/ip",
    "GET /category",
    "GET /category/@category_id/product",
    "GET /order/@product_id",
    "POST /order/@product_id",
    "POST /order",
    "POST /quote",
    "GET /dns",
    "POST /service/@service_id/dns",
    "GET /service/@service_id/dns",
    "GET /service/@service_id/dns/@zone_id",
    "DELETE /service/@service_id/dns/@zone_id",
    "PUT /service/@service_id/dns/@zone_id/records/@record_id",
    "DELETE /service/@service_id/dns/@zone_id/records/@record_id",
    "POST /service/@service_id/dns/@zone_id/records",
];

/// The cells of the rows of the table with that heading.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let (_, section) = PAGE.split_once(heading).expect("the page has this heading");
    section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn every_function_has_its_row() {
    let rows = rows("## Who does what");
    let named: Vec<&str> = rows.iter().map(|row| row[1].trim_matches('`')).collect();
    assert_eq!(named, FUNCTIONS);
    let open: String = self::rows("### HostBill").concat().join(" ");
    for function in HOSTBILL {
        assert!(open.contains(&format!("`{function}`")), "{function}");
    }
    println!(
        "{} functions have a place here, {} of HostBill are named, called or not",
        FUNCTIONS.len(),
        HOSTBILL.len()
    );
}

#[test]
fn what_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let place = Regex::new(r"`([\w/.-]+\.rs)` `(\w+)`").expect("the pattern is right");
    for row in rows("## Who does what") {
        let places: Vec<_> = place.captures_iter(&row[3]).collect();
        assert!(!places.is_empty(), "{} names no place", row[1]);
        for found in places {
            assert_exists(&root, &row[1], &found[1], &found[2]);
        }
    }
    let mut called = 0;
    for row in rows("### HostBill") {
        for found in place.captures_iter(&row[1]) {
            assert_exists(&root, &row[0], &found[1], &found[2]);
            called += 1;
        }
    }
    assert!(called > 25, "{called} places");
}

fn assert_exists(root: &Path, row: &str, file: &str, function: &str) {
    let text = std::fs::read_to_string(root.join(file))
        .unwrap_or_else(|error| panic!("{row}: {file}: {error}"));
    let definition = Regex::new(&format!(r"\bfn {function}\b")).expect("a name is a pattern");
    assert!(
        definition.is_match(&text),
        "{row}: {file} has no `{function}`"
    );
}
