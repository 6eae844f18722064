//! All that is read of an answer, at once; see [`crate::fuzzing`].

use serde_json::Value;

use super::envelope::judge;
use super::shapes::{self, Customer, Domain, PhpConfig, Plan, TrafficRows};
use crate::PanelError;
use crate::fuzzing::parts;
use crate::http::Reply;

/// How many parts of the answer are something.
pub(crate) fn fuzz(reply: Reply) -> Result<usize, PanelError> {
    let again = Reply::canned(crate::http::Effect::Read, reply.status, &reply.body);
    let traffic = judge::<TrafficRows>(again).outcome;
    let rows = traffic.ok().and_then(Result::ok);
    let rows = rows.map_or(0, |got| got.value.list.len());
    let got = match judge::<Value>(reply).outcome? {
        Ok(got) => got,
        Err(said) => return Err(said.into_error()),
    };
    let read = |part: &Value| {
        Customer::read(part).is_some()
            || Domain::read(part).is_some()
            || Plan::read(part).is_some()
            || PhpConfig::read(part).is_some()
            || shapes::ids(part).is_some()
            || shapes::rows(part, Customer::read).is_some()
    };
    let read = parts(&got.value).into_iter().filter(|part| read(part));
    Ok(rows + read.count())
}
