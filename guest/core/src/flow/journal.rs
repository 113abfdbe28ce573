//! The journal of one flow.

use super::record::waiting;
use super::{FlowRecord, FlowWait, StepOutcome, WaitOutcome, WrittenRecord};
use std::collections::BTreeSet;
use std::fmt;

/// How much a journal may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// How many entries.
    pub entries: usize,
    /// How many bytes all of them have together, as JSON.
    pub bytes: usize,
    /// How many bytes one of them has, as JSON.
    pub entry: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 16 << 20, entry: 1 << 20 }
    }
}

/// What the code of a flow is about to do.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// The step of this name.
    Step(&'a str),
    /// Draw a random number.
    Random,
    /// Look at the clock.
    Now,
    /// Begin this.
    Begin(&'a FlowWait),
    /// Wait for the first of these.
    Wait(&'a [usize]),
    /// Nothing more: it has come to its end.
    End,
}

/// The code of a flow has taken another way than its journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at entry {number} the journal has {recorded}, and the code asks for {asked}")]
pub struct Difference {
    /// The number of the entry, from 0.
    pub number: usize,
    /// What the journal has.
    pub recorded: String,
    /// What the code asks for.
    pub asked: String,
}

/// There is no room for another entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal has no room: {what} over the limit of {limit}")]
pub struct JournalFull {
    /// Which limit, in words.
    pub what: &'static str,
    /// The limit.
    pub limit: usize,
}

/// What a flow has done, and how far its code has come in it.
#[derive(Debug, Clone)]
pub struct Journal {
    records: Vec<FlowRecord>,
    at: usize,
    bytes: usize,
    limits: JournalLimits,
}

impl Journal {
    /// What is written of a flow, in order; its code begins anew.
    #[must_use]
    pub fn new(written: Vec<(WrittenRecord, usize)>, limits: JournalLimits) -> Self {
        let bytes = written.iter().map(|(_, bytes)| bytes).sum();
        let records = written.into_iter().map(|(written, _)| written.record).collect();
        Self { records, at: 0, bytes, limits }
    }

    /// How many entries there are, which is the number of the next.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing was done yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the entry that was answered last is the newest: what follows from it may not have been done.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.at == self.records.len()
    }

    /// What is recorded of what the code is about to do, with its number; `None` if it is to be done now.
    ///
    /// # Errors
    ///
    /// Something else is recorded.
    pub fn handle_asked(&mut self, asked: Asked<'_>) -> Result<Option<(usize, FlowRecord)>, Difference> {
        let Some(recorded) = self.records.get(self.at) else { return Ok(None) };
        let is_it = match (recorded, asked) {
            (FlowRecord::Step { name, .. }, Asked::Step(asked)) => name == asked,
            (FlowRecord::Random { .. }, Asked::Random) | (FlowRecord::Now { .. }, Asked::Now) => true,
            (FlowRecord::Begun { wait }, Asked::Begin(asked)) => wait.is_asked_by(asked),
            (FlowRecord::Ended { of, .. }, Asked::Wait(asked)) => of == asked,
            _ => false,
        };
        if !is_it {
            let (recorded, asked) = (recorded.words(), asked.to_string());
            return Err(Difference { number: self.at, recorded, asked });
        }
        let found = (self.at, recorded.clone());
        self.at += 1;
        Ok(Some(found))
    }

    /// Whether an entry of this size, as JSON, has room.
    ///
    /// # Errors
    ///
    /// It has none.
    pub fn fits(&self, bytes: usize) -> Result<(), JournalFull> {
        let JournalLimits { entries, bytes: all, entry } = self.limits;
        if self.records.len() >= entries {
            return Err(JournalFull { what: "its entries are", limit: entries });
        }
        if bytes > entry {
            return Err(JournalFull { what: "the bytes of this entry are", limit: entry });
        }
        if self.bytes.saturating_add(bytes) > all {
            return Err(JournalFull { what: "its bytes are", limit: all });
        }
        Ok(())
    }

    /// Adds what has been written of what the code does now, with its size. Returns its number.
    pub fn add(&mut self, record: FlowRecord, bytes: usize) -> usize {
        self.records.push(record);
        self.bytes = self.bytes.saturating_add(bytes);
        self.at = self.records.len();
        self.at - 1
    }

    /// What was begun by the entry of this number.
    #[must_use]
    pub fn begun(&self, number: usize) -> Option<&FlowWait> {
        match self.records.get(number) {
            Some(FlowRecord::Begun { wait }) => Some(wait),
            _ => None,
        }
    }

    /// What was begun and has neither ended nor been given up.
    pub fn open(&self) -> impl Iterator<Item = (usize, &FlowWait)> {
        let ended: BTreeSet<usize> = { self.records.iter() }
            .flat_map(|record| match record {
                FlowRecord::Ended { of, .. } => of.as_slice(),
                _ => &[],
            })
            .copied()
            .collect();
        self.records.iter().enumerate().filter_map(move |(number, record)| match record {
            FlowRecord::Begun { wait } if !ended.contains(&number) => Some((number, wait)),
            _ => None,
        })
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Step(name) => format!("the step {name:?}"),
            Self::Random => "a random number".to_owned(),
            Self::Now => "a look at the clock".to_owned(),
            Self::Begin(wait) => wait.words(),
            Self::Wait(of) => waiting(of),
            Self::End => "nothing more".to_owned(),
        };
        formatter.write_str(&text)
    }
}

/// How many entries of a journal stay when its flow is opened again after it had ended: all before the failure that came last,
/// or before what was begun and given up with its end, so that it is tried anew.
#[must_use]
pub fn kept_for_retry(records: &[WrittenRecord]) -> usize {
    let failed = |record: &FlowRecord| match record {
        FlowRecord::Step { outcome, .. } => matches!(outcome, StepOutcome::Failed(_)),
        FlowRecord::Ended { outcome: WaitOutcome::Called { state, .. }, .. } => state != "success",
        FlowRecord::Ended { outcome, .. } => matches!(outcome, WaitOutcome::Refused { .. }),
        _ => false,
    };
    let last = records.iter().rposition(|written| failed(&written.record));
    let failure = last.map(|number| match records.get(number).map(|written| &written.record) {
        Some(FlowRecord::Ended { of, .. }) => of.iter().copied().min().unwrap_or(number).min(number),
        _ => number,
    });
    let written = records.iter().map(|written| (written.clone(), 0)).collect();
    let journal = Journal::new(written, JournalLimits::default());
    let given_up = journal.open().map(|(number, _)| number).next();
    failure.into_iter().chain(given_up).min().unwrap_or(records.len())
}
