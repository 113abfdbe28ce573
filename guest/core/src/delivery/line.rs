//! The two lines in which the deliveries of one subscription wait: one of first attempts and one of retries. They take
//! turns, so that a subscription with many retries still gets what is new, and the other way round.

use super::fault::{Fault, is_seeded};
use super::model::{Line, Lines, Now, Work};
use crate::request::UnixMillis;
use std::collections::VecDeque;
use std::mem::take;

/// What is known of the store's part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backlog {
    /// Nothing: the survey that will tell has not begun.
    Unknown,
    /// The survey is under way.
    Surveyed,
    /// There may be more that is due. New deliveries line up behind it.
    Behind,
    /// Nothing is due before `next`.
    Clear,
}

/// One of the two.
#[derive(Debug)]
pub(super) struct WorkLine<P> {
    /// Deliveries to attempt.
    pub(super) ready: VecDeque<Work<P>>,
    /// How many are being leased.
    pub(super) leasing: u32,
    pub(super) backlog: Backlog,
    /// Whether the store got more since the lease or survey under way began, which may have missed it.
    pub(super) again: bool,
    /// When the store's next delivery falls due, as far as it is known.
    pub(super) next: Option<UnixMillis>,
}

impl<P> WorkLine<P> {
    /// The store has, or may have, more that is due.
    pub(super) fn look_again(&mut self) {
        self.again = true;
        if self.backlog == Backlog::Clear {
            self.backlog = Backlog::Behind;
        }
    }

    /// Something falls due at this time.
    pub(super) fn foresee(&mut self, due: Option<UnixMillis>) {
        self.next = match (self.next, due) {
            (Some(_), Some(due)) if is_seeded(Fault::HiddenRetry) => Some(due),
            (Some(next), Some(due)) => Some(next.min(due)),
            (next, due) => next.or(due),
        };
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self, now: Now) {
        if self.next.is_some_and(|next| next <= now.wall) && self.backlog != Backlog::Unknown {
            self.next = None;
            self.look_again();
        }
    }
}

/// Both lines of a subscription.
#[derive(Debug)]
pub(super) struct WorkLines<P> {
    firsts: WorkLine<P>,
    retries: WorkLine<P>,
    /// Which of them an attempt was taken from the last time.
    last: Line,
}

impl<P> WorkLines<P> {
    pub(super) fn new() -> Self {
        let line = || WorkLine {
            ready: VecDeque::new(),
            leasing: 0,
            backlog: Backlog::Unknown,
            again: false,
            next: None,
        };
        Self { firsts: line(), retries: line(), last: Line::Retries }
    }

    pub(super) fn get(&self, line: Line) -> &WorkLine<P> {
        match line {
            Line::Firsts => &self.firsts,
            Line::Retries => &self.retries,
        }
    }

    pub(super) fn get_mut(&mut self, line: Line) -> &mut WorkLine<P> {
        match line {
            Line::Firsts => &mut self.firsts,
            Line::Retries => &mut self.retries,
        }
    }

    pub(super) fn both(&self) -> [&WorkLine<P>; 2] {
        [&self.firsts, &self.retries]
    }

    pub(super) fn both_mut(&mut self) -> [&mut WorkLine<P>; 2] {
        [&mut self.firsts, &mut self.retries]
    }

    /// How many deliveries are ready.
    pub(super) fn len(&self) -> usize {
        self.firsts.ready.len() + self.retries.ready.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.firsts.ready.is_empty() && self.retries.ready.is_empty()
    }

    /// Takes the next one to attempt: one of each line in turn where both have some.
    pub(super) fn pop(&mut self) -> Option<Work<P>> {
        let turn = match self.last {
            _ if is_seeded(Fault::RetriesFirst) => Line::Retries,
            _ if is_seeded(Fault::RetriesLast) => Line::Firsts,
            Line::Firsts => Line::Retries,
            Line::Retries => Line::Firsts,
        };
        let line = if self.get(turn).ready.is_empty() { turn.other() } else { turn };
        let work = self.get_mut(line).ready.pop_front()?;
        self.last = line;
        Some(work)
    }

    /// Takes all that is ready.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Work<P>> + use<P> {
        take(&mut self.firsts.ready).into_iter().chain(take(&mut self.retries.ready))
    }

    /// All that is ready.
    pub(super) fn ready_mut(&mut self) -> impl Iterator<Item = &mut Work<P>> {
        self.firsts.ready.iter_mut().chain(&mut self.retries.ready)
    }

    pub(super) fn leasing(&self) -> Lines<u32> {
        Lines { firsts: self.firsts.leasing, retries: self.retries.leasing }
    }
}
