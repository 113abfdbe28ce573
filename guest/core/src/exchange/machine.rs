//! The steps of one exchange.

use super::{Answered, Cause, Conclusion};
use crate::answer::{Fault, Reply};
use crate::decision::{Acceptance, Answer, Decision, Fetch, FilterFailure, Intent, Rejection, RejectionCode};
use crate::event::Event;
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
    /// Write the event, if there is one, together with the keys that the decision wrote, and tell
    /// [`Exchange::handle_committed`] how it went.
    Commit(Option<Box<Accepted>>),
    /// Send this answer. The exchange is over.
    Answer(Box<Answered>),
}

/// An event to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event's attributes.
    pub event: Event,
    /// One for each subscription that it is for.
    pub intents: Vec<Intent>,
    /// Subscriptions whose filter was tried and failed on it.
    pub failures: Vec<FilterFailure>,
    /// The secret that verified it, by its label or position.
    pub secret: Option<String>,
}

/// How a commit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it is on disk, with so many deliveries.
    Stored {
        /// How many deliveries the event has.
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
                answer(Reply::duplicate(&duplicate.id, duplicate.answer), Conclusion::Duplicate)
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
            Decision::Accept(Acceptance { event, intents, failures, answer, secret }) => {
                self.waiting = Some(Waiting::Event { id: event.id.clone(), answer });
                Step::Commit(Some(Box::new(Accepted { event, intents, failures, secret })))
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
        _ => Reply::rejected(rejection.status, rejection.code.as_str(), &rejection.reason),
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
    use crate::decision::Duplicate;
    use proptest::prelude::*;

    fn accept(id: &str) -> Decision {
        Decision::Accept(Acceptance {
            event: Event { id: id.to_owned(), ..Event::default() },
            intents: vec![Intent { subscription: "a".to_owned(), ..Intent::default() }],
            failures: Vec::new(),
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
        assert_eq!((accepted.event.id.as_str(), accepted.intents.len()), ("e1", 1));
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
        let decided =
            answered(other.handle_decision(Decision::Duplicate(Duplicate { id: "e1".into(), answer: None })));
        assert_eq!(told, decided);
        assert_eq!((told.reply.status, told.conclusion), (200, Conclusion::Duplicate));
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
