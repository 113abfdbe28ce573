//! What is made of an event before it is sent.

use crate::store::LeasedDelivery;
use anglerfish_core::router::{Notice, Rendered};
use async_trait::async_trait;
use std::fmt;

/// Makes of events what subscriptions ask for: bodies, and values for URLs and header fields.
#[async_trait]
pub trait Renderer: fmt::Debug + Send + Sync + 'static {
    /// What a delivery's subscription makes of its event.
    async fn render(&self, delivery: &LeasedDelivery) -> Result<Rendered, RenderError>;
}

/// What is news to the subscribers of resources.
#[async_trait]
pub trait DocumentNotices: fmt::Debug + Send + Sync + 'static {
    /// What a delivery has to tell its subscriber now. Nothing is written.
    async fn notice(&self, delivery: &LeasedDelivery) -> Result<Notice, RenderError>;

    /// Writes down that a subscriber may have been told what a delivery has to tell: nobody knows what came of an attempt.
    async fn doubt(&self, delivery: &LeasedDelivery) -> Result<(), RenderError>;

    /// Writes down that a subscriber has what it was told, by the receipt of the notice.
    async fn acknowledge(&self, subscription: &str, url: &str, receipt: Vec<u8>) -> Result<(), RenderError>;
}

/// Why nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// It cannot be made of this event.
    #[error("{0}")]
    Unfit(String),
    /// It cannot be made now; the same may work later.
    #[error("{0}")]
    Unavailable(String),
}
