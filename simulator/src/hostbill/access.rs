//! Logging in: tokens that end, and refresh tokens that are good once.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::HostBill;
use super::answer::{Said, json, refused, text};
use super::paths::Path;
use crate::http::{Request, Response};
use crate::panel::Context;

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    /// Seconds.
    pub(super) life: i64,
    /// When each token ends, in seconds.
    tokens: BTreeMap<String, i64>,
    refreshes: Vec<String>,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions {
            life: 3600,
            tokens: BTreeMap::new(),
            refreshes: Vec::new(),
        }
    }
}

impl Sessions {
    pub(super) fn revoke(&mut self, refreshes: bool) {
        self.tokens.clear();
        if refreshes {
            self.refreshes.clear();
        }
    }
}

impl HostBill {
    /// Answers what needs no token.
    pub(super) fn enter(
        &mut self,
        path: &Path,
        params: &Value,
        context: &Context<'_>,
    ) -> Option<Response> {
        match path.parts().as_slice() {
            ["login"] => {
                let name = text(params, "username").is_some_and(|name| name == self.email);
                let word = text(params, "password").is_some_and(|word| word == self.password);
                Some(if name && word {
                    json(200, &self.session(context))
                } else {
                    refused(200, "Login failed")
                })
            }
            ["token"] => {
                let given = text(params, "refresh_token").unwrap_or_default();
                let at = self.sessions.refreshes.iter().position(|one| *one == given);
                Some(match at {
                    Some(at) => {
                        self.sessions.refreshes.remove(at);
                        json(200, &self.session(context))
                    }
                    None => refused(200, "Invalid refresh token"),
                })
            }
            ["revoke"] => {
                let given = text(params, "refresh_token").unwrap_or_default();
                self.sessions.refreshes.retain(|one| *one != given);
                Some(json(200, &json!({"status": true})))
            }
            _ => None,
        }
    }

    fn session(&mut self, context: &Context<'_>) -> Value {
        let end = context.now_seconds() + self.sessions.life;
        let claims = URL_SAFE_NO_PAD.encode(json!({"sub": self.email, "exp": end}).to_string());
        let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
        let token = format!(
            "eyJhbGciOiJIUzI1NiJ9.{claims}.{}",
            self.chance.text(alphabet, 32)
        );
        let refresh = self.chance.text(alphabet, 48);
        self.sessions.tokens.insert(token.clone(), end);
        self.sessions.refreshes.push(refresh.clone());
        json!({"token": token, "refresh": refresh})
    }

    pub(super) fn is_known(&self, request: &Request, context: &Context<'_>) -> bool {
        let given = request.header("authorization").unwrap_or_default();
        if let Some(basic) = given.strip_prefix("Basic ") {
            return basic == STANDARD.encode(format!("{}:{}", self.email, self.password));
        }
        let token = given.strip_prefix("Bearer ").unwrap_or_default();
        let end = self.sessions.tokens.get(token);
        end.is_some_and(|end| *end > context.now_seconds())
    }

    pub(super) fn leave(&mut self, request: &Request) -> Said {
        let given = request.header("authorization").unwrap_or_default();
        let token = given.strip_prefix("Bearer ").unwrap_or_default();
        self.sessions.tokens.remove(token);
        Ok(json!({"status": true}))
    }
}
