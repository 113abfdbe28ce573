//! The steps of one exchange.

use super::{Answered, Cause, Conclusion};
use crate::answer::{Fault, Reply};
use crate::decision::{
    Acceptance, AcceptedEvent, Answer, Decision, Duplicate, Fetch, Rejection, RejectionCode,
};
use std::time::Duration;

/// How often a decision is made anew because another one changed a key that it had read.
pub const MOST_CONFLICTS: usize = 8;

/// When a sender should come back after an overload or an outage.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a shell does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask the component again about the same request, and hand its decision to [`Exchange::handle_decision`].
    Decide,
    /// Fetch these documents, put the answers behind what `request.fetched` has already, and ask again as for
    /// [`Step::Decide`].
    Fetch(Vec<Fetch>),
    /// Write the events, if there are any, together with the keys that the decision wrote, and tell
    /// [`Exchange::handle_committed`] how it went.
    Commit(Option<Box<Accepted>>),
    /// Send this answer. The exchange is over.
    Answer(Box<Answered>),
}

/// What to commit, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The events, in the order of the log; a batch may have none.
    pub events: Vec<AcceptedEvent>,
    /// The ids of events that came again, in parts of a batch.
    pub repeated: Vec<String>,
    /// The secret that verified them, by its label or position.
    pub secret: Option<String>,
}

/// How a commit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it is on disk, with so many deliveries.
    Stored {
        /// How many deliveries the events have.
        deliveries: usize,
    },
    /// A key that the decision had read has changed; nothing was written.
    Conflict,
    /// Another exchange has accepted the same event meanwhile; nothing was written.
    Repeated,
    /// It could not be written.
    Failed(Fault),
}

/// What the sender will read when the commit has succeeded.
#[derive(Debug)]
enum Waiting {
    Handshake(Answer),
    Event { id: String, answer: Option<Answer> },
    Batch { events: usize, repeated: usize, answer: Option<Answer> },
}

/// One request between its being read and its answer.
#[derive(Debug, Default)]
pub struct Exchange {
    fetches: usize,
    conflicts: usize,
    waiting: Option<Waiting>,
}

impl Exchange {
    /// What follows from a decision.
    pub fn handle_decision(&mut self, decision: Decision) -> Step {
        match decision {
            Decision::Reject(rejection) => refused(rejection),
            Decision::Duplicate(duplicate) => {
                let Duplicate { ids, batch, answer: given } = duplicate;
                let reply = match ids.as_slice() {
                    [id] if !batch => Reply::duplicate(id, given),
                    ids => Reply::batch(0, ids.len(), 0, given),
                };
                answer(reply, Conclusion::Duplicate)
            }
            Decision::Fetch(wanted) if self.fetches < Fetch::MOST_ROUNDS => {
                self.fetches += 1;
                Step::Fetch(wanted)
            }
            Decision::Fetch(_) => defect("the component asks for documents again and again".to_owned()),
            Decision::Other(name) => defect(format!("this shell does not know the decision {name:?}")),
            Decision::Answer(answer) => {
                self.waiting = Some(Waiting::Handshake(answer));
                Step::Commit(None)
            }
            Decision::Accept(Acceptance { events, repeated, batch, answer, secret }) => {
                self.waiting = Some(match events.as_slice() {
                    [only] if !batch => Waiting::Event { id: only.event.id.clone(), answer },
                    _ if !batch => return defect("the component accepted no event".to_owned()),
                    parts => Waiting::Batch { events: parts.len(), repeated: repeated.len(), answer },
                });
                Step::Commit(Some(Box::new(Accepted { events, repeated, secret })))
            }
        }
    }

    /// What follows from a commit.
    pub fn handle_committed(&mut self, committed: Committed) -> Step {
        let Some(waiting) = self.waiting.take() else {
            return defect("a commit was told of that nobody asked for".to_owned());
        };
        match (committed, waiting) {
            (Committed::Stored { .. }, Waiting::Handshake(given)) => {
                answer(Reply::answered(given), Conclusion::Answered)
            }
            (Committed::Stored { deliveries }, Waiting::Event { id, answer: given }) => {
                answer(Reply::accepted(&id, deliveries, given), Conclusion::Accepted)
            }
            (Committed::Stored { deliveries }, Waiting::Batch { events, repeated, answer: given }) => {
                answer(Reply::batch(events, repeated, deliveries, given), Conclusion::Accepted)
            }
            (Committed::Repeated, Waiting::Batch { events, repeated, answer: given }) => {
                answer(Reply::batch(0, events + repeated, 0, given), Conclusion::Duplicate)
            }
            (Committed::Repeated, Waiting::Event { id, answer: given }) => {
                answer(Reply::duplicate(&id, given), Conclusion::Duplicate)
            }
            (Committed::Conflict | Committed::Repeated, _) if self.conflicts < MOST_CONFLICTS => {
                self.conflicts += 1;
                Step::Decide
            }
            (Committed::Conflict | Committed::Repeated, _) => {
                Step::Answer(Box::new(Fault::Overloaded { retry_after: RETRY_AFTER }.into()))
            }
            (Committed::Failed(fault), _) => Step::Answer(Box::new(fault.into())),
        }
    }
}

fn refused(rejection: Rejection) -> Step {
    let reply = match rejection.code {
        // What the store says of itself is the operator's to read, not the sender's.
        RejectionCode::StateUnavailable => Fault::StateUnavailable { retry_after: RETRY_AFTER }.reply(),
        _ => {
            let methods = match &rejection.code {
                RejectionCode::MethodNotAllowed(methods) => methods.as_slice(),
                _ => &[],
            };
            Reply::rejected(rejection.status, rejection.code.as_str(), &rejection.reason, methods)
        }
    };
    let conclusion = Conclusion::from(&rejection.code);
    Step::Answer(Box::new(Answered { reply, conclusion, cause: Some(Cause::Rejected(rejection)) }))
}

fn defect(reason: String) -> Step {
    let cause = Some(Cause::Defect(reason));
    Step::Answer(Box::new(Answered { cause, ..Fault::Internal.into() }))
}

fn answer(reply: Reply, conclusion: Conclusion) -> Step {
    Step::Answer(Box::new(Answered { reply, conclusion, cause: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Intent;
    use crate::event::Event;
    use proptest::prelude::*;

    fn event(id: &str) -> AcceptedEvent {
        AcceptedEvent {
            event: Event { id: id.to_owned(), ..Event::default() },
            intents: vec![Intent { subscription: "a".to_owned(), ..Intent::default() }],
            ..AcceptedEvent::default()
        }
    }

    fn accept(id: &str) -> Decision {
        Decision::Accept(Acceptance {
            events: vec![event(id)],
            repeated: Vec::new(),
            batch: false,
            answer: None,
            secret: None,
        })
    }

    fn fetch() -> Decision {
        let url = "https://keys.example.com/".to_owned();
        Decision::Fetch(vec![Fetch { url, post: None, cache_seconds: 0 }])
    }

    fn reject(code: RejectionCode, status: u16) -> Decision {
        Decision::Reject(Rejection { status, code, reason: "disk /dev/sda1 is on fire".to_owned() })
    }

    fn answered(step: Step) -> Answered {
        match step {
            Step::Answer(answered) => *answered,
            other => panic!("no answer yet: {other:?}"),
        }
    }

    fn text(reply: &Reply) -> &str {
        std::str::from_utf8(&reply.body).unwrap()
    }

    #[test]
    fn an_event_is_answered_only_when_it_is_stored() {
        let mut exchange = Exchange::default();
        let Step::Commit(Some(accepted)) = exchange.handle_decision(accept("e1")) else { panic!() };
        let [only] = accepted.events.as_slice() else { panic!() };
        assert_eq!((only.event.id.as_str(), only.intents.len()), ("e1", 1));
        let answered = answered(exchange.handle_committed(Committed::Stored { deliveries: 1 }));
        assert_eq!((answered.reply.status, answered.conclusion), (202, Conclusion::Accepted));
        assert_eq!(text(&answered.reply), r#"{"id":"e1","status":"accepted","deliveries":1}"#);
    }

    #[test]
    fn an_event_that_could_not_be_stored_was_not_accepted() {
        let mut exchange = Exchange::default();
        exchange.handle_decision(accept("e1"));
        let fault = Fault::StoreUnavailable { retry_after: RETRY_AFTER };
        let answered = answered(exchange.handle_committed(Committed::Failed(fault)));
        assert_eq!((answered.reply.status, answered.conclusion), (503, Conclusion::Failed));
    }

    #[test]
    fn a_conflict_is_decided_again_and_not_for_ever() {
        let mut exchange = Exchange::default();
        for _ in 0..MOST_CONFLICTS {
            exchange.handle_decision(accept("e1"));
            assert_eq!(exchange.handle_committed(Committed::Conflict), Step::Decide);
        }
        exchange.handle_decision(accept("e1"));
        let answered = answered(exchange.handle_committed(Committed::Conflict));
        assert_eq!((answered.reply.status, answered.conclusion), (503, Conclusion::Overloaded));
    }

    #[test]
    fn whoever_comes_second_reads_that_the_event_is_a_repetition() {
        let mut exchange = Exchange::default();
        exchange.handle_decision(accept("e1"));
        let told = answered(exchange.handle_committed(Committed::Repeated));
        let mut other = Exchange::default();
        let decided = answered(other.handle_decision(Decision::Duplicate(Duplicate {
            ids: vec!["e1".into()],
            batch: false,
            answer: None,
        })));
        assert_eq!(told, decided);
        assert_eq!((told.reply.status, told.conclusion), (200, Conclusion::Duplicate));
    }

    #[test]
    fn a_batch_is_answered_with_how_many_of_its_parts_are_new() {
        let batch = |events: &[&str], repeated: &[&str]| {
            Decision::Accept(Acceptance {
                events: events.iter().map(|id| event(id)).collect(),
                repeated: repeated.iter().map(|id| (*id).to_owned()).collect(),
                batch: true,
                answer: None,
                secret: None,
            })
        };
        let mut exchange = Exchange::default();
        exchange.handle_decision(batch(&["a", "b"], &["c"]));
        let told = answered(exchange.handle_committed(Committed::Stored { deliveries: 3 }));
        assert_eq!((told.reply.status, told.conclusion), (202, Conclusion::Accepted));
        assert_eq!(text(&told.reply), r#"{"status":"accepted","events":2,"duplicates":1,"deliveries":3}"#);
        let mut exchange = Exchange::default();
        exchange.handle_decision(batch(&["a", "b"], &["c"]));
        let told = answered(exchange.handle_committed(Committed::Repeated));
        assert_eq!((told.reply.status, told.conclusion), (200, Conclusion::Duplicate));
        assert_eq!(text(&told.reply), r#"{"status":"duplicate","events":0,"duplicates":3,"deliveries":0}"#);
        let mut exchange = Exchange::default();
        exchange.handle_decision(batch(&[], &[]));
        let told = answered(exchange.handle_committed(Committed::Stored { deliveries: 0 }));
        assert_eq!((told.reply.status, told.conclusion), (202, Conclusion::Accepted));
    }

    #[test]
    fn documents_are_fetched_a_few_times_and_then_the_component_is_broken() {
        let mut exchange = Exchange::default();
        for _ in 0..Fetch::MOST_ROUNDS {
            assert!(matches!(exchange.handle_decision(fetch()), Step::Fetch(wanted) if wanted.len() == 1));
        }
        let answered = answered(exchange.handle_decision(fetch()));
        assert_eq!((answered.reply.status, answered.conclusion), (500, Conclusion::Failed));
        assert!(matches!(answered.cause, Some(Cause::Defect(_))));
    }

    #[test]
    fn a_decision_that_is_not_known_is_never_taken_for_acceptance() {
        let answered = answered(Exchange::default().handle_decision(Decision::Other("park".to_owned())));
        assert_eq!(answered.reply.status, 500);
        assert_eq!(
            answered.cause,
            Some(Cause::Defect("this shell does not know the decision \"park\"".into()))
        );
    }

    #[test]
    fn a_handshake_is_answered_when_its_keys_are_stored() {
        let given =
            Answer { status: 200, content_type: "text/plain".into(), headers: vec![], body: b"hi".to_vec() };
        let mut exchange = Exchange::default();
        assert_eq!(exchange.handle_decision(Decision::Answer(given)), Step::Commit(None));
        let answered = answered(exchange.handle_committed(Committed::Stored { deliveries: 0 }));
        assert_eq!((text(&answered.reply), answered.conclusion), ("hi", Conclusion::Answered));
    }

    #[test]
    fn what_the_store_says_of_itself_does_not_reach_the_sender() {
        let answered =
            answered(Exchange::default().handle_decision(reject(RejectionCode::StateUnavailable, 503)));
        assert_eq!((answered.reply.status, answered.conclusion), (503, Conclusion::Failed));
        assert!(!text(&answered.reply).contains("fire"), "{}", text(&answered.reply));
        assert!(text(&answered.reply).contains("\"state-unavailable\""));
        assert!(answered.reply.headers.iter().any(|(name, _)| name == "retry-after"));
        assert!(matches!(answered.cause, Some(Cause::Rejected(_))));
    }

    #[test]
    fn a_refusal_says_its_code_and_its_reason() {
        let answered =
            answered(Exchange::default().handle_decision(reject(RejectionCode::VerificationFailed, 401)));
        assert_eq!((answered.reply.status, answered.conclusion), (401, Conclusion::Unverified));
        assert!(text(&answered.reply).contains("fire"));
        assert!(text(&answered.reply).contains("\"verification-failed\""));
    }

    #[derive(Debug, Clone, Copy)]
    enum Move {
        Accept,
        Fetch,
        Conflict,
        Store,
    }

    proptest! {
        /// Whatever the component and the store do, an exchange ends after so many steps, and a success is answered
        /// only after something was stored.
        #[test]
        fn every_exchange_ends(moves in prop::collection::vec(
            prop_oneof![Just(Move::Accept), Just(Move::Fetch), Just(Move::Conflict), Just(Move::Store)], 0..64,
        )) {
            let mut exchange = Exchange::default();
            let (mut stored, mut asked) = (false, 0);
            let mut moves = moves.into_iter();
            let mut step = Step::Decide;
            let end = loop {
                let next = moves.next().unwrap_or(Move::Fetch);
                step = match step {
                    Step::Decide | Step::Fetch(_) => {
                        asked += 1;
                        exchange.handle_decision(if matches!(next, Move::Fetch) { fetch() } else { accept("e") })
                    }
                    Step::Commit(_) if matches!(next, Move::Store) => {
                        stored = true;
                        exchange.handle_committed(Committed::Stored { deliveries: 1 })
                    }
                    Step::Commit(_) => exchange.handle_committed(Committed::Conflict),
                    Step::Answer(answered) => break answered,
                };
            };
            prop_assert!(asked <= MOST_CONFLICTS + Fetch::MOST_ROUNDS + 2, "{}", asked);
            prop_assert_eq!(end.reply.status < 300, stored);
        }
    }
}
