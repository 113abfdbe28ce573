//! A thread that makes decisions one after another on its warm instance.

use super::job::{Decided, DecisionJob, RenderedEvent, RoutedEvent};
use super::slot::Slots;
use crossbeam_channel::Receiver;

/// Decides until nobody can ask any more, on the instance of one slot.
pub(super) fn decide(slots: &Slots, index: usize, jobs: &Receiver<DecisionJob>) {
    while let Ok(job) = jobs.recv() {
        match job {
            // A sender that is gone needs no decision: it was answered nothing, so nothing is lost.
            DecisionJob::Decide(_, reply) if reply.is_closed() => {}
            DecisionJob::Route(_, reply) if reply.is_closed() => {}
            DecisionJob::Render(_, reply) if reply.is_closed() => {}
            DecisionJob::Document(_, reply) if reply.is_closed() => {}
            DecisionJob::Document(asked, reply) => {
                let answer = slots.with(index, |warm| warm.call(|instance| instance.document(&asked)));
                if let Some(answer) = answer {
                    let _ = reply.send(answer);
                }
            }
            DecisionJob::Decide(request, reply) => {
                let decided = slots.with(index, |warm| warm.call(|instance| instance.decide(&request)));
                if let Some(decided) = decided {
                    let _ = reply.send(decided.map(|(decision, keys)| Decided { decision, keys }));
                }
            }
            DecisionJob::Route(routed, reply) => {
                let RoutedEvent { event, headers, data, received } = &*routed;
                let routing = slots.with(index, |warm| {
                    warm.call(|instance| instance.route(event, headers, data, *received))
                });
                if let Some(routing) = routing {
                    let _ = reply.send(routing);
                }
            }
            DecisionJob::Render(event, reply) => {
                let RenderedEvent { subscription, event, headers, data, received } = &*event;
                let rendered = slots.with(index, |warm| {
                    warm.call(|instance| instance.render(subscription, event, headers, data, *received))
                });
                if let Some(rendered) = rendered {
                    let _ = reply.send(rendered);
                }
            }
        }
    }
}
