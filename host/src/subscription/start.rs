//! Where in the log a subscription begins.

use crate::store::{JobWork, NewJob, Store, StoreError};
use anglerfish_core::config::StartPoint;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;

/// The job that gives a new subscription what is in the log already; `None` if it begins with what comes.
///
/// It follows the log for a while: what was decided before the subscription was in the routing table may be committed
/// after that, and is its own all the same.
pub(super) async fn job(
    store: &dyn Store,
    id: &str,
    point: StartPoint,
    created: UnixMillis,
) -> Result<Option<NewJob>, StoreError> {
    let Some(after) = position(store, point).await? else { return Ok(None) };
    let work = JobWork::Start { subscription: id.to_owned() };
    Ok(Some(NewJob { work, after, last: None, follows: true, created }))
}

/// What is wrong with a place as the beginning of a subscription, if it is still to come: what comes before it would be
/// delivered all the same.
pub(crate) fn problem(store: &dyn Store, point: StartPoint, now: UnixMillis) -> Option<Problem> {
    let StartPoint::Position(position) = point else { return future(point, now) };
    let next = store.head().borrow().0.unsigned_abs().saturating_add(1);
    (position > next)
        .then(|| to_come(format!("is not in the log yet: the next event gets the position {next}")))
}

/// The same of a time, which can be told without a log.
pub(crate) fn future(point: StartPoint, now: UnixMillis) -> Option<Problem> {
    matches!(point, StartPoint::Time(time) if time > now).then(|| to_come("lies in the future".to_owned()))
}

fn to_come(message: String) -> Problem {
    Problem::new("start", message).with_hint("\"now\", the default, begins with what comes")
}

/// The position in the log behind which a place begins; `None` is that of the future.
///
/// # Errors
///
/// The store cannot be read.
pub async fn position(store: &dyn Store, point: StartPoint) -> Result<Option<i64>, StoreError> {
    Ok(match point {
        StartPoint::Now => None,
        StartPoint::Earliest => Some(0),
        StartPoint::Position(position) => Some(i64::try_from(position).unwrap_or(i64::MAX) - 1),
        StartPoint::Time(time) => Some(store.at(time).await?.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_is_told_without_a_log() {
        let now = UnixMillis(1_000);
        assert!(future(StartPoint::Time(UnixMillis(1_001)), now).is_some());
        for point in
            [StartPoint::Time(now), StartPoint::Now, StartPoint::Earliest, StartPoint::Position(u64::MAX)]
        {
            assert!(future(point, now).is_none(), "{point:?}");
        }
    }
}
