//! Working off what is due: when somebody asks for it, and a little after each accepted request.

use crate::delivery::{Tally, run};
use crate::outbox::outbox;
use crate::table::Table;
use crate::{clock, diagnostic};
use anglerfish_core::edge::{Claimed, Unit};
use futures_util::future::join_all;
use serde::Serialize;
use std::cell::Cell;

/// How many units are taken at once. What one instance takes and cannot send any more waits for its lease to end.
const AT_ONCE: usize = 16;

/// How many units one call works on at most.
const MOST: usize = 200;

/// How many old events one call deletes at most.
const MOST_OLD: usize = 200;

/// How often one call looks for units at most.
const MOST_LOOKS: usize = 50;

/// For how long one call takes units, in milliseconds; an attempt more may end later.
const LONGEST: u64 = 20_000;

/// How often an instance drains by itself, in milliseconds: looking costs reads.
const PAUSE: u64 = 5_000;

/// How much it works on then.
const LITTLE: usize = 4;

thread_local! {
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// What a call has done.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Drained {
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// How many events, or parts of one, were deleted because they are settled and old.
    pub(crate) deleted: usize,
    /// Whether more is due already.
    pub(crate) more: bool,
}

/// Sends what is due and deletes what is old, within bounds.
pub(crate) async fn drain(table: &Table) -> Result<Drained, String> {
    let until = clock::now().saturating_add(LONGEST);
    let (mut drained, mut units) = (Drained::default(), 0);
    for _ in 0..MOST_LOOKS {
        let Claimed { units: taken, more, reports } = outbox(|outbox| outbox.claim(AT_ONCE))?;
        reports.iter().for_each(|report| diagnostic::report(report));
        drained.more = more;
        units += taken.len();
        send(table, taken, &mut drained.tally).await;
        // A look that found nothing may still not have seen all: it is bounded, too.
        if !more || units >= MOST || clock::now() >= until {
            break;
        }
    }
    let mut looked = Claimed::default();
    drained.deleted = outbox(|outbox| outbox.forget(MOST_OLD, &mut looked))?;
    looked.reports.iter().for_each(|report| diagnostic::report(report));
    drained.more |= looked.more;
    Ok(drained)
}

/// The same with very little, now and then.
pub(crate) async fn drain_a_little(table: &Table) {
    let now = clock::now();
    if now.saturating_sub(LAST.get()) < PAUSE {
        return;
    }
    LAST.set(now);
    let mut old = Claimed::default();
    let taken = outbox(|outbox| {
        let claimed = outbox.claim(LITTLE)?;
        outbox.forget(LITTLE, &mut old)?;
        Ok(claimed)
    });
    match taken {
        Ok(claimed) => {
            claimed.reports.iter().chain(&old.reports).for_each(|report| diagnostic::report(report));
            send(table, claimed.units, &mut Tally::default()).await;
        }
        Err(error) => diagnostic::report(&format!("the outbox was not drained: {error}")),
    }
}

async fn send(table: &Table, units: Vec<Unit>, tally: &mut Tally) {
    for done in join_all(units.into_iter().map(|unit| run(table, unit))).await {
        tally.add(&done);
    }
}
