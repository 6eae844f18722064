//! All that is read of an answer, at once; see [`crate::fuzzing`].

use hosting::LimitName;

use super::listings::TrafficList;
use super::{envelope, shapes, units};
use crate::PanelError;
use crate::fuzzing::parts;
use crate::http::{Effect, Reply};

/// How many parts of the answer are something.
pub(crate) fn fuzz(reply: Reply, effect: Effect) -> Result<usize, PanelError> {
    let done = envelope::open(reply, effect)?.done()?;
    let read = |part: &serde_json::Value| {
        let scalar = part.into();
        let limits = LimitName::ALL.map(|name| units::read(name, &scalar).is_some());
        let units = units::traffic_limit(&scalar).is_some()
            || units::disk_limit(&scalar).is_some()
            || units::disk_used(part).is_some()
            || limits.contains(&true);
        let rows = shapes::account(part, Some(0)).is_some()
            || shapes::package(part).is_some()
            || shapes::address(part).is_some()
            || shapes::Traffic::from(part).usage().is_ok()
            || shapes::Disk::from(part).usage().is_some()
            || shapes::name_server(part).is_some();
        let all = units::account_limits(part).is_empty() && units::package_limits(part).is_empty();
        units || rows || !all
    };
    let read = parts(&done.data).into_iter().filter(|part| read(part));
    Ok(read.count() + done.warnings.len())
}

/// How many rows of `showbw` could be read, in place.
pub(crate) fn traffic(reply: Reply) -> Result<usize, PanelError> {
    let answer = envelope::open_listing(reply, Effect::Read, TrafficList::odd)?;
    Ok(read(answer.done()?.data))
}

/// The same through a tree of values.
pub(crate) fn traffic_by_tree(reply: Reply) -> Result<usize, PanelError> {
    let done = envelope::open(reply, Effect::Read)?.done()?;
    Ok(read(TrafficList::odd(&done.data)))
}

fn read(list: TrafficList) -> usize {
    list.acct.into_iter().flatten().flatten().count()
}
