//! The functions that the server knows.

use super::Whm;
use super::access::Caller;
use super::envelope::{Params, Reply};
use super::{
    access, accounts, bandwidth, create, ips, limits, listing, packages, resellers, standing,
};
use crate::panel::Context;

/// One function of the API.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The privilege that a caller needs; empty for none.
    pub(super) acl: &'static str,
    pub(super) changes: bool,
    /// How long it takes on a real server, in ms.
    pub(super) cost_ms: (u64, u64),
    pub(super) run: fn(&mut Whm, &Caller, &Params, &mut Context<'_>) -> Reply,
}

const fn read(
    name: &'static str,
    acl: &'static str,
    cost_ms: (u64, u64),
    run: fn(&mut Whm, &Caller, &Params, &mut Context<'_>) -> Reply,
) -> Function {
    Function {
        name,
        acl,
        changes: false,
        cost_ms,
        run,
    }
}

const fn change(
    name: &'static str,
    acl: &'static str,
    cost_ms: (u64, u64),
    run: fn(&mut Whm, &Caller, &Params, &mut Context<'_>) -> Reply,
) -> Function {
    Function {
        name,
        acl,
        changes: true,
        cost_ms,
        run,
    }
}

/// A look at one record.
const QUICK: (u64, u64) = (100, 600);
/// A list of everything on a big server.
const LIST: (u64, u64) = (2_000, 12_000);

/// All functions, with the privileges of WHM's ACL list.
pub(super) const FUNCTIONS: [Function; 36] = [
    read("version", "", QUICK, access::version),
    read("myprivs", "", QUICK, access::my_privileges),
    read("applist", "", QUICK, access::app_list),
    change(
        "createacct",
        "create-acct",
        (10_000, 60_000),
        create::create_account,
    ),
    read(
        "accountsummary",
        "acct-summary",
        QUICK,
        listing::account_summary,
    ),
    read("listaccts", "list-accts", LIST, listing::list_accounts),
    read(
        "listsuspended",
        "list-accts",
        QUICK,
        listing::list_suspended,
    ),
    change(
        "suspendacct",
        "suspend-acct",
        (2_000, 20_000),
        standing::suspend,
    ),
    change(
        "unsuspendacct",
        "suspend-acct",
        (2_000, 20_000),
        standing::unsuspend,
    ),
    change(
        "removeacct",
        "kill-acct",
        (5_000, 120_000),
        accounts::remove,
    ),
    change(
        "changepackage",
        "upgrade-account",
        (2_000, 30_000),
        limits::change_package,
    ),
    change("modifyacct", "edit-account", (500, 3_000), limits::modify),
    change("editquota", "quota", (500, 3_000), limits::edit_quota),
    change(
        "limitbw",
        "limit-bandwidth",
        (500, 3_000),
        limits::limit_bandwidth,
    ),
    change(
        "setsiteip",
        "edit-account",
        (1_000, 10_000),
        ips::set_site_ip,
    ),
    read("listips", "basic-whm-functions", QUICK, ips::list),
    read("listpkgs", "list-pkgs", QUICK, packages::list),
    read("getpkginfo", "list-pkgs", QUICK, packages::info),
    read("showbw", "show-bandwidth", LIST, bandwidth::show),
    read("get_disk_usage", "list-accts", LIST, bandwidth::disk_usage),
    change("passwd", "passwd", (500, 3_000), access::change_password),
    change(
        "create_user_session",
        "create-user-session",
        QUICK,
        access::create_session,
    ),
    read(
        "verify_new_username",
        "create-acct",
        QUICK,
        create::verify_new_username,
    ),
    read(
        "getdomainowner",
        "basic-whm-functions",
        QUICK,
        accounts::domain_owner,
    ),
    read(
        "get_password_strength",
        "",
        QUICK,
        access::password_strength,
    ),
    read(
        "getminimumpasswordstrengths",
        "",
        QUICK,
        access::minimum_strengths,
    ),
    read(
        "get_current_users_count",
        "basic-whm-functions",
        QUICK,
        accounts::users_count,
    ),
    read(
        "get_maximum_users",
        "basic-whm-functions",
        QUICK,
        accounts::maximum_users,
    ),
    change("killdns", "kill-dns", QUICK, accounts::kill_dns),
    change("addpkg", "add-pkg", (500, 3_000), packages::add),
    change("setupreseller", "all", (500, 3_000), resellers::set_up),
    read("acctcounts", "acct-summary", QUICK, resellers::counts),
    change(
        "suspendreseller",
        "all",
        (2_000, 20_000),
        resellers::suspend,
    ),
    change(
        "unsuspendreseller",
        "all",
        (2_000, 20_000),
        resellers::unsuspend,
    ),
    change(
        "terminatereseller",
        "all",
        (5_000, 120_000),
        resellers::terminate,
    ),
    read(
        "getresellerips",
        "basic-whm-functions",
        QUICK,
        ips::of_reseller,
    ),
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}
