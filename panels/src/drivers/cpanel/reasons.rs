//! What a refusal's text means. The wording varies by version and language and names stand in curly
//! quotes, so single words are looked for; what is not recognised is a refusal all the same.

/// What a text of a refusal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The token may not call this function: nothing that we send will be done.
    Permission,
    /// A lock on the server's user files; state unknown.
    Busy,
    /// Refused, with our stable code.
    Rejected(&'static str),
}

/// Each rule: all of these words (lower case) must occur. The first that fits decides.
const RULES: &[(&[&str], Verdict)] = {
    use Verdict::{Busy, Permission, Rejected};
    &[
        // About one account, so before what is about the token.
        (&["do not have access to", "account"], Rejected("not_ours")),
        (&["do not have access to", "user"], Rejected("not_ours")),
        (&["do not own"], Rejected("not_ours")),
        (&["access denied"], Permission),
        (&["permission denied"], Permission),
        (&["do not have permission"], Permission),
        (&["not have the required"], Permission),
        (&["do not have the", "privilege"], Permission),
        (&["insufficient privileg"], Permission),
        (&["unknown app requested"], Permission),
        (&["function not found"], Permission),
        (&["unable to add user"], Busy),
        (&["unable to lock"], Busy),
        (&["could not lock"], Busy),
        (&["/etc/passwd", "lock"], Busy),
        (&["/etc/shadow", "lock"], Busy),
        (&["/etc/group", "lock"], Busy),
        // Before "already exists": the Unix group is there, the account perhaps not.
        (&["group", "already exist"], Rejected("group_exists")),
        (
            &["already has an account named"],
            Rejected("account_exists"),
        ),
        (&["account", "same initial"], Rejected("name_clash")),
        (&["dns entry", "already exist"], Rejected("domain_taken")),
        (&["userdata", "already exist"], Rejected("domain_taken")),
        (&["domain", "already"], Rejected("domain_taken")),
        (&["already owned"], Rejected("domain_taken")),
        (&["account", "already exist"], Rejected("account_exists")),
        (&["user", "already exist"], Rejected("account_exists")),
        (&["valid pacakge"], Rejected("package_unknown")),
        (&["valid package"], Rejected("package_unknown")),
        (&["package does not exist"], Rejected("package_unknown")),
        (&["package", "not exist"], Rejected("package_unknown")),
        (&["password", "suspended"], Rejected("suspended")),
        (&["account", "is suspended"], Rejected("suspended")),
        (&["user", "is suspended"], Rejected("suspended")),
        (&["suspended account"], Rejected("suspended")),
        (&["password", "weak"], Rejected("password_weak")),
        (&["password", "strength"], Rejected("password_weak")),
        (&["password", "guess"], Rejected("password_weak")),
        (&["reserved"], Rejected("reserved_name")),
        (&["not a valid username"], Rejected("reserved_name")),
        (&["invalid username"], Rejected("reserved_name")),
        (&["license"], Rejected("license_limit")),
        (&["licence"], Rejected("license_limit")),
        (&["account limit"], Rejected("reseller_limit")),
        (&["would exceed"], Rejected("reseller_limit")),
        (&["allotted"], Rejected("reseller_limit")),
        (&["no dedicated ip"], Rejected("no_free_address")),
        (&["no free ip"], Rejected("no_free_address")),
        (&["no available ip"], Rejected("no_free_address")),
        (&["no ip", "available"], Rejected("no_free_address")),
        (&["locked"], Rejected("locked")),
        (&["account does not exist"], Rejected("no_such_account")),
        (&["user", "does not exist"], Rejected("no_such_account")),
        (&["cpanel user file"], Rejected("no_such_account")),
        (&["invalid user"], Rejected("no_such_account")),
    ]
};

/// The meaning of a refusal's text.
pub(super) fn judge(reason: &str) -> Verdict {
    let text = reason.to_lowercase();
    RULES
        .iter()
        .find(|(words, _)| words.iter().all(|word| text.contains(word)))
        .map_or(Verdict::Rejected("refused"), |(_, verdict)| *verdict)
}

/// Whether the text says that there is no such account.
pub(super) fn is_absent(reason: &str) -> bool {
    judge(reason) == Verdict::Rejected("no_such_account")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_text_has_its_code() {
        for (text, code) in [
            (
                "This system already has an account named “acme1”.",
                "account_exists",
            ),
            ("The account 'acme1' already exists.", "account_exists"),
            (
                "Sorry, a group for that username already exists.",
                "group_exists",
            ),
            (
                "The name of another account on this server has the same initial 8 characters",
                "name_clash",
            ),
            (
                "“root” is a reserved username on this system.",
                "reserved_name",
            ),
            ("“9x” is not a valid username", "reserved_name"),
            (
                "A DNS entry for “acme.example” already exists. You must remove this DNS entry from all servers in the DNS cluster to proceed.",
                "domain_taken",
            ),
            (
                "The domain “acme.example” already exists in userdata.",
                "domain_taken",
            ),
            (
                "Sorry, the domain is already pointed to an IP address that does not appear to use DNS servers associated with this server",
                "domain_taken",
            ),
            (
                "Sorry, \"gold\" is not a valid pacakge name. at /usr/local/cpanel/Whostmgr/Accounts/Create.pm line 1298.",
                "package_unknown",
            ),
            ("Specified package does not exist.", "package_unknown"),
            (
                "Sorry, the password you selected cannot be used because it is too weak and would be too easy to guess. Please select a password with strength rating of 65 or higher.",
                "password_weak",
            ),
            (
                "Sorry, the password may not be changed for a suspended account.",
                "suspended",
            ),
            ("You have reached your account limit.", "reseller_limit"),
            (
                "You have reached the maximum number of users allowed by your license.",
                "license_limit",
            ),
            ("Sorry, no dedicated IPs available", "no_free_address"),
            ("Account does not exist", "no_such_account"),
            ("System user acme1 does not exist!", "no_such_account"),
            (
                "_suspendacct called for a user that does not exist. ()",
                "no_such_account",
            ),
            ("Sorry the user acme1 does not exist", "no_such_account"),
            (
                "Unable to fetch the cPanel user file for acme1",
                "no_such_account",
            ),
            ("Invalid user. Cannot set quota.", "no_such_account"),
            (
                "You do not have access to an account named “acme1”.",
                "not_ours",
            ),
            ("Failed to set quota for user.", "refused"),
            ("", "refused"),
        ] {
            assert_eq!(judge(text), Verdict::Rejected(code), "{text}");
        }
        for text in [
            "Access denied",
            "You do not have permission to create accounts.",
            "Unknown app requested for this version of the API: x",
        ] {
            assert_eq!(judge(text), Verdict::Permission, "{text}");
        }
        assert_eq!(
            judge("Unable to add user: the file /etc/shadow is locked"),
            Verdict::Busy
        );
    }
}
