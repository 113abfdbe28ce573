//! A thread that makes decisions one after another on its warm instance.

use super::job::{Decided, DecisionJob, RoutedEvent};
use super::warm::WarmInstance;
use crossbeam_channel::Receiver;

/// Decides until nobody can ask any more.
pub(super) fn decide(mut warm: WarmInstance, jobs: &Receiver<DecisionJob>) {
    while let Ok(job) = jobs.recv() {
        match job {
            // A sender that is gone needs no decision: it was answered nothing, so nothing is lost.
            DecisionJob::Decide(_, reply) if reply.is_closed() => {}
            DecisionJob::Route(_, reply) if reply.is_closed() => {}
            DecisionJob::Decide(request, reply) => {
                let decided = warm.call(|instance| instance.decide(&request));
                let _ = reply.send(decided.map(|(decision, keys)| Decided { decision, keys }));
            }
            DecisionJob::Route(routed, reply) => {
                let RoutedEvent { event, headers, data, received } = &*routed;
                let _ = reply.send(warm.call(|instance| instance.route(event, headers, data, *received)));
            }
        }
    }
}
