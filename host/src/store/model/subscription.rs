//! Subscriptions as the store knows them.

use super::NewJob;
use anglerfish_core::delivery::Standing;
use anglerfish_core::request::UnixMillis;

/// A subscription written at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its id.
    pub id: String,
    /// The document as it was written (JSON).
    pub document: String,
    /// When it was last written.
    pub updated: UnixMillis,
}

/// A subscription of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSubscription {
    /// Its id.
    pub id: String,
    /// Whether its open deliveries wait for it to come back when it is taken out of the file, rather than end.
    pub waits: bool,
    /// The job that gives it what is in the log already, if it is new and is to start in the past.
    pub start: Option<NewJob>,
}

/// A subscription that was in the configuration file before and is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedSubscription {
    /// Its id.
    pub id: String,
    /// Whether its open deliveries wait for it to come back.
    pub waits: bool,
}

/// How a subscription stands, whatever it is and wherever it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStanding {
    /// The subscription.
    pub subscription: String,
    /// How it stands.
    pub standing: Standing,
    /// Since when.
    pub since: UnixMillis,
    /// Since when nothing but failures came back, if that is to be known after a restart.
    pub failing: Option<UnixMillis>,
}
