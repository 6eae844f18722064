//! The configuration reference, as Markdown.

use std::fmt::Write as _;

use super::settings::Settings;
use super::{DEFAULT_FILE, KEYS};

/// The text of `docs/configuration.md`: every key with its meaning, default, variable and flag.
#[must_use]
pub fn reference() -> String {
    let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
    let mut text = format!(
        "# Configuration\n\n\
         Made by `hostler config reference`.\n\n\
         A value is looked for in this order, the later wins: the default, `{DEFAULT_FILE}` (or the file \
         named by `--config`), the environment, flags. A key that is not listed here is an error. \
         `hostler config check` prints every value with where it comes from.\n\n\
         Secrets can be given as the path of a file in the variable with `_FILE` at its end \
         (`DATABASE_URL_FILE`).\n"
    );
    let mut section = None;
    for key in KEYS {
        let this = key.name.split_once('.').map_or("", |(section, _)| section);
        if section != Some(this) {
            section = Some(this);
            let title = if this.is_empty() {
                "Outside of sections".to_owned()
            } else {
                format!("`[{this}]`")
            };
            let _ = write!(text, "\n## {title}\n");
        }
        let default = defaults
            .pointer(&format!("/{}", key.name.replace('.', "/")))
            .filter(|value| !value.is_null())
            .map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
        let mut variables = vec![format!("`{}`", key.usual_variable())];
        variables.extend(key.variable.map(|name| format!("`{name}`")));
        let _ = write!(text, "\n### `{}`\n\n{}\n\n", key.name, key.about);
        let _ = write!(
            text,
            "- Default: {default}\n- Environment: {}\n",
            variables.join(" or ")
        );
        if let Some(flag) = key.flag {
            let _ = writeln!(text, "- Flag: `{flag}`");
        }
    }
    text
}
