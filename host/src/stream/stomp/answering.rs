//! ACK and NACK frames.

use super::failure::Failure;
use super::subscribe::{AckMode, Subscription, Unanswered};
use crate::delivery::Returned;
use anglerfish_core::stomp::{Command, Frame, Version};
use std::collections::BTreeMap;

/// What a client answers for.
#[derive(Debug)]
pub(super) struct Answered {
    /// The session's number of the subscription.
    pub(super) number: u64,
    pub(super) messages: Vec<Unanswered>,
}

/// Takes out what an ACK or NACK frame is about; nothing if it is about none that waits for an answer.
pub(super) fn answered(
    frame: &Frame,
    version: Version,
    subscriptions: &mut BTreeMap<u64, Subscription>,
) -> Result<Option<Answered>, Failure> {
    let header = if version >= Version::V1_2 { "id" } else { "message-id" };
    let ack = frame.header(header).ok_or_else(|| Failure::missing(frame, header))?;
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
    if frame.command == Command::Nack && subscription.passive.is_none() {
        let what =
            "is of a reader of the log, where nothing can be given back: subscribe again behind a position";
        return Err(Failure::header(frame, header, what));
    }
    let messages = subscription.answer(ack);
    Ok((!messages.is_empty()).then_some(Answered { number, messages }))
}

/// How a NACK frame gives messages back.
pub(super) fn returned(frame: &Frame) -> Result<Returned, Failure> {
    let is_dead = match frame.header("requeue") {
        None | Some("true") => false,
        Some("false") => true,
        Some(_) => return Err(Failure::header(frame, "requeue", "must be true or false")),
    };
    Ok(Returned { delay: None, is_dead, reason: None })
}
