//! Calls of the store, as the engine asks for them and as it is answered.

use crate::store::{
    DeliveryId, Lease, LeaseTerms, LeaseToken, LeasedDelivery, Recorded as Answered, Settlement, Store,
    StoreError, StoredStanding,
};
use anglerfish_core::delivery::{
    AttemptId, Leased, Line, Lines, Now, Recorded, StoreFault, SubscriptionKey, Work, WorkLease,
};
use anglerfish_core::request::UnixMillis;
use std::sync::Arc;

/// What the store answered.
#[derive(Debug)]
pub(super) enum Answer {
    Replanned(Result<(), StoreFault>),
    Surveyed(Result<Vec<String>, StoreFault>),
    Leased(SubscriptionKey, Result<Leased<LeasedDelivery>, StoreFault>),
    /// The flag tells whether they have ended.
    Released(Option<SubscriptionKey>, Vec<WorkLease>, bool),
    Extended(Result<Vec<(WorkLease, Option<UnixMillis>)>, StoreFault>),
    Recorded(Vec<(AttemptId, WorkLease, Result<Recorded, StoreFault>)>),
    Stood(SubscriptionKey, Result<(), StoreFault>),
}

/// A delivery as the engine sees it.
pub(super) fn work(delivery: LeasedDelivery) -> Work<LeasedDelivery> {
    // A store may keep times in 64 bits with a sign; the end of those is no time either.
    let ends = delivery.until.0 < i64::MAX.unsigned_abs();
    Work {
        lease: WorkLease { delivery: delivery.id.0, token: delivery.token.0 },
        deadline: if ends { delivery.until } else { UnixMillis(u64::MAX) },
        before: delivery.attempts,
        created: delivery.created,
        bytes: delivery.memory(),
        payload: delivery,
    }
}

/// A lease as the store knows it.
pub(super) fn lease_of(lease: WorkLease) -> Lease {
    Lease { delivery: DeliveryId(lease.delivery), token: LeaseToken(lease.token) }
}

/// What the engine needs to know of an error.
fn fault(what: &'static str, error: &StoreError) -> StoreFault {
    tracing::warn!(%error, "the store cannot {what} now");
    match error {
        StoreError::Unavailable(_) | StoreError::Lost(_) => StoreFault::Unavailable,
        StoreError::Closed => StoreFault::Closed,
        StoreError::Unusable(_) | StoreError::Internal(_) => StoreFault::Refused,
    }
}

pub(super) async fn replan(store: Arc<dyn Store>, now: UnixMillis) -> Answer {
    match store.replan(now).await {
        Ok(0) => {}
        Ok(planned) => {
            tracing::info!(planned, "deliveries that a clock planned which was ahead are planned anew")
        }
        Err(error) => return Answer::Replanned(Err(fault("plan anew", &error))),
    }
    Answer::Replanned(Ok(()))
}

/// The subscriptions that have open deliveries; when each of them falls due is asked for with the first lease.
pub(super) async fn survey(store: Arc<dyn Store>) -> Answer {
    let backlog = store.backlog().await;
    let names = backlog.map(|open| open.into_iter().filter(|(_, open)| *open > 0).map(|(name, _)| name));
    Answer::Surveyed(names.map(Iterator::collect).map_err(|error| fault("be surveyed", &error)))
}

pub(super) async fn lease(
    store: Arc<dyn Store>,
    key: SubscriptionKey,
    subscription: Arc<str>,
    now: Now,
    limit: Lines<usize>,
) -> Answer {
    Answer::Leased(key, try_lease(&*store, &subscription, now.wall, limit).await)
}

async fn try_lease(
    store: &dyn Store,
    subscription: &str,
    now: UnixMillis,
    limit: Lines<usize>,
) -> Result<Leased<LeasedDelivery>, StoreFault> {
    // One process owns an embedded file: its leases last until it ends them.
    let terms = LeaseTerms { most: limit, ..LeaseTerms::ahead() };
    let leased = store.lease(subscription, now, limit.firsts + limit.retries, terms).await;
    let leased = leased.map_err(|error| fault("lease deliveries", &error))?;
    let works: Vec<_> = leased.deliveries.into_iter().map(work).collect();
    let next = |line| {
        let found = works.iter().filter(|work| work.line() == line).count();
        (found < limit.get(line)).then_some(leased.next.get(line))
    };
    let next = Lines { firsts: next(Line::Firsts), retries: next(Line::Retries) };
    Ok(Leased { works, next })
}

pub(super) async fn release(
    store: Arc<dyn Store>,
    key: Option<SubscriptionKey>,
    leases: Vec<WorkLease>,
) -> Answer {
    let given: Vec<_> = leases.iter().copied().map(lease_of).collect();
    let released = store.release(&given).await;
    let is_released = released.map_err(|error| fault("take deliveries back", &error)).is_ok();
    Answer::Released(key, leases, is_released)
}

pub(super) async fn extend(store: Arc<dyn Store>, leases: Vec<WorkLease>, until: UnixMillis) -> Answer {
    let held: Vec<_> = leases.iter().copied().map(lease_of).collect();
    let stale = store.extend(&held, until).await;
    Answer::Extended(stale.map_err(|error| fault("extend leases", &error)).map(|stale| {
        let until = |lease: &WorkLease| (!stale.contains(&lease_of(*lease))).then_some(until);
        leases.iter().map(|lease| (*lease, until(lease))).collect()
    }))
}

/// Records attempts together. If the store refuses them as a whole, each is tried for itself: one that it does not like
/// must not hold up the others.
pub(super) async fn record(store: Arc<dyn Store>, batch: Vec<(AttemptId, Settlement)>) -> Answer {
    let (ids, settlements): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let leases: Vec<_> = settlements.iter().map(|settlement| settlement.lease).collect();
    let of = |lease: &Lease| WorkLease { delivery: lease.delivery.0, token: lease.token.0 };
    // The copy is of a few hundred bytes as a rule, and only there is more than one.
    let each = (settlements.len() > 1).then(|| settlements.clone());
    let answers: Vec<Result<Recorded, StoreFault>> = match (store.record(settlements).await, each) {
        (Ok(recorded), _) => recorded.into_iter().map(|recorded| Ok(told(recorded))).collect(),
        (Err(StoreError::Unusable(_) | StoreError::Internal(_)), Some(settlements)) => {
            let mut answers = Vec::with_capacity(settlements.len());
            for settlement in settlements {
                let recorded = store.record(vec![settlement]).await;
                let recorded =
                    recorded.map(|recorded| recorded.first().copied().map_or(Recorded::Stale, told));
                answers.push(recorded.map_err(|error| fault("record an attempt", &error)));
            }
            answers
        }
        (Err(error), _) => vec![Err(fault("record attempts", &error)); ids.len()],
    };
    let answers = ids.into_iter().zip(leases).zip(answers);
    Answer::Recorded(answers.map(|((id, lease), answer)| (id, of(&lease), answer)).collect())
}

pub(super) async fn stand(store: Arc<dyn Store>, key: SubscriptionKey, standing: StoredStanding) -> Answer {
    let stood = store.set_standing(standing).await;
    Answer::Stood(key, stood.map_err(|error| fault("write down how a subscription stands", &error)))
}

fn told(recorded: Answered) -> Recorded {
    match recorded {
        Answered::Recorded => Recorded::Written,
        Answered::Freed => Recorded::Freed,
        Answered::Stale => {
            tracing::warn!(
                "an attempt was made under a lease that had ended; somebody else has the delivery"
            );
            Recorded::Stale
        }
    }
}
