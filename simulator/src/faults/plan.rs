//! What a fault is, and how it is written in a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Reply;
use crate::SimulatorError;

/// A list of faults, as `hostler simulate --faults FILE` reads it (TOML, or JSON for a name that ends in `.json`).
///
/// ```toml
/// # The second create is carried out, but its answer never comes.
/// [[fault]]
/// call = "createacct"          # a function or command; "*" is any; "connect" is the connection before TLS
/// nth = 2                      # from the second matching call on (default 1)
/// count = 1                    # how often (default 1; 0 = every time)
/// username = "acme"            # only for this account
/// only = "change"              # "any" (default), "read" or "change"
/// chance = 0.5                 # of the calls that match, this share, drawn from the seed
/// applied = "yes"              # "yes" (default), "no", "half", or { after_seconds = 45 } of the panel's time
/// reply = "never"              # see below
/// ```
///
/// Replies: `"normal"`, `{ late = { ms = 500 } }`, `"never"`, `{ cut_body = { after = 10 } }`,
/// `{ cut_response = { after = 0 } }`, `"reset"`, `"html"`, `{ status = { code = 503, body = "" } }`,
/// `{ throttled = { retry_after = "120" } }`, `"unauthorized"`, `"forbidden"`, `{ wrong_json = "truncated" }`,
/// `{ wrong_json = { missing = ["user"] } }`, `{ redirect = { status = 302, to = "https://example.org/" } }`,
/// `"endless"`, `"endless_headers"`, `{ slow = { bytes_per_second = 1 } }`, `"empty"`, `{ raw = { text = "..." } }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The faults; the first that matches a call is applied.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

impl FaultPlan {
    /// Reads a plan from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a plan; the text names the place.
    pub fn read(path: &Path) -> Result<Self, SimulatorError> {
        let text = std::fs::read_to_string(path).map_err(|source| SimulatorError::File {
            path: path.to_owned(),
            source,
        })?;
        let json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let parsed = if json {
            Self::from_json(&text)
        } else {
            Self::from_toml(&text)
        };
        parsed.map_err(|reason| SimulatorError::Content {
            path: path.to_owned(),
            reason,
        })
    }

    /// Reads a plan in TOML.
    ///
    /// # Errors
    /// The reason, with the line.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Reads a plan in JSON: `{"fault": [...]}`.
    ///
    /// # Errors
    /// The reason, with the line.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// The function (`createacct`) or command (`Customers.add`), in any case; `*` for any; `connect` for the
    /// connection before TLS.
    pub call: String,
    /// Only calls that name this account.
    pub username: Option<String>,
    /// Only reads or only changes.
    pub only: Scope,
    /// Which matching call is the first to fail, counted from 1.
    pub nth: u64,
    /// How many calls fail; 0 is all of them.
    pub count: u64,
    /// The share of matching calls that fail, 0.0 to 1.0; none means each.
    pub chance: Option<f64>,
    /// Whether the call takes effect on the panel.
    pub applied: Applied,
    /// What the client gets to see.
    pub reply: Reply,
}

impl Default for Fault {
    fn default() -> Self {
        Fault {
            call: "*".to_owned(),
            username: None,
            only: Scope::Any,
            nth: 1,
            count: 1,
            chance: None,
            applied: Applied::Yes,
            reply: Reply::Normal,
        }
    }
}

impl Fault {
    /// A fault of one call; it strikes once and, until told otherwise, changes nothing.
    #[must_use]
    pub fn on(call: &str) -> Self {
        Fault {
            call: call.to_owned(),
            ..Fault::default()
        }
    }

    /// Only for this account.
    #[must_use]
    pub fn for_user(mut self, username: &str) -> Self {
        self.username = Some(username.to_owned());
        self
    }

    /// Only reads or only changes.
    #[must_use]
    pub fn only(mut self, scope: Scope) -> Self {
        self.only = scope;
        self
    }

    /// Begins with the n-th matching call, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth;
        self
    }

    /// Strikes this often; 0 is for ever.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Strikes only this share of the matching calls.
    #[must_use]
    pub fn chance(mut self, share: f64) -> Self {
        self.chance = Some(share);
        self
    }

    /// Whether the call takes effect.
    #[must_use]
    pub fn applied(mut self, applied: Applied) -> Self {
        self.applied = applied;
        self
    }

    /// What the client sees.
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }
}

/// Which calls a fault is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All.
    #[default]
    Any,
    /// Those that change nothing.
    Read,
    /// Those that change something.
    Change,
}

/// Whether a call takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// At once.
    #[default]
    Yes,
    /// Never; a normal reply still looks as if.
    No,
    /// A create breaks off in the middle (WHM: a Unix group is left behind; Froxlor: a customer without an FTP user).
    /// For other calls the same as `Yes`.
    Half,
    /// After this much of the panel's time, whatever became of the connection.
    AfterSeconds(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_of_the_documentation_is_read() {
        let replies = [
            r#""normal""#,
            "{ late = { ms = 500 } }",
            r#""never""#,
            "{ cut_body = { after = 10 } }",
            "{ cut_response = { after = 0 } }",
            r#""reset""#,
            r#""html""#,
            r#"{ status = { code = 503, body = "" } }"#,
            r#"{ throttled = { retry_after = "120" } }"#,
            r#""unauthorized""#,
            r#""forbidden""#,
            r#"{ wrong_json = "truncated" }"#,
            r#"{ wrong_json = { missing = ["user"] } }"#,
            r#"{ redirect = { status = 302, to = "https://example.org/" } }"#,
            r#""endless""#,
            r#""endless_headers""#,
            "{ slow = { bytes_per_second = 1 } }",
            r#""empty""#,
            r#"{ raw = { text = "..." } }"#,
        ];
        for reply in replies {
            let plan = FaultPlan::from_toml(&format!("[[fault]]\nreply = {reply}")).unwrap();
            assert_eq!(plan.faults.len(), 1, "{reply}");
        }
    }

    #[test]
    fn a_plan_survives_the_way_through_toml_and_json() {
        let plan = FaultPlan {
            faults: vec![
                Fault::on("createacct")
                    .nth(2)
                    .applied(Applied::AfterSeconds(45))
                    .reply(Reply::Never),
                Fault::on("*")
                    .only(Scope::Change)
                    .chance(0.25)
                    .times(0)
                    .applied(Applied::No),
            ],
        };
        let toml = toml::to_string(&plan).unwrap();
        assert_eq!(FaultPlan::from_toml(&toml).unwrap(), plan);
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(FaultPlan::from_json(&json).unwrap(), plan);
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line() {
        let error = FaultPlan::from_toml("[[fault]]\ncal = \"x\"").unwrap_err();
        assert!(error.contains("line 2") && error.contains("cal"), "{error}");
    }
}
