//! Passwords that a panel takes.

use crate::PasswordRule;

/// A password by the panel's rule, from `draw`, which gives uniformly drawn numbers below its argument.
///
/// 20 characters (or the panel's bounds), with at least one of each class that the alphabet has.
/// Chance is an argument so that the rule can be tested; pass a cryptographic source in production.
pub fn generate_password(rule: &PasswordRule, mut draw: impl FnMut(usize) -> usize) -> String {
    let alphabet: Vec<char> = rule.alphabet.chars().collect();
    let length = 20.clamp(usize::from(rule.min_length), usize::from(rule.max_length));
    let classes: [fn(&char) -> bool; 4] = [
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_digit(),
        |c| !c.is_ascii_alphanumeric(),
    ];
    let mut password: Vec<char> = Vec::with_capacity(length);
    for class in classes {
        let members: Vec<char> = alphabet.iter().copied().filter(class).collect();
        if !members.is_empty() {
            password.push(members[draw(members.len())]);
        }
    }
    while password.len() < length {
        password.push(alphabet[draw(alphabet.len())]);
    }
    // Fisher-Yates, so that the classes do not stand at known places.
    for last in (1..password.len()).rev() {
        password.swap(last, draw(last + 1));
    }
    // A leading sign is taken for an option or a formula by some tools that a password passes through.
    if let Some(letter) = password.iter().position(char::is_ascii_alphabetic) {
        password.swap(0, letter);
    }
    password.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_fits_its_own_rule() {
        let rule = PasswordRule {
            min_length: 8,
            max_length: 72,
            alphabet: "abcXYZ019!#".into(),
        };
        let mut state = 7_usize;
        for _ in 0..500 {
            let password = generate_password(&rule, |n| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) % n
            });
            assert_eq!(password.len(), 20);
            assert_eq!(rule.check(&password), Ok(()));
            assert!(password.starts_with(|c: char| c.is_ascii_alphabetic()));
            assert!(
                password.chars().any(|c| c.is_ascii_digit())
                    && password.chars().any(|c| "!#".contains(c))
            );
        }
    }
}
