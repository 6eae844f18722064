//! All that is read of an answer, at once; see [`crate::fuzzing`].

use hosting::LimitName;

use super::{envelope, shapes, units};
use crate::PanelError;
use crate::fuzzing::parts;
use crate::http::{Effect, Reply};

/// How many parts of the answer are something.
pub(crate) fn fuzz(reply: Reply, effect: Effect) -> Result<usize, PanelError> {
    let done = envelope::open(reply, effect)?.done()?;
    let read = |part: &serde_json::Value| {
        let limits = LimitName::ALL.map(|name| units::read(name, part).is_some());
        let units = units::traffic_limit(part).is_some()
            || units::disk_limit(part).is_some()
            || units::disk_used(part).is_some()
            || limits.contains(&true);
        let rows = shapes::account(part, Some(0)).is_some()
            || shapes::package(part).is_some()
            || shapes::address(part).is_some()
            || shapes::usage(part).is_ok()
            || shapes::disk(part).is_some()
            || shapes::name_server(part).is_some();
        let all = units::account_limits(part).is_empty() && units::package_limits(part).is_empty();
        units || rows || !all
    };
    let read = parts(&done.data).into_iter().filter(|part| read(part));
    Ok(read.count() + done.warnings.len())
}
