//! Callbacks: addresses that a program awaits.

use super::EventSeq;
use anglerfish_core::callback::callback_source;
use anglerfish_core::request::UnixMillis;

/// An address that a program awaits. What comes in is in the log, with [`StoredCallback::source`] as its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCallback {
    /// Its name.
    pub name: String,
    /// The last part of its address.
    pub token: String,
    /// What is asked of those who come (JSON).
    pub document: String,
    /// When it was made.
    pub created: UnixMillis,
    /// From when on it takes nothing.
    pub expires: Option<UnixMillis>,
    /// Since when it takes nothing, if somebody closed it or its only callback came.
    pub closed: Option<UnixMillis>,
    /// Whether somebody closed it, rather than its only callback.
    pub cancelled: bool,
    /// The last callback that is done with: what comes next is behind it in the log.
    pub acked: EventSeq,
    /// How many came in and are not done with.
    pub waiting: u64,
    /// Who awaits it: grows with each who begins to. Whoever has a lower one is told.
    pub holder: u64,
}

impl StoredCallback {
    /// The source of what comes in at a callback.
    #[must_use]
    pub fn source_of(name: &str) -> String {
        callback_source(name)
    }

    /// The source of what comes in here.
    #[must_use]
    pub fn source(&self) -> String {
        Self::source_of(&self.name)
    }

    /// Whether it takes what comes at this time.
    #[must_use]
    pub fn is_open(&self, now: UnixMillis) -> bool {
        self.closed.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether who takes hold of its name gets this one, and not a new one: it is open, or what came in is not done with.
    #[must_use]
    pub fn is_held_again(&self, now: UnixMillis) -> bool {
        self.is_open(now) || self.waiting > 0
    }

    /// The same, asking what is asked by who takes hold of it, or what is asked already.
    #[must_use]
    pub fn asking(self, document: &str, keeps: bool) -> Self {
        if keeps { self } else { Self { document: document.to_owned(), ..self } }
    }

    /// Whether this may come in at this time.
    #[must_use]
    pub fn takes(&self, write: &CallbackWrite, now: UnixMillis) -> bool {
        self.token == write.token && self.is_open(now) && self.waiting < write.most
    }
}

/// A callback that comes in, committed with its entry if its address is open still and its inbox has room.
#[derive(Debug, Clone)]
pub struct CallbackWrite {
    /// The name of the address.
    pub name: String,
    /// Its token.
    pub token: String,
    /// Whether it is the last one that it takes.
    pub closes: bool,
    /// How many may wait in its inbox.
    pub most: u64,
}

/// What became of an answer for a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackAcked {
    /// It is done with.
    Done,
    /// Somebody else awaits it by now.
    Fenced,
    /// There is none of this name.
    Unknown,
}
