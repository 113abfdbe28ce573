//! Messages that a connection has leased, and what becomes of them when it ends.

use crate::delivery::{MessageToken, PassiveSubscription};
use std::collections::VecDeque;

/// How it comes that a subscription of a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Parting {
    /// The client said that it has enough, or the gateway ends it: nobody is at anything any more.
    Agreed,
    /// The connection broke off, or the client was cut off: it may have been at a message.
    Broken,
}

/// Messages that a client has and has not answered for, in the order in which they are sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::stream) struct Leases {
    tokens: VecDeque<MessageToken>,
    /// How many of them, the last ones, have not been sent yet.
    unsent: usize,
}

impl Leases {
    /// Adds messages that are about to be sent.
    pub(in crate::stream) fn add(&mut self, tokens: impl IntoIterator<Item = MessageToken>) {
        let before = self.tokens.len();
        self.tokens.extend(tokens);
        self.unsent += self.tokens.len() - before;
    }

    /// The next one has been sent.
    pub(in crate::stream) fn sent(&mut self) {
        self.unsent = self.unsent.saturating_sub(1);
    }

    /// Takes out those that are answered for.
    pub(in crate::stream) fn answered(&mut self, tokens: &[MessageToken]) {
        for token in tokens {
            if let Some(index) = self.tokens.iter().position(|held| held == token) {
                if index >= self.tokens.len().saturating_sub(self.unsent) {
                    self.unsent = self.unsent.saturating_sub(1);
                }
                self.tokens.remove(index);
            }
        }
    }

    /// Puts back in front what could not be recorded.
    pub(in crate::stream) fn restore(&mut self, tokens: Vec<MessageToken>) {
        for token in tokens.into_iter().rev() {
            self.tokens.push_front(token);
        }
    }

    /// All of them.
    pub(in crate::stream) fn tokens(&self) -> Vec<MessageToken> {
        self.tokens.iter().copied().collect()
    }

    /// The one that the client is at: of those that it was sent the one that has waited longest for its answer.
    fn take_begun(&mut self) -> Option<MessageToken> {
        if self.tokens.len() > self.unsent { self.tokens.pop_front() } else { None }
    }

    /// Nobody has these messages any more: they come again at once. Only the one that the client was at when it broke off has
    /// used up an attempt: if none had, a message that kills its reader would come for ever, and if all had, a few short
    /// connections would make dead letters of what nobody has ever looked at.
    pub(in crate::stream) async fn give_back(mut self, passive: &PassiveSubscription, parting: Parting) {
        let begun = match parting {
            Parting::Agreed => None,
            Parting::Broken => self.take_begun(),
        };
        let told = |error: &crate::store::StoreError| {
            tracing::warn!(%error, "messages of a connection that ended cannot be given back now; their leases run out");
        };
        if let Err(error) = passive.release(self.tokens()).await {
            told(&error);
        }
        if let Some(begun) = begun
            && let Err(error) = passive.abandon(begun).await
        {
            told(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u8) -> MessageToken {
        MessageToken::parse(&hex::encode([number; 16])).unwrap()
    }

    #[test]
    fn the_message_that_a_client_is_at_is_the_first_that_it_was_sent_and_has_not_answered_for() {
        let mut leases = Leases::default();
        assert_eq!(leases.take_begun(), None);
        leases.add([token(1), token(2), token(3)]);
        assert_eq!(leases.take_begun(), None, "nothing was sent");
        leases.sent();
        leases.sent();
        leases.answered(&[token(1), token(9)]);
        assert_eq!(leases.tokens(), [token(2), token(3)]);
        leases.restore(vec![token(1)]);
        assert_eq!(leases.take_begun(), Some(token(1)));
        assert_eq!(leases.take_begun(), Some(token(2)));
        assert_eq!(leases.take_begun(), None, "the third was not sent");
        leases.add([token(4)]);
        leases.answered(&[token(3)]);
        assert_eq!(leases.take_begun(), None, "nor was the fourth");
        leases.sent();
        assert_eq!(leases.take_begun(), Some(token(4)));
    }
}
