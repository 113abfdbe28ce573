//! Work on many deliveries that is done in small steps and written down.

use super::{DeliveryId, DeliveryStatus, EventSeq};
use anglerfish_core::request::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a job does. Its JSON is what the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum JobWork {
    /// Makes deliveries due again, oldest first: those that had this status when the job was made and still have it.
    Retry {
        /// Their status.
        status: DeliveryStatus,
        /// Only those for this subscription.
        subscription: Option<String>,
        /// Only those made at this time or later, in milliseconds since 1970.
        since: Option<u64>,
        /// Only those made before this time.
        until: Option<u64>,
    },
    /// Makes new deliveries of a stretch of the log, in its order.
    Replay {
        /// For this subscription, of what its sources and its filter want now; without it for all that had a delivery.
        subscription: Option<String>,
        /// Only of events of this source.
        source: Option<String>,
        /// Only of events of this type.
        #[serde(rename = "type")]
        kind: Option<String>,
        /// Only of events that have no delivery to the subscription.
        missing: bool,
    },
    /// Gives a new subscription what is in the log already: a replay of what it has no deliveries of.
    Start {
        /// The subscription.
        subscription: String,
    },
    /// Gives a subscription what stayed in the log for it because its backlog was full.
    #[serde(rename = "catch-up")]
    CatchUp {
        /// The subscription.
        subscription: String,
    },
}

impl JobWork {
    /// The words for what jobs do.
    pub const KINDS: [&str; 4] = ["retry", "replay", "start", "catch-up"];

    /// The word for what it does.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Replay { .. } => "replay",
            Self::Start { .. } => "start",
            Self::CatchUp { .. } => "catch-up",
        }
    }

    /// Whether the store has made it, rather than somebody.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::CatchUp { .. })
    }

    /// The one subscription that it is for, if it is for one.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        match self {
            Self::Retry { subscription, .. } | Self::Replay { subscription, .. } => subscription.as_deref(),
            Self::Start { subscription } | Self::CatchUp { subscription } => Some(subscription),
        }
    }
}

/// A job to write down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What it does.
    pub work: JobWork,
    /// The position in the log behind which it begins; of a retry, the number of a delivery.
    pub after: i64,
    /// The last position that it looks at, no later than the newest there is now; `None` is that one.
    pub last: Option<i64>,
    /// Whether it goes on with what comes, until a step says where it ends.
    pub follows: bool,
    /// When it was made.
    pub created: UnixMillis,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It has steps to do.
    Running,
    /// All of it is done.
    Finished,
    /// It was ended before it was done.
    Cancelled,
    /// It cannot go on.
    Failed,
}

impl JobState {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// A job as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub work: JobWork,
    /// Where it stands.
    pub state: JobState,
    /// Why it stands so, where that needs saying.
    pub reason: Option<String>,
    /// When it was made.
    pub created: UnixMillis,
    /// When it ended.
    pub ended: Option<UnixMillis>,
    /// The position behind which it began.
    pub first: i64,
    /// The last position that is done with.
    pub place: i64,
    /// The last position that it looks at.
    pub last: i64,
    /// Whether it goes on behind that with what comes.
    pub follows: bool,
    /// The least position that was left for later, because a backlog was full.
    pub left: Option<i64>,
    /// The newest delivery when it was made.
    pub newest: DeliveryId,
    /// How many entries or deliveries were looked at.
    pub examined: u64,
    /// How many deliveries were made, or made due.
    pub done: u64,
    /// On how many events the filter failed: no delivery was made of them.
    pub failed: u64,
}

/// Which jobs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct JobQuery {
    /// Only those that stand so.
    pub state: Option<JobState>,
    /// Only older than this one.
    pub cursor: Option<JobId>,
    /// At most so many.
    pub limit: usize,
}

/// One position of a step, and what is to be done there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobItem {
    /// The position: no less than that of the item before.
    pub place: i64,
    /// How many entries or deliveries were looked at in this step up to here.
    pub examined: u64,
    /// What is to be done.
    pub action: JobAction,
}

/// What is to be done at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobAction {
    /// A delivery is made due, if it has still the status that the job is about and nobody works on it.
    Retry(DeliveryId),
    /// A delivery of an event is made.
    Deliver {
        /// The event.
        seq: EventSeq,
        /// The subscription.
        subscription: String,
        /// Its ordering key as it was decided anew; `None` takes the one that an earlier delivery of the event had.
        lane: Option<Option<String>>,
        /// Unless the event has a delivery to the subscription that was made after this one.
        unless_after: Option<DeliveryId>,
    },
    /// The filter failed.
    Fail,
}

/// A step of a job, done in one transaction or not at all.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// The job.
    pub job: JobId,
    /// Where it stood when the step was made ready: from anywhere else the step is stale.
    pub from: i64,
    /// Where it stands once all items are done.
    pub to: i64,
    /// How many entries or deliveries were looked at in all.
    pub examined: u64,
    /// What is to be done, in the order of positions.
    pub items: Vec<JobItem>,
    /// No delivery is made or made due for a subscription with so many open ones, whatever its own bound.
    pub most_open: u64,
    /// The end of a job that went on with what came; from now on it does so no more.
    pub last: Option<i64>,
    /// When it is done.
    pub now: UnixMillis,
}

impl JobStep {
    /// The subscriptions that it is to make deliveries for, each once. Whom a retry is for is not known here.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<String> {
        let named = self.items.iter().filter_map(|item| match &item.action {
            JobAction::Deliver { subscription, .. } => Some(subscription.clone()),
            JobAction::Retry(_) | JobAction::Fail => None,
        });
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStepped {
    /// It is on disk, as far as there was room.
    Stepped {
        /// The job as it stands now.
        job: Box<Job>,
        /// The subscriptions that got deliveries.
        subscriptions: Vec<String>,
        /// A subscription that had no room for more.
        full: Option<String>,
    },
    /// The job does not run, or stands elsewhere: nothing was done.
    Stale,
}

/// Deliveries that a retry would make due, and how far it looked for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retryable {
    /// They, each with its subscription and with how many were looked at up to it, oldest first.
    pub deliveries: Vec<(DeliveryId, String, u64)>,
    /// The last position that was looked at.
    pub to: i64,
    /// How many deliveries were looked at.
    pub examined: u64,
}
