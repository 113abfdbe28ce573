//! Why a call could not be made, found or changed.

use crate::store::{StoreError, StoredCall};
use crate::subscription::RoutingError;
use anglerfish_core::problem::Problem;

/// Why a call could not be made, found or changed. Nothing was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// What was asked for cannot be sent.
    #[error("the request has {} problem(s)", .0.len())]
    Invalid(Vec<Problem>),
    /// No API of this name is configured.
    #[error("there is no api `{0}`")]
    UnknownApi(String),
    /// There is no such call.
    #[error("there is no call `{0}`")]
    Unknown(String),
    /// Another request has this key.
    #[error("the key {:?} is that of another request to `{}`, {}", .0.head.key, .0.head.api, .0.head.id)]
    KeyReused(Box<StoredCall>),
    /// It stands so that this cannot be done.
    #[error("{what}: it is {word} already", what = .1, word = .0.head.state.word())]
    State(Box<StoredCall>, &'static str),
    /// What has happened to it cannot be read.
    #[error("what has happened to call `{0}` cannot be read: {1}")]
    Unreadable(String, String),
    /// Who wants to know of it cannot be decided now.
    #[error(transparent)]
    Routing(#[from] RoutingError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others change it again and again.
    #[error("others change it at the same time")]
    Contended,
}
