//! The drivers' readers of answers, for tests that feed them with anything.
//!
//! Not an interface: nothing but tests uses it, and it may change at any time. It is here because those
//! readers are private on purpose (a driver is its verbs), while what they are given comes from outside.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde_json::Value;

use crate::drivers::{cpanel, froxlor, hostbill};
use crate::http::{Effect, Reply, destination};
use crate::{PanelError, ServerSettings};

/// Reads an answer of WHM as every call does: the envelope, then each part of its data as each of the
/// shapes. How many parts could be read.
///
/// # Errors
/// What the envelope says.
pub fn whm(effect: Effect, status: u16, body: &[u8]) -> Result<usize, PanelError> {
    cpanel::fuzz(Reply::canned(effect, status, body), effect)
}

/// Reads WHM's answer to `showbw` for the whole server, its rows in place; how many could be read.
///
/// # Errors
/// What the envelope says.
pub fn whm_traffic(body: &[u8]) -> Result<usize, PanelError> {
    cpanel::traffic(Reply::canned(Effect::Read, 200, body))
}

/// The same through a tree of values, as answers are read that are not written as usual.
///
/// # Errors
/// What the envelope says.
pub fn whm_traffic_by_tree(body: &[u8]) -> Result<usize, PanelError> {
    cpanel::traffic_by_tree(Reply::canned(Effect::Read, 200, body))
}

/// Reads an answer of Froxlor, of either generation, as [`whm`] does.
///
/// # Errors
/// What the envelope says.
pub fn froxlor(effect: Effect, status: u16, body: &[u8]) -> Result<usize, PanelError> {
    froxlor::fuzz(Reply::canned(effect, status, body))
}

/// Reads an answer of HostBill as [`whm`] does.
///
/// # Errors
/// What the envelope says.
pub fn hostbill(effect: Effect, status: u16, body: &[u8]) -> Result<usize, PanelError> {
    hostbill::fuzz(Reply::canned(effect, status, body))
}

/// Whether a panel may be at that address.
#[must_use]
pub fn may_be_at(address: IpAddr, allowed: &[IpNet]) -> bool {
    destination::check(address, allowed).is_ok()
}

/// Of what a name server answered, what may be connected to.
#[must_use]
pub fn let_through(found: Vec<SocketAddr>, allowed: &[IpNet]) -> Vec<SocketAddr> {
    destination::let_through(found, allowed).unwrap_or_default()
}

/// The address of a panel as it is asked, from what an operator wrote.
///
/// # Errors
/// Why it is refused.
pub fn base(settings: &ServerSettings, default_port: u16) -> Result<String, PanelError> {
    destination::base(settings, default_port).map(|url| url.to_string())
}

/// Every part of a value, itself included.
pub(crate) fn parts(value: &Value) -> Vec<&Value> {
    let mut parts = vec![value];
    let mut seen = 0;
    while let Some(part) = parts.get(seen).copied() {
        seen += 1;
        match part {
            Value::Array(items) => parts.extend(items),
            Value::Object(fields) => parts.extend(fields.values()),
            _ => {}
        }
    }
    parts
}
