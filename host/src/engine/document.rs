//! What the component is asked of documents, and what it says.

use anglerfish_core::decision::DocumentDecision;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Announcement, Notice};
use bytes::Bytes;

/// A document that is put or deleted, or told of again.
#[derive(Debug, Clone)]
pub struct DocumentRequest {
    /// A name that is given to this request and to no other.
    pub id: String,
    /// The document's URL.
    pub url: String,
    /// The document; `None` deletes it.
    pub body: Option<Bytes>,
    /// When it was received.
    pub received: UnixMillis,
}

/// What the component is asked.
#[derive(Debug, Clone)]
pub enum DocumentQuestion {
    /// What is news in a change, and to whom.
    Change(DocumentRequest),
    /// Whether one subscription is to be told of a document that is there.
    Announce {
        /// The subscription.
        subscription: String,
        /// The document, without a body.
        change: DocumentRequest,
        /// Why.
        why: Announcement,
    },
    /// What a delivery has to tell.
    Notice {
        /// Its subscription.
        subscription: String,
        /// The log's entry.
        event: Event,
        /// Its data.
        data: Bytes,
        /// Whether a delivery of a later change of the document has ended.
        outlived: bool,
    },
    /// To write down that a subscription may have been told: nobody knows what came of an attempt.
    Doubt {
        /// The subscription.
        subscription: String,
        /// The log's entry.
        event: Event,
        /// Its data.
        data: Bytes,
    },
    /// To write down that a subscription has what it was told.
    Acknowledge {
        /// The subscription.
        subscription: String,
        /// The document's URL.
        url: String,
        /// The receipt of the notice.
        receipt: Vec<u8>,
    },
}

/// What it says.
#[derive(Debug, Clone)]
pub enum DocumentAnswer {
    /// Of a change, or of a document that is told of again.
    Decision(DocumentDecision),
    /// Of a delivery; within, why the state could not be read.
    Notice(Result<Notice, String>),
    /// Of what is to be written down; within, why it could not be.
    Acknowledged(Result<(), String>),
}
