//! Which call a request is.

use crate::http::Request;

/// A request's method and the parts of its path below `/api`.
pub(super) struct Path {
    pub(super) method: String,
    parts: Vec<String>,
}

impl Path {
    pub(super) fn of(request: &Request) -> Self {
        let below = request.path.strip_prefix("/api").unwrap_or("/nowhere");
        let parts = below.split('/').filter(|part| !part.is_empty());
        Path {
            method: request.method.to_ascii_uppercase(),
            parts: parts.map(str::to_owned).collect(),
        }
    }

    /// The parts, for patterns.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }

    /// The service that the path names.
    pub(super) fn service(&self) -> Option<i64> {
        match self.parts.first().map(String::as_str) {
            Some("service") => self.number(1),
            _ => None,
        }
    }

    /// The part at that place, as a number.
    pub(super) fn number(&self, at: usize) -> Option<i64> {
        self.parts.get(at)?.parse().ok()
    }

    /// The call's name: method and route, numbers left out.
    pub(super) fn call(&self) -> String {
        let plain = |part: &String| {
            let number = part.bytes().all(|b| b.is_ascii_digit());
            if number { "@".to_owned() } else { part.clone() }
        };
        let parts: Vec<String> = self.parts.iter().map(plain).collect();
        format!("{} /{}", self.method, parts.join("/"))
    }

    /// Whether it changes something on the supplier's side.
    pub(super) fn changes(&self) -> bool {
        let first = self.parts.first().map_or("", String::as_str);
        self.method != "GET" && !["login", "token", "logout", "revoke", "quote"].contains(&first)
    }
}
