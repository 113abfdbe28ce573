//! Transactions: frames that are kept until they are committed.

use super::failure::Failure;
use anglerfish_core::stomp::{Command, Frame};
use std::collections::HashMap;

/// Transactions of one connection that may be open.
const MOST_OPEN: usize = 10;

/// Frames of one transaction, and bytes of all their bodies.
const MOST_FRAMES: usize = 1000;
const MOST_BYTES: usize = 1 << 20;

/// The open transactions of one connection.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: HashMap<String, Transaction>,
}

#[derive(Debug, Default)]
struct Transaction {
    frames: Vec<Frame>,
    bytes: usize,
}

impl Transactions {
    /// Opens the transaction of a BEGIN frame.
    pub(super) fn begin(&mut self, frame: &Frame) -> Result<(), Failure> {
        let name = name(frame)?;
        if self.open.contains_key(name) {
            return Err(Failure::header(frame, "transaction", "names one that is open already"));
        }
        if self.open.len() >= MOST_OPEN {
            let message = format!("a connection has at most {MOST_OPEN} open transactions");
            return Err(Failure::new("too-many-transactions", message).for_frame(frame));
        }
        self.open.insert(name.to_owned(), Transaction::default());
        Ok(())
    }

    /// Keeps a frame that says that it is part of one; gives back one that does not.
    pub(super) fn keep(&mut self, frame: Frame) -> Result<Option<Frame>, Failure> {
        let is_kept = matches!(frame.command, Command::Send | Command::Ack | Command::Nack);
        let Some(name) = frame.header("transaction").filter(|_| is_kept) else { return Ok(Some(frame)) };
        let Some(transaction) = self.open.get_mut(name) else { return Err(unknown(&frame)) };
        transaction.bytes = transaction.bytes.saturating_add(frame.body.len());
        if transaction.frames.len() >= MOST_FRAMES || transaction.bytes > MOST_BYTES {
            let message =
                format!("a transaction has at most {MOST_FRAMES} frames with {MOST_BYTES} bytes in all");
            return Err(Failure::new("too-large-transaction", message).for_frame(&frame));
        }
        transaction.frames.push(frame);
        Ok(None)
    }

    /// Ends the transaction of a COMMIT or ABORT frame; its frames are the caller's.
    pub(super) fn end(&mut self, frame: &Frame) -> Result<Vec<Frame>, Failure> {
        let ended = self.open.remove(name(frame)?);
        ended.map(|transaction| transaction.frames).ok_or_else(|| unknown(frame))
    }
}

fn name(frame: &Frame) -> Result<&str, Failure> {
    frame.header("transaction").ok_or_else(|| Failure::missing(frame, "transaction"))
}

fn unknown(frame: &Frame) -> Failure {
    Failure::header(frame, "transaction", "names none that is open")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(command: Command, transaction: &str) -> Frame {
        Frame::new(command).with("transaction", transaction)
    }

    #[test]
    fn frames_are_kept_until_they_are_committed_or_aborted() {
        let mut transactions = Transactions::default();
        transactions.begin(&frame(Command::Begin, "a")).unwrap();
        assert!(transactions.begin(&frame(Command::Begin, "a")).is_err());
        for command in [Command::Send, Command::Ack, Command::Nack] {
            assert_eq!(transactions.keep(frame(command, "a")).unwrap(), None);
        }
        // Nothing else is part of one, whatever it says.
        assert!(transactions.keep(frame(Command::Disconnect, "a")).unwrap().is_some());
        assert!(transactions.keep(frame(Command::Send, "b")).is_err());
        assert_eq!(transactions.end(&frame(Command::Commit, "a")).unwrap().len(), 3);
        assert!(transactions.end(&frame(Command::Abort, "a")).is_err());
        assert!(transactions.begin(&Frame::new(Command::Begin)).is_err());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut transactions = Transactions::default();
        for number in 0..MOST_OPEN {
            transactions.begin(&frame(Command::Begin, &number.to_string())).unwrap();
        }
        assert!(transactions.begin(&frame(Command::Begin, "one more")).is_err());
        for _ in 0..MOST_FRAMES {
            transactions.keep(frame(Command::Send, "0")).unwrap();
        }
        assert!(transactions.keep(frame(Command::Send, "0")).is_err());
        assert!(transactions.keep(frame(Command::Send, "1").with_body(vec![0; MOST_BYTES + 1])).is_err());
    }
}
