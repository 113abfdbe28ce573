//! Calls of the store, and its answers.

use super::Driver;
use crate::delivery::exchange::{self, Answer};
use crate::store::LeasedDelivery;
use anglerfish_core::delivery::{Now, Output, StoreFault};
use futures_util::future::{FutureExt, ready};
use std::mem::take;
use std::sync::Arc;

/// How many records one call takes.
const BATCH: usize = 256;

impl Driver {
    pub(super) fn call(&mut self, now: Now, output: Output<LeasedDelivery>) {
        let store = Arc::clone(&self.around.store);
        let call = match output {
            Output::Replan => exchange::replan(store, now.wall).boxed(),
            Output::Survey => exchange::survey(store).boxed(),
            Output::Lease { subscription, limit } => {
                match self.slots.get(subscription).map(|slot| Arc::clone(&slot.name)) {
                    Some(name) => exchange::lease(store, subscription, name, now, limit).boxed(),
                    None => ready(Answer::Leased(subscription, Err(StoreFault::Refused))).boxed(),
                }
            }
            Output::Release { subscription, leases } => {
                exchange::release(store, subscription, leases).boxed()
            }
            Output::Extend { leases } => {
                exchange::extend(store, leases, now.wall.after(self.around.config.lease)).boxed()
            }
            Output::Attempt { .. }
            | Output::Cancel { .. }
            | Output::Record { .. }
            | Output::Stand { .. }
            | Output::Breaker { .. }
            | Output::Paced { .. }
            | Output::Ended { .. } => return,
        };
        self.calls.push(call);
    }

    /// Hands the records of this round to the store.
    pub(super) fn flush(&mut self) {
        let mut batch = take(&mut self.batch);
        while !batch.is_empty() {
            let rest = batch.split_off(batch.len().min(BATCH));
            self.calls.push(exchange::record(Arc::clone(&self.around.store), batch).boxed());
            batch = rest;
        }
    }

    pub(super) fn handle_answer(&mut self, now: Now, answer: Answer) {
        match answer {
            Answer::Replanned(replanned) => {
                self.count(replanned.as_ref().err());
                self.engine.handle_replanned(now, replanned);
            }
            Answer::Surveyed(survey) => {
                self.count(survey.as_ref().err());
                let survey = survey.as_ref().map_err(|fault| *fault);
                let open = survey.map(|names| names.iter().map(|name| (name.as_str(), now.wall)));
                self.engine.handle_surveyed(now, open);
            }
            Answer::Leased(key, leased) => {
                self.count(leased.as_ref().err());
                if let Ok(leased) = &leased {
                    self.around.roster.hold(leased.works.iter().map(|work| work.lease));
                }
                self.engine.handle_leased(now, key, leased);
            }
            Answer::Released(key, leases, true) => {
                self.around.roster.end(leases);
                self.engine.handle_released(now, key, Ok(()));
            }
            Answer::Released(key, leases, false) => {
                self.count(Some(&StoreFault::Unavailable));
                self.engine.handle_released(now, key, Err(leases));
            }
            Answer::Extended(extended) => {
                self.count(extended.as_ref().err());
                self.engine.handle_extended(now, extended);
            }
            Answer::Stood(key, stood) => {
                self.count(stood.as_ref().err());
                self.handle_stood(now, key, stood);
            }
            Answer::Recorded(answers) => {
                let mut ended = Vec::with_capacity(answers.len());
                for (attempt, lease, recorded) in answers {
                    self.count(recorded.as_ref().err());
                    ended.extend(recorded.is_ok().then_some(lease));
                    self.engine.handle_recorded(now, attempt, recorded);
                    // One that the engine gave up is not asked for again.
                    if recorded.is_ok() || !self.engine.has_attempt(attempt) {
                        self.reports.remove(&attempt);
                    }
                }
                self.around.roster.end(ended);
            }
        }
    }

    fn count(&self, fault: Option<&StoreFault>) {
        if fault.is_some() {
            self.around.metrics.store_failed();
        }
    }
}
