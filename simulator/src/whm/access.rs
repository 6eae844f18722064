//! Who may call what, and the calls that ask about it.

use serde_json::{Map, Value, json};

use super::envelope::{Params, Reply};
use super::functions::FUNCTIONS;
use super::{Whm, rules};
use crate::account::Secret;
use crate::chance::Chance;
use crate::http::{Request, Response};
use crate::panel::Context;

/// An API token.
#[derive(Clone)]
pub struct Token {
    /// `root` or the reseller who owns it.
    pub user: String,
    secret: String,
    /// The privileges that it has; `all` stands for all.
    pub privileges: Vec<String>,
    /// Unix time after which it does not work; none is never.
    pub expires: Option<i64>,
    /// Addresses that may use it; empty is anywhere.
    pub addresses: Vec<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// A token of root with every privilege.
    #[must_use]
    pub fn root(secret: &str) -> Self {
        Token::new("root", secret, &["all"])
    }

    /// A token with some privileges, as in WHM's ACL list: `create-acct`, `list-accts`, ...
    #[must_use]
    pub fn new(user: &str, secret: &str, privileges: &[&str]) -> Self {
        Token {
            user: user.to_owned(),
            secret: secret.to_owned(),
            privileges: privileges.iter().map(|name| (*name).to_owned()).collect(),
            expires: None,
            addresses: Vec::new(),
        }
    }

    pub(super) fn secret_is(&self, text: &str) -> bool {
        self.secret == text
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: String,
    privileges: Vec<String>,
}

impl Caller {
    pub(super) fn is_root(&self) -> bool {
        self.user == "root"
    }

    pub(super) fn may(&self, acl: &str) -> bool {
        acl.is_empty() || self.privileges.iter().any(|own| own == acl || own == "all")
    }

    /// Whether the caller can see an account: root all, a reseller those that are his own.
    pub(super) fn sees(&self, account: &super::Account) -> bool {
        self.is_root() || account.owner == self.user || account.user == self.user
    }
}

/// The privileges that are listed by name.
const PRIVILEGES: [&str; 20] = [
    "all",
    "basic-whm-functions",
    "acct-summary",
    "create-acct",
    "kill-acct",
    "suspend-acct",
    "upgrade-account",
    "edit-account",
    "quota",
    "limit-bandwidth",
    "show-bandwidth",
    "list-accts",
    "passwd",
    "list-pkgs",
    "viewglobalpackages",
    "add-pkg",
    "edit-pkg",
    "allow-unlimited-pkgs",
    "rearrange-accts",
    "create-user-session",
];

impl Whm {
    pub(crate) fn root_user(&self) -> &str {
        self.tokens
            .first()
            .map_or("root", |token| token.user.as_str())
    }

    pub(crate) fn root_token(&self) -> &str {
        self.tokens
            .first()
            .map_or("", |token| token.secret.as_str())
    }

    /// cpsrvd's own pages for 401 and 403, and a plain error page for the rest.
    pub(crate) fn refusal(&self, status: u16) -> Response {
        match status {
            401 => Response::new(
                401,
                "text/html; charset=\"utf-8\"",
                "<html><head><title>401 Access Denied</title></head><body>Access Denied</body></html>\n",
            ),
            403 => {
                let body = json!({"cpanelresult": {
                    "apiversion": "2", "error": "Access denied",
                    "data": {"reason": "Access denied", "result": "0"}, "type": "text",
                }});
                let mut response =
                    Response::new(403, "application/json; charset=\"utf-8\"", body.to_string());
                response.reason = Some("Forbidden Access denied");
                response
            }
            other => Response::new(
                other,
                "text/html",
                "<html><body>Internal Server Error</body></html>\n",
            ),
        }
    }

    pub(super) fn authenticate(
        &mut self,
        request: &Request,
        context: &Context<'_>,
    ) -> Result<Caller, Response> {
        let black_listed = self
            .settings
            .cphulk_after
            .is_some_and(|limit| self.failed_logins >= limit);
        if black_listed {
            return Err(self.refusal(403));
        }
        let Some((scheme, rest)) = request
            .header("authorization")
            .and_then(|value| value.split_once(' '))
        else {
            return Err(self.refusal(401));
        };
        let Some((user, secret)) = rest
            .split_once(':')
            .filter(|_| scheme.eq_ignore_ascii_case("whm"))
        else {
            return Err(self.refusal(401));
        };
        let valid = |token: &&super::Token| {
            token.user == user
                && token.secret_is(secret.trim())
                && token.expires.is_none_or(|end| end > context.now_seconds())
                && (token.addresses.is_empty() || token.addresses.contains(&request.peer))
        };
        if let Some(token) = self.tokens.iter().find(valid) {
            return Ok(Caller {
                user: token.user.clone(),
                privileges: token.privileges.clone(),
            });
        }
        self.failed_logins += 1;
        Err(self.refusal(403))
    }
}

pub(super) fn version(whm: &mut Whm, _: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    Reply::ok("OK", json!({"version": whm.settings.version}))
}

pub(super) fn my_privileges(
    _: &mut Whm,
    caller: &Caller,
    _: &Params,
    _: &mut Context<'_>,
) -> Reply {
    let all: Map<String, Value> = PRIVILEGES
        .iter()
        .map(|name| ((*name).to_owned(), Value::from(u8::from(caller.may(name)))))
        .collect();
    Reply::ok("OK", json!({"privileges": [all]}))
}

pub(super) fn app_list(_: &mut Whm, caller: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    let names: Vec<&str> = FUNCTIONS
        .iter()
        .filter(|function| caller.may(function.acl))
        .map(|function| function.name)
        .collect();
    Reply::ok("OK", json!({"app": names}))
}

pub(super) fn password_strength(
    _: &mut Whm,
    _: &Caller,
    params: &Params,
    _: &mut Context<'_>,
) -> Reply {
    match params.filled("password") {
        Some(password) => Reply::ok("OK", json!({"strength": rules::strength(password)})),
        None => Reply::failed("Provide the “password” parameter."),
    }
}

pub(super) fn minimum_strengths(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    _: &mut Context<'_>,
) -> Reply {
    let least = whm.settings.min_strength;
    let all = json!({"createacct": least, "passwd": least, "default": least, "virtual": least, "ftp": least});
    match params.filled("name") {
        Some(name) => Reply::ok("OK", json!({name: all.get(name).unwrap_or(&json!(least))})),
        None => Reply::ok("OK", all),
    }
}

pub(super) fn change_password(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let password = params.filled("password").or_else(|| params.filled("pass"));
    let (least, old) = (whm.settings.min_strength, whm.settings.old_wording);
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed(format!("Sorry, the user {user} does not exist."));
    };
    if account.suspended {
        return Reply::failed("You cannot change the password of a suspended account.");
    }
    let Some(password) = password else {
        return Reply::failed("Sorry, you must provide a new password.");
    };
    if rules::strength(password) < least {
        return Reply::failed(rules::too_weak(least, old));
    }
    account.password = Secret::of(password);
    let incarnation = account.incarnation.clone();
    context.applied(&user, &incarnation, json!({"password": "changed"}));
    let services = ["system", "ftp", "mail", "mySQL"];
    let apps: Vec<Value> = services.iter().map(|name| json!({"app": name})).collect();
    Reply::ok(
        format!("Password changed for user “{user}”."),
        json!({"app": apps}),
    )
}

pub(super) fn create_session(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let service = params.get("service").unwrap_or("cpaneld").to_owned();
    let Some(account) = whm
        .accounts
        .get(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed(format!("The user “{user}” does not exist."));
    };
    if account.suspended {
        return Reply::failed(format!(
            "The account “{user}” is suspended: it cannot log in."
        ));
    }
    let port = match service.as_str() {
        "cpaneld" => 2083,
        "whostmgrd" => 2087,
        "webmaild" => 2096,
        _ => return Reply::failed(format!("“{service}” is not a valid service.")),
    };
    let incarnation = account.incarnation.clone();
    whm.sessions += 1;
    let mut chance = Chance::for_name(context.options.seed, &format!("session {}", whm.sessions));
    let token = format!("/cpsess{}", chance.text("0123456789", 10));
    let session = format!(
        "{user}:{}",
        chance.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", 32)
    );
    let url = format!(
        "https://{}:{port}{token}/login/?session={}",
        whm.host_name,
        session.replace(':', "%3a")
    );
    context.applied(&user, &incarnation, json!({"session": service}));
    Reply::ok(
        "Created session",
        json!({
            "url": url, "session": session, "cp_security_token": token,
            "expires": context.now_seconds() + 900, "service": service,
            "locale": params.get("locale").unwrap_or("en"),
        }),
    )
}
