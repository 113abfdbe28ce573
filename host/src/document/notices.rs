//! What a delivery has to tell its subscriber, and what that has from then on.

use super::port::DocumentDecider;
use crate::clock::WallClock;
use crate::delivery::{DocumentNotices, RenderError};
use crate::engine::{DocumentAnswer, DocumentQuestion};
use crate::store::{Commit, CommitOutcome, LeasedDelivery, Store};
use anglerfish_core::router::Notice;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// How often it is written down anew because the document was changed in the meantime.
const MOST_CONFLICTS: usize = 32;

/// What is news to the subscribers of resources. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    store: Arc<dyn Store>,
    decider: Arc<dyn DocumentDecider>,
    clock: WallClock,
}

impl Notices {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, decider: Arc<dyn DocumentDecider>, clock: WallClock) -> Self {
        Self { store, decider, clock }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Notices").finish_non_exhaustive()
    }
}

#[async_trait]
impl DocumentNotices for Notices {
    async fn notice(&self, delivery: &LeasedDelivery) -> Result<Notice, RenderError> {
        let question = DocumentQuestion::Notice {
            subscription: delivery.subscription.clone(),
            event: delivery.event.clone(),
            data: delivery.data.clone(),
            outlived: delivery.outlived,
        };
        match self.decider.ask(question).await {
            Ok((DocumentAnswer::Notice(notice), _)) => notice.map_err(RenderError::Unavailable),
            Ok(_) => Err(RenderError::Unavailable("the component gave another answer".to_owned())),
            Err(error) => Err(RenderError::Unavailable(error.to_string())),
        }
    }

    async fn doubt(&self, delivery: &LeasedDelivery) -> Result<(), RenderError> {
        let question = DocumentQuestion::Doubt {
            subscription: delivery.subscription.clone(),
            event: delivery.event.clone(),
            data: delivery.data.clone(),
        };
        self.write_down(&question).await
    }

    async fn acknowledge(&self, subscription: &str, url: &str, receipt: Vec<u8>) -> Result<(), RenderError> {
        if receipt.is_empty() {
            return Ok(());
        }
        let (subscription, url) = (subscription.to_owned(), url.to_owned());
        self.write_down(&DocumentQuestion::Acknowledge { subscription, url, receipt }).await
    }
}

impl Notices {
    /// Commits what the component writes down, anew if the document was changed in the meantime.
    async fn write_down(&self, question: &DocumentQuestion) -> Result<(), RenderError> {
        for _ in 0..MOST_CONFLICTS {
            let keys = match self.decider.ask(question.clone()).await {
                Ok((DocumentAnswer::Acknowledged(Ok(())), keys)) => keys,
                Ok((DocumentAnswer::Acknowledged(Err(reason)), _)) => {
                    return Err(RenderError::Unavailable(reason));
                }
                Ok(_) => {
                    return Err(RenderError::Unavailable("the component gave another answer".to_owned()));
                }
                Err(error) => return Err(RenderError::Unavailable(error.to_string())),
            };
            let commit = Commit { keys, ..Commit::new(self.clock.now()) };
            if commit.is_empty() {
                return Ok(());
            }
            match self.store.commit(commit).await {
                Ok(CommitOutcome::Committed { .. }) => return Ok(()),
                Ok(CommitOutcome::Conflict) => {}
                Err(error) => return Err(RenderError::Unavailable(error.to_string())),
            }
        }
        Err(RenderError::Unavailable("others change the document at the same time".to_owned()))
    }
}
