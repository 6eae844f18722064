//! Which names and passwords are taken.

/// Names that cannot be used, from cPanel's list of reserved user names.
pub(super) const RESERVED: [&str; 34] = [
    "root",
    "admin",
    "abuse",
    "adm",
    "apache",
    "bin",
    "daemon",
    "ftp",
    "mail",
    "mysql",
    "named",
    "nobody",
    "postmaster",
    "security",
    "sshd",
    "system",
    "webmaster",
    "wheel",
    "info",
    "sales",
    "support",
    "marketing",
    "news",
    "operator",
    "games",
    "sync",
    "shutdown",
    "halt",
    "cpanel",
    "virtfs",
    "all",
    "dovecot",
    "mailman",
    "postgres",
];

/// Why a name cannot be used, as the server words it.
pub(super) fn refuse_name(name: &str, long_names: bool) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!(
            "Sorry, “{name}” is a reserved username. Please choose another one."
        ));
    }
    let length = if long_names { 16 } else { 8 };
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let starts = name.starts_with(|first: char| first.is_ascii_digit()) || name.starts_with("test");
    let bad =
        name.is_empty() || name.len() > length || !plain || starts || name.ends_with("assword");
    bad.then(|| format!("Sorry, “{name}” is not a valid username on this system."))
}

/// How strong a password is, 0 to 100: by length and kinds of characters. The server's own measure is not published;
/// this one agrees with it in what matters, short words are weak and 12 mixed characters are strong.
pub(super) fn strength(password: &str) -> u64 {
    let kinds = [
        password.bytes().any(|b| b.is_ascii_lowercase()),
        password.bytes().any(|b| b.is_ascii_uppercase()),
        password.bytes().any(|b| b.is_ascii_digit()),
        password.bytes().any(|b| !b.is_ascii_alphanumeric()),
    ];
    let kinds = kinds.iter().filter(|kind| **kind).count() as u64;
    let distinct = password
        .bytes()
        .collect::<std::collections::BTreeSet<_>>()
        .len() as u64;
    let common = ["password", "123456", "qwerty", "letmein"];
    if common
        .iter()
        .any(|word| password.to_ascii_lowercase().contains(word))
    {
        return 5;
    }
    (distinct * 4 + kinds * 10).min(100)
}

/// The refusal of a weak password; older versions call it easy to crack.
pub(super) fn too_weak(least: u64, old_wording: bool) -> String {
    let verb = if old_wording { "crack" } else { "guess" };
    format!(
        "Sorry, the password you selected cannot be used because it is too weak and would be too easy to {verb}. \
         Please select a password with strength rating of {least} or higher."
    )
}

/// Whether a text can be a domain.
pub(super) fn is_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.len() >= 2 && text.len() <= 253 && labels.iter().all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_contract() {
        for good in ["acme", "a", "acme2", "abcdefghijklmnop"] {
            assert_eq!(refuse_name(good, true), None, "{good}");
        }
        for bad in [
            "",
            "1acme",
            "testing",
            "mypassword",
            "ac-me",
            "ac_me",
            "abcdefghijklmnopq",
            "root",
            "Acme",
        ] {
            assert!(refuse_name(bad, true).is_some(), "{bad}");
        }
        assert!(refuse_name("ninechars", false).is_some());
    }

    #[test]
    fn short_or_common_passwords_are_weak() {
        for weak in ["abc", "secret", "Password123!", "aaaaaaaaaaaa"] {
            assert!(strength(weak) < 50, "{weak}: {}", strength(weak));
        }
        for strong in ["xK9!mQ2#vB7@", "Pl4in-Secret"] {
            assert!(strength(strong) >= 65, "{strong}: {}", strength(strong));
        }
    }
}
