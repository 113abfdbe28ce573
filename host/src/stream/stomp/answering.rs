//! ACK and NACK frames.

use super::failure::Failure;
use super::subscribe::{AckMode, Subscription, Unanswered};
use crate::delivery::{MessageToken, PassiveSubscription, Returned};
use crate::store::StoreError;
use anglerfish_core::stomp::{Command, Frame, Version};
use std::collections::{BTreeMap, VecDeque};

/// What a client answers for.
#[derive(Debug)]
pub(super) struct Answered {
    /// The session's number of the subscription.
    pub(super) number: u64,
    pub(super) messages: Vec<Unanswered>,
    /// How they are given back, if they are.
    pub(super) returned: Option<Returned>,
}

impl Answered {
    fn leases(&self) -> Vec<MessageToken> {
        self.messages.iter().filter_map(Unanswered::lease).collect()
    }

    /// Settles what was leased. Says whether all of the leases stood.
    pub(super) async fn settle(&self, passive: &PassiveSubscription) -> Result<bool, StoreError> {
        match self.returned.clone() {
            Some(returned) => {
                let settled = passive.return_messages(self.leases(), returned).await?;
                Ok(settled.iter().all(Option::is_some))
            }
            None => Ok(passive.acknowledge(self.leases()).await?.into_iter().all(|is_acked| is_acked)),
        }
    }
}

/// Takes out what an ACK or NACK frame is about; nothing if it is about none that waits for an answer.
pub(super) fn answered(
    frame: &Frame,
    version: Version,
    subscriptions: &mut BTreeMap<u64, Subscription>,
) -> Result<Option<Answered>, Failure> {
    let header = header(version);
    let ack = frame.header(header).ok_or_else(|| Failure::missing(frame, header))?;
    let returned = (frame.command == Command::Nack).then(|| returned(frame)).transpose()?;
    // The number stands in front, so that no two subscriptions of a connection have a message of one name.
    let number = ack.split_once('-').and_then(|(number, _)| number.parse().ok());
    let Some((number, subscription)) =
        number.and_then(|number: u64| Some((number, subscriptions.get_mut(&number)?)))
    else {
        return Ok(None);
    };
    if subscription.ack == AckMode::Auto {
        let what = "is of a subscription whose messages need no answer (ack:auto)";
        return Err(Failure::header(frame, header, what));
    }
    if returned.is_some() && subscription.passive.is_none() {
        let what =
            "is of a reader of the log, where nothing can be given back: subscribe again behind a position";
        return Err(Failure::header(frame, header, what));
    }
    let messages = subscription.answer(ack);
    Ok((!messages.is_empty()).then_some(Answered { number, messages, returned }))
}

/// Takes out what the ACK and NACK frames of a transaction are about. If one of them is wrong or too late, nothing is taken out.
/// What is leased stands long enough for the transaction to be done.
pub(super) fn all_answered<'a>(
    frames: impl Iterator<Item = &'a Frame>,
    version: Version,
    subscriptions: &mut BTreeMap<u64, Subscription>,
) -> Result<Vec<(&'a Frame, Answered)>, Failure> {
    let before: Vec<(u64, VecDeque<Unanswered>)> =
        subscriptions.iter().map(|(number, one)| (*number, one.unanswered.clone())).collect();
    let mut each = |frame: &'a Frame| {
        let answered = answered(frame, version, subscriptions)?.ok_or_else(|| unknown(frame, version))?;
        let passive = subscriptions.get(&answered.number).and_then(|one| one.passive.as_ref());
        match passive.is_none_or(|passive| passive.hold(&answered.leases())) {
            true => Ok((frame, answered)),
            false => Err(too_late(frame, version)),
        }
    };
    let mut taken = Vec::new();
    for frame in frames {
        match each(frame) {
            Ok(one) => taken.push(one),
            Err(failure) => {
                for (number, unanswered) in before {
                    if let Some(subscription) = subscriptions.get_mut(&number) {
                        subscription.unanswered = unanswered;
                    }
                }
                return Err(failure);
            }
        }
    }
    Ok(taken)
}

/// An answer for a message that waits for none.
pub(super) fn unknown(frame: &Frame, version: Version) -> Failure {
    Failure::header(frame, header(version), "names no message that waits for an answer")
}

/// An answer for a message that is leased no longer.
pub(super) fn too_late(frame: &Frame, version: Version) -> Failure {
    let what = "names a message whose lease has ended, or with it one before it: it was answered for in another way, or comes again";
    Failure::header(frame, header(version), what)
}

/// The header that names a message.
fn header(version: Version) -> &'static str {
    if version >= Version::V1_2 { "id" } else { "message-id" }
}

/// How a NACK frame gives messages back.
fn returned(frame: &Frame) -> Result<Returned, Failure> {
    let is_dead = match frame.header("requeue") {
        None | Some("true") => false,
        Some("false") => true,
        Some(_) => return Err(Failure::header(frame, "requeue", "must be true or false")),
    };
    Ok(Returned { delay: None, is_dead, reason: None })
}

#[cfg(test)]
mod tests {
    use super::super::subscribe::Sent;
    use super::*;
    use crate::store::EventSeq;

    fn reader(numbers: std::ops::Range<i64>) -> Subscription {
        Subscription {
            id: None,
            destination: String::new(),
            ack: AckMode::Individual,
            passive: None,
            is_extended: false,
            position: None,
            unanswered: numbers
                .map(|number| Unanswered { ack: format!("1-{number}"), what: Sent::Logged(EventSeq(number)) })
                .collect(),
            unsent: 0,
        }
    }

    fn ack(id: &str) -> Frame {
        Frame::new(Command::Ack).with("id", id)
    }

    #[test]
    fn of_a_transaction_whose_answers_are_not_all_in_time_nothing_is_taken_out() {
        let mut subscriptions = BTreeMap::from([(1, reader(0..3))]);
        for wrong in [ack("1-9"), ack("1-0"), ack("2-0"), Frame::new(Command::Ack)] {
            let frames = [ack("1-0"), wrong];
            assert!(all_answered(frames.iter(), Version::V1_2, &mut subscriptions).is_err());
            assert_eq!(subscriptions[&1].unanswered, reader(0..3).unanswered);
        }
        let frames = [ack("1-0"), ack("1-2")];
        assert_eq!(all_answered(frames.iter(), Version::V1_2, &mut subscriptions).unwrap().len(), 2);
        assert_eq!(subscriptions[&1].unanswered, reader(1..2).unanswered);
    }
}
