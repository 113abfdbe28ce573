//! The state of a request, from what has happened to it.

use super::{CallRecord, Happened};
use crate::request::UnixMillis;
use serde::{Deserialize, Serialize};

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// It is not decided yet.
    Pending,
    /// An answer came.
    Success,
    /// The last attempt failed, and no other one follows.
    Failure,
    /// The last attempt got no answer in time, and no other one follows.
    Timeout,
    /// Somebody cancelled it.
    Cancelled,
}

impl CallState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Success, Self::Failure, Self::Timeout, Self::Cancelled];

    /// As the API says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is to be done about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Todo {
    /// Make this attempt.
    Attempt(u32),
    /// Nothing before this time.
    WaitUntil(UnixMillis),
    /// Wait for what becomes of the attempts under way.
    Await,
    /// Nothing any more.
    Nothing,
}

/// What a record changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Something.
    Taken,
    /// Nothing: it came too late to matter.
    Ignored,
}

/// A record that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Every history begins with the request, and has one.
    #[error("the request is the first record and no other one")]
    Request,
    /// It is about an attempt that was not begun.
    #[error("attempt {0} was not begun")]
    Unknown(u32),
    /// An attempt begins that is not the next one, or not wanted.
    #[error("attempt {0} is not the one that follows")]
    Order(u32),
    /// There are as many attempts as there may be.
    #[error("attempt {0} is beyond the {1} that the request has")]
    Budget(u32, u32),
    /// Only what has ended without an answer is opened again, and only what has not ended is cancelled.
    #[error("a request that is {word} cannot be {1}", word = .0.word())]
    State(CallState, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Success,
    Failure,
    Timeout,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    stage: Stage,
    deadline: UnixMillis,
    /// Its time is over, and an answer still counts.
    is_awaited: bool,
}

/// The state of a request.
#[derive(Debug, Clone)]
pub struct CallHistory {
    records: Vec<CallRecord>,
    /// How many attempts it has, each time that it is opened.
    budget: u32,
    attempts: Vec<Attempt>,
    /// The attempt with which its present budget began, and when.
    opened: (u32, UnixMillis),
    /// The attempt that follows, and when.
    next: Option<(u32, UnixMillis)>,
    is_cancelled: bool,
    /// The API does not want it, whatever becomes of other attempts that are under way.
    is_refused: bool,
}

impl CallHistory {
    /// A request that was just made, with so many attempts. The first one is due at once.
    #[must_use]
    pub fn begin(attempts: u32, at: UnixMillis) -> Self {
        Self {
            records: vec![CallRecord { at: at.0, happened: Happened::Request { attempts } }],
            budget: attempts.max(1),
            attempts: Vec::new(),
            opened: (0, at),
            next: Some((0, at)),
            is_cancelled: false,
            is_refused: false,
        }
    }

    /// The state that these records lead to. Nothing is done about any of them.
    ///
    /// # Errors
    ///
    /// The first record that cannot follow those before it.
    pub fn read(records: Vec<CallRecord>) -> Result<Self, Misfit> {
        let mut records = records.into_iter();
        let Some(CallRecord { at, happened: Happened::Request { attempts } }) = records.next() else {
            return Err(Misfit::Request);
        };
        let mut history = Self::begin(attempts, UnixMillis(at));
        for record in records {
            history.take(record)?;
        }
        Ok(history)
    }

    /// What has happened, in order.
    #[must_use]
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// Takes what happened. Where it cannot have happened, nothing changes.
    ///
    /// # Errors
    ///
    /// Why it cannot follow.
    pub fn take(&mut self, record: CallRecord) -> Result<Effect, Misfit> {
        let at = UnixMillis(record.at);
        let effect = match &record.happened {
            Happened::Request { .. } => return Err(Misfit::Request),
            Happened::Attempt { attempt, deadline } => self.begun(*attempt, UnixMillis(*deadline))?,
            Happened::Response { attempt, .. } => {
                self.known(*attempt)?.stage = Stage::Success;
                self.next = None;
                Effect::Taken
            }
            Happened::Failure { attempt, status, next, .. } => {
                let known = self.known(*attempt)?;
                // An answer that came stays one, whatever its connection does then.
                if matches!(known.stage, Stage::Success | Stage::Failure) {
                    return Ok(Effect::Ignored);
                }
                let was_late = known.stage == Stage::Timeout;
                (known.stage, known.is_awaited) = (Stage::Failure, false);
                // What followed from its time being over stays, unless the answer says that nothing may.
                if !was_late || self.next.is_none() {
                    self.go_on(*attempt, *next);
                }
                let has_room = self.before(attempt.saturating_add(1)).0 < self.budget;
                if status.is_some() && next.is_none() && has_room && *attempt >= self.opened.0 {
                    (self.is_refused, self.next) = (true, None);
                }
                Effect::Taken
            }
            Happened::Timeout { attempt, next, awaited } => {
                let known = self.known(*attempt)?;
                match known.stage {
                    Stage::Pending => {
                        (known.stage, known.is_awaited) = (Stage::Timeout, awaited.is_some());
                        self.go_on(*attempt, *next);
                    }
                    Stage::Timeout if known.is_awaited && awaited.is_none() => known.is_awaited = false,
                    _ => return Ok(Effect::Ignored),
                }
                Effect::Taken
            }
            Happened::Cancelled { .. } => {
                if self.state() != CallState::Pending {
                    return Err(Misfit::State(self.state(), "cancelled"));
                }
                (self.is_cancelled, self.next) = (true, None);
                Effect::Taken
            }
            Happened::Reopened { attempts } => {
                let state = self.state();
                if matches!(state, CallState::Pending | CallState::Success) {
                    return Err(Misfit::State(state, "opened again"));
                }
                let first = self.count();
                (self.budget, self.is_cancelled, self.is_refused) = ((*attempts).max(1), false, false);
                (self.opened, self.next) = ((first, at), Some((first, at)));
                Effect::Taken
            }
        };
        self.records.push(record);
        Ok(effect)
    }

    /// How the request stands.
    #[must_use]
    pub fn state(&self) -> CallState {
        if self.attempts.iter().any(|attempt| attempt.stage == Stage::Success) {
            return CallState::Success;
        }
        if self.is_cancelled {
            return CallState::Cancelled;
        }
        if self.is_refused {
            return CallState::Failure;
        }
        let mut of_budget = self.of_budget().map(|(_, attempt)| attempt);
        let may_end = |attempt: &Attempt| attempt.stage == Stage::Pending || attempt.is_awaited;
        if self.next.is_some() || of_budget.clone().any(may_end) {
            return CallState::Pending;
        }
        match of_budget.next_back().map(|attempt| attempt.stage) {
            Some(Stage::Timeout) => CallState::Timeout,
            Some(_) => CallState::Failure,
            None => CallState::Pending,
        }
    }

    /// What is to be done about it now.
    #[must_use]
    pub fn poll(&self, now: UnixMillis) -> Todo {
        match self.next {
            Some((attempt, due)) if due <= now => Todo::Attempt(attempt),
            Some((_, due)) => Todo::WaitUntil(due),
            None if self.state() == CallState::Pending => Todo::Await,
            None => Todo::Nothing,
        }
    }

    /// When the next attempt is due, if one follows.
    #[must_use]
    pub fn due(&self) -> Option<UnixMillis> {
        self.next.map(|(_, due)| due)
    }

    /// The attempts under way as far as is known, each with when it times out.
    pub fn pending(&self) -> impl Iterator<Item = (u32, UnixMillis)> {
        let pending = self.of_budget().filter(|(_, attempt)| attempt.stage == Stage::Pending);
        let pending = pending.filter(|_| !self.is_cancelled && !self.is_refused);
        pending.map(|(number, attempt)| (number, attempt.deadline))
    }

    /// The attempts whose time is over and to which an answer still counts.
    pub fn awaited(&self) -> impl Iterator<Item = u32> {
        let awaited = self.of_budget().filter(|(_, attempt)| attempt.is_awaited);
        awaited.filter(|_| self.state() == CallState::Pending).map(|(number, _)| number)
    }

    /// Whether an answer to this attempt would still count: none came, and it was not recorded as over for another reason than
    /// its time.
    #[must_use]
    pub fn awaits(&self, attempt: u32) -> bool {
        let stage = usize::try_from(attempt).ok().and_then(|index| self.attempts.get(index));
        stage.is_some_and(|attempt| matches!(attempt.stage, Stage::Pending | Stage::Timeout))
    }

    /// How many attempts were begun.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// How many attempts of its present budget were begun before this one, and when that began.
    #[must_use]
    pub fn before(&self, attempt: u32) -> (u32, UnixMillis) {
        (attempt.saturating_sub(self.opened.0), self.opened.1)
    }

    fn begun(&mut self, attempt: u32, deadline: UnixMillis) -> Result<Effect, Misfit> {
        if self.next.is_none_or(|(next, _)| next != attempt) || attempt != self.count() {
            return Err(Misfit::Order(attempt));
        }
        if self.before(attempt).0 >= self.budget {
            return Err(Misfit::Budget(attempt, self.budget));
        }
        self.attempts.push(Attempt { stage: Stage::Pending, deadline, is_awaited: false });
        self.next = None;
        Ok(Effect::Taken)
    }

    fn known(&mut self, attempt: u32) -> Result<&mut Attempt, Misfit> {
        let index = usize::try_from(attempt).unwrap_or(usize::MAX);
        self.attempts.get_mut(index).ok_or(Misfit::Unknown(attempt))
    }

    /// What follows from an attempt that came to nothing: the next one, unless there is one already, an answer came, nobody
    /// wants it any more, or none is left.
    fn go_on(&mut self, attempt: u32, next: Option<u64>) {
        let following = attempt.saturating_add(1);
        let is_last = following == self.count();
        let has_room = self.before(following).0 < self.budget;
        let is_of_budget = attempt >= self.opened.0;
        let may_go_on = self.state() != CallState::Success && !self.is_cancelled && !self.is_refused;
        if may_go_on && is_last && has_room && is_of_budget {
            self.next = next.map(|due| (following, UnixMillis(due)));
        }
    }

    fn of_budget(&self) -> impl DoubleEndedIterator<Item = (u32, &Attempt)> + Clone {
        let first = usize::try_from(self.opened.0).unwrap_or(usize::MAX);
        let attempts = self.attempts.get(first..).unwrap_or_default();
        (self.opened.0..self.count()).zip(attempts)
    }
}
