//! Licence expressions as manifests state them (SPDX 2.3, annex D; also the old `MIT/Apache-2.0`).

/// Whether what is on the list is enough to use something under that expression.
/// An expression that cannot be read is not allowed.
#[must_use]
pub fn is_allowed(expression: &str, list: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        words: &words,
        list,
    };
    reader.either() == Some(true) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    list: &'a [String],
}

impl Reader<'_> {
    /// `both OR both ...`
    fn either(&mut self) -> Option<bool> {
        let mut allowed = self.both()?;
        while self.takes("OR") {
            allowed |= self.both()?;
        }
        Some(allowed)
    }

    /// `one AND one ...`, which binds closer.
    fn both(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.takes("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    /// A name, a name with an exception, or something in parentheses.
    fn one(&mut self) -> Option<bool> {
        let (&first, rest) = self.words.split_first()?;
        self.words = rest;
        if first == "(" {
            let inner = self.either()?;
            return self.takes(")").then_some(inner);
        }
        let mut name = first.to_owned();
        if self.takes("WITH") {
            let (&exception, rest) = self.words.split_first()?;
            self.words = rest;
            name = format!("{name} WITH {exception}");
        }
        Some(self.list.contains(&name))
    }

    fn takes(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((&first, rest)) if first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_enough_of_the_list() {
        let list = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(String::from);
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND Apache-2.0",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0 AND ISC OR MIT",
        ] {
            assert!(is_allowed(good, &list), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND ISC",
            "MIT WITH LLVM-exception",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
        ] {
            assert!(!is_allowed(bad, &list), "{bad}");
        }
    }
}
