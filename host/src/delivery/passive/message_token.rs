//! What a subscriber names a lease by.

use crate::random::{self, NoRandomNumbers};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one lease of one message. It cannot be guessed, and none is used twice, also not by a later process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageToken([u8; 16]);

impl MessageToken {
    /// Reads what was written with `Display`; `None` if it was not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// A number that follows from it, to spread what would come at once.
    pub(super) fn random(self) -> u64 {
        self.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl fmt::Display for MessageToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Makes tokens: a key that nobody knows and that differs with each process, and a counter.
#[derive(Debug)]
pub(super) struct TokenSequence {
    key: [u8; 32],
    next: AtomicU64,
}

impl TokenSequence {
    /// With a key of the system's.
    pub(super) fn try_new() -> Result<Self, NoRandomNumbers> {
        let mut key = [0; 32];
        random::fill(&mut key)?;
        Ok(Self { key, next: AtomicU64::new(0) })
    }

    pub(super) fn next(&self) -> MessageToken {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.key).chain_update(number.to_be_bytes()).finalize().into();
        let mut token = [0; 16];
        token.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        MessageToken(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_nothing_else_is() {
        let token = TokenSequence::try_new().unwrap().next();
        assert_eq!(MessageToken::parse(&token.to_string()), Some(token));
        for text in ["", "0", "zz", &token.to_string()[1..], &format!("{token}0"), &format!(" {token}")] {
            assert_eq!(MessageToken::parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_processes_give_no_token_twice() {
        let (one, other) = (TokenSequence::try_new().unwrap(), TokenSequence::try_new().unwrap());
        let mut tokens: Vec<MessageToken> = (0..100).flat_map(|_| [one.next(), other.next()]).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 200);
    }
}
