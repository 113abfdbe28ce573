//! Work on many deliveries, in steps.

use super::batch::{Batch, Making};
use super::job::Write;
use super::plan::prepare;
use super::reschedule;
use super::row::{ENDED, clamp, time};
use super::segment::{Axis, spans};
use crate::store::{
    DeliveryId, DeliveryStatus, EventSeq, Job, JobAction, JobId, JobItem, JobQuery, JobState, JobStep,
    JobStepped, JobWork, NewJob, Page, Retried, Retryable,
};
use anglerfish_core::request::UnixMillis;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeSet, HashMap};

impl ToSql for JobState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.word().into())
    }
}

impl FromSql for JobState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let all = [Self::Running, Self::Finished, Self::Cancelled, Self::Failed];
        let found = all.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| FromSqlError::Other(format!("unknown state of a job {word:?}").into()))
    }
}

/// Columns for [`read`].
const JOB: &str = "id, work, state, reason, created, ended, first, place, last, follows, left_at, examined, done, failed, newest";

/// Reads [`JOB`].
fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    let work = serde_json::from_str(row.get_ref(1)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))?;
    Ok(Job {
        id: JobId(row.get(0)?),
        work,
        state: row.get(2)?,
        reason: row.get(3)?,
        created: time(row, 4)?,
        ended: row.get::<_, Option<u64>>(5)?.map(UnixMillis),
        first: row.get(6)?,
        place: row.get(7)?,
        last: row.get(8)?,
        follows: row.get(9)?,
        left: row.get(10)?,
        examined: row.get(11)?,
        done: row.get(12)?,
        failed: row.get(13)?,
        newest: DeliveryId(row.get(14)?),
    })
}

/// One job.
pub(super) fn one(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    prepare(connection, &format!("SELECT {JOB} FROM jobs WHERE id = ?1"))?.query_row([id.0], read).optional()
}

/// Lists jobs; see [`crate::store::JobStore::jobs`].
pub(super) fn list(connection: &Connection, query: &JobQuery) -> rusqlite::Result<Page<Job>> {
    let JobQuery { state, cursor, limit } = query;
    let cursor = cursor.map_or(i64::MAX, |JobId(id)| id);
    let most = limit.saturating_add(1);
    let mut items: Vec<Job> = match state {
        Some(state) => prepare(
            connection,
            &format!("SELECT {JOB} FROM jobs WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"),
        )?
        .query_map(params![state, cursor, most], read)?
        .collect::<rusqlite::Result<_>>()?,
        None => {
            prepare(connection, &format!("SELECT {JOB} FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2"))?
                .query_map(params![cursor, most], read)?
                .collect::<rusqlite::Result<_>>()?
        }
    };
    let more = items.len() > *limit;
    items.truncate(*limit);
    Ok(Page { items, more })
}

/// A delivery that was looked at: its number, its subscription, when it was made, and whether it is one of the job's.
type Looked = (i64, String, i64, bool);

/// What a retry finds; see [`crate::store::JobStore::retryable`].
pub(super) fn retryable(connection: &Connection, job: &Job, limit: usize) -> rusqlite::Result<Retryable> {
    let JobWork::Retry { status, subscription, since, until } = &job.work else {
        return Ok(Retryable { to: job.last, ..Retryable::default() });
    };
    let snapshot = connection.unchecked_transaction()?;
    let bound = |time: &Option<u64>| time.map(|time| clamp(UnixMillis(time)));
    let (since, until) = (bound(since), bound(until));
    let made = clamp(job.created);
    let mut found = Retryable { to: job.last, ..Retryable::default() };
    for (from, to) in spans(&snapshot, Axis::Delivery, since, until)? {
        let (from, to) = (from.max(job.place + 1), to.min(job.last));
        if from > to {
            continue;
        }
        let most = limit.saturating_sub(usize::try_from(found.examined).unwrap_or(usize::MAX));
        let looked = look(&snapshot, *status, subscription.as_deref(), (from, to), made, most)?;
        let is_cut = looked.len() == most;
        for (id, subscription, created, is_one) in looked {
            found.examined += 1;
            found.to = id;
            let in_time =
                since.is_none_or(|since| created >= since) && until.is_none_or(|until| created < until);
            if is_one && in_time {
                found.deliveries.push((DeliveryId(id), subscription, found.examined));
            }
        }
        if is_cut {
            return Ok(found);
        }
    }
    found.to = job.last;
    Ok(found)
}

/// Looks at deliveries in the order of their numbers, by an index where one leads to them.
fn look(
    snapshot: &Connection,
    status: DeliveryStatus,
    subscription: Option<&str>,
    (from, to): (i64, i64),
    made: i64,
    most: usize,
) -> rusqlite::Result<Vec<Looked>> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let columns = format!("d.id, d.subscription, d.created, {ENDED} <= ?4");
    match (status, subscription) {
        (DeliveryStatus::Pending, subscription) => {
            let sql = "SELECT id, subscription, created, due IS NOT NULL AND coalesce(planned, created) <= ?4 \
                       AND (?5 IS NULL OR subscription = ?5) \
                       FROM deliveries WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";
            prepare(snapshot, sql)?.query_map(params![from, to, most, made, subscription], read)?.collect()
        }
        (status, Some(subscription)) => {
            let sql = format!(
                "SELECT {columns} FROM deliveries d INDEXED BY delivery_ended WHERE d.due IS NULL \
                 AND d.subscription = ?5 AND d.status = ?6 AND d.id BETWEEN ?1 AND ?2 ORDER BY d.id LIMIT ?3"
            );
            let values = params![from, to, most, made, subscription, status];
            prepare(snapshot, &sql)?.query_map(values, read)?.collect()
        }
        (DeliveryStatus::Delivered, None) => {
            let sql = format!(
                "SELECT d.id, d.subscription, d.created, d.status = 'delivered' AND {ENDED} <= ?4 \
                 FROM deliveries d WHERE d.id BETWEEN ?1 AND ?2 ORDER BY d.id LIMIT ?3"
            );
            prepare(snapshot, &sql)?.query_map(params![from, to, most, made], read)?.collect()
        }
        (status @ (DeliveryStatus::Dead | DeliveryStatus::Discarded), None) => {
            let sql = format!(
                "SELECT {columns} FROM deliveries d INDEXED BY delivery_failed \
                 WHERE d.status IN ('dead', 'discarded') AND d.status = ?5 AND d.id BETWEEN ?1 AND ?2 \
                 ORDER BY d.id LIMIT ?3"
            );
            prepare(snapshot, &sql)?.query_map(params![from, to, most, made, status], read)?.collect()
        }
    }
}

/// Writes a job down.
#[derive(Debug)]
pub(super) struct Add(pub(super) NewJob);

impl Write for Add {
    type Out = Job;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Job> {
        let id = insert(batch, &self.0)?;
        one(batch.connection, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

/// Inserts a job; its end is where the log, or the deliveries, end at this moment.
pub(super) fn insert(batch: &Batch<'_, '_>, job: &NewJob) -> rusqlite::Result<JobId> {
    let NewJob { work, after, last, follows, created } = job;
    let newest = match work {
        JobWork::Retry { .. } => batch.last_delivery().0,
        JobWork::Replay { .. } | JobWork::Start { .. } | JobWork::CatchUp { .. } => batch.next_event().0 - 1,
    };
    let last = last.map_or(newest, |last| last.min(newest));
    let done = *after >= last && !follows;
    let json =
        serde_json::to_string(work).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    batch
        .connection
        .prepare_cached(
            "INSERT INTO jobs (work, subscription, state, created, ended, first, place, last, follows, examined, \
             done, failed, newest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, 0, 0, 0, ?9)",
        )?
        .execute(params![
            json,
            work.subscription(),
            if done { JobState::Finished } else { JobState::Running },
            clamp(*created),
            done.then(|| clamp(*created)),
            after,
            last,
            follows,
            batch.last_delivery().0,
        ])?;
    Ok(JobId(batch.connection.last_insert_rowid()))
}

/// What stands in the work of a job that catches up.
const CATCHES_UP: &str = "work ->> '$.kind' = 'catch-up'";

/// Cancels the jobs of a subscription that is not there any more. What stayed in the log for it waits as its open deliveries do.
pub(super) fn cancel_of(
    batch: &Batch<'_, '_>,
    subscription: &str,
    reason: &str,
    now: i64,
) -> rusqlite::Result<()> {
    cancel(batch, &format!("NOT {CATCHES_UP}"), subscription, reason, now)
}

/// Cancels the job of a subscription that catches up, where its open deliveries end too.
pub(super) fn give_up(
    batch: &mut Batch<'_, '_>,
    subscription: &str,
    reason: &str,
    now: i64,
) -> rusqlite::Result<()> {
    cancel(batch, CATCHES_UP, subscription, reason, now)?;
    batch.has_caught_up(subscription);
    Ok(())
}

fn cancel(
    batch: &Batch<'_, '_>,
    which: &str,
    subscription: &str,
    reason: &str,
    now: i64,
) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(&format!(
            "UPDATE jobs SET state = 'cancelled', reason = ?2, ended = max(created, ?3) \
             WHERE state = 'running' AND subscription = ?1 AND {which}"
        ))?
        .execute(params![subscription, reason, now])
        .map(drop)
}

/// The subscriptions for which events stay in the log.
pub(super) fn behind(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(&format!("SELECT subscription FROM jobs WHERE state = 'running' AND {CATCHES_UP}"))?
        .query_map((), |row| row.get(0))?
        .collect()
}

/// The last position that nobody is still to be given, if something has to stay in the log behind it.
pub(super) fn awaited(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT min(place) FROM jobs WHERE state = 'running' AND {CATCHES_UP}");
    connection.prepare_cached(&sql)?.query_row((), |row| row.get(0))
}

/// Ends a job.
#[derive(Debug)]
pub(super) struct End {
    pub(super) id: JobId,
    pub(super) state: JobState,
    pub(super) reason: String,
    pub(super) now: i64,
}

impl Write for End {
    type Out = Option<Job>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Option<Job>> {
        let ended = batch
            .connection
            .prepare_cached(
                "UPDATE jobs SET state = ?2, reason = ?3, ended = max(created, ?4) \
                 WHERE id = ?1 AND state = 'running'",
            )?
            .execute(params![self.id.0, self.state, self.reason, self.now])?;
        let job = one(batch.connection, self.id)?;
        // Of one that had ended before, another may have begun to catch up since.
        if ended > 0
            && let Some(JobWork::CatchUp { subscription }) = job.as_ref().map(|job| &job.work)
        {
            batch.has_caught_up(subscription);
        }
        Ok(job)
    }
}

/// A step of a job.
#[derive(Debug)]
pub(super) struct Step(pub(super) JobStep);

/// How many deliveries of each subscription this step has opened that the batch does not count.
type Opened = HashMap<String, u64>;

impl Write for Step {
    type Out = JobStepped;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<JobStepped> {
        let step = &self.0;
        let Some(mut job) = one(batch.connection, step.job)? else { return Ok(JobStepped::Stale) };
        if job.state != JobState::Running || job.place != step.from {
            return Ok(JobStepped::Stale);
        }
        let (mut subscriptions, mut full) = (BTreeSet::new(), None);
        let (mut to, mut examined) = (step.to, step.examined);
        let mut opened = Opened::new();
        for item in &step.items {
            match act(batch, &job, step, item, &mut opened)? {
                Acted::Done(subscription) => {
                    job.done += 1;
                    subscriptions.insert(subscription);
                }
                Acted::Failed => job.failed += 1,
                Acted::Nothing => {}
                Acted::Full(subscription) => {
                    full = Some(subscription);
                    if job.work.subscription().is_some() {
                        (to, examined) = (item.place - 1, item.examined.saturating_sub(1));
                        break;
                    }
                    job.left = Some(job.left.map_or(item.place, |left| left.min(item.place)));
                }
            }
        }
        (job.place, job.examined) = (to, job.examined + examined);
        if let Some(last) = step.last {
            (job.last, job.follows) = (last, false);
        }
        if let JobWork::CatchUp { subscription } = &job.work {
            // Nothing is put into the log beside this: from the next event on nothing stays there any more.
            job.last = batch.next_event().0 - 1;
            job.follows = job.place < job.last;
            if !job.follows {
                batch.has_caught_up(subscription);
            }
        }
        if job.place >= job.last && !job.follows {
            match job.left.take() {
                Some(left) => job.place = left - 1,
                None => {
                    job.state = JobState::Finished;
                    job.ended = Some(step.now.max(job.created));
                }
            }
        }
        write(batch, &job)?;
        let job = Box::new(job);
        Ok(JobStepped::Stepped { job, subscriptions: subscriptions.into_iter().collect(), full })
    }
}

fn write(batch: &Batch<'_, '_>, job: &Job) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE jobs SET state = ?2, ended = ?3, place = ?4, last = ?5, follows = ?6, left_at = ?7, \
             examined = ?8, done = ?9, failed = ?10 WHERE id = ?1",
        )?
        .execute(params![
            job.id.0,
            job.state,
            job.ended.map(clamp),
            job.place,
            job.last,
            job.follows,
            job.left,
            job.examined,
            job.done,
            job.failed,
        ])
        .map(drop)
}

/// What became of an item.
enum Acted {
    /// This subscription got a delivery.
    Done(String),
    Failed,
    /// There is nothing to do any more.
    Nothing,
    /// This subscription has no room.
    Full(String),
}

fn act(
    batch: &mut Batch<'_, '_>,
    job: &Job,
    step: &JobStep,
    item: &JobItem,
    opened: &mut Opened,
) -> rusqlite::Result<Acted> {
    match &item.action {
        JobAction::Fail => Ok(Acted::Failed),
        JobAction::Retry(id) => retry(batch, job, step, *id, opened),
        JobAction::Deliver { seq, subscription, lane, unless_after } => {
            if !is_wanted(batch, *seq, subscription, *unless_after)? {
                return Ok(Acted::Nothing);
            }
            if !has_room(batch, subscription, *seq, step.most_open, opened)? {
                return Ok(Acted::Full(subscription.clone()));
            }
            // A replay of what there is no delivery of is none again.
            let again = matches!(job.work, JobWork::Replay { missing: false, .. });
            let making = Making::Bulk { lane: lane.as_ref(), again };
            let names = std::slice::from_ref(subscription);
            let made = batch.insert_deliveries(*seq, names, clamp(step.now), making)?;
            // For one that is gone it is dead from the start.
            if made.is_empty() {
                return Ok(Acted::Nothing);
            }
            *opened.entry(subscription.clone()).or_default() += 1;
            Ok(Acted::Done(subscription.clone()))
        }
    }
}

fn retry(
    batch: &mut Batch<'_, '_>,
    job: &Job,
    step: &JobStep,
    id: DeliveryId,
    opened: &mut Opened,
) -> rusqlite::Result<Acted> {
    let found = batch
        .connection
        .prepare_cached("SELECT subscription, status, seq FROM deliveries WHERE id = ?1")?
        .query_row([id.0], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, DeliveryStatus>(1)?, EventSeq(row.get(2)?)))
        })
        .optional()?;
    let (Some((subscription, status, seq)), JobWork::Retry { status: wanted, .. }) = (found, &job.work)
    else {
        return Ok(Acted::Nothing);
    };
    if status != *wanted {
        return Ok(Acted::Nothing);
    }
    let is_new = status != DeliveryStatus::Pending;
    if is_new && !has_room(batch, &subscription, seq, step.most_open, opened)? {
        return Ok(Acted::Full(subscription));
    }
    match reschedule::reopen(batch, id, step.now, clamp(step.now))? {
        Retried::Due => {
            *opened.entry(subscription.clone()).or_default() += u64::from(is_new);
            Ok(Acted::Done(subscription))
        }
        Retried::Leased | Retried::Unknown => Ok(Acted::Nothing),
    }
}

/// Whether an event is there still and has no such delivery to the subscription.
fn is_wanted(
    batch: &Batch<'_, '_>,
    seq: EventSeq,
    subscription: &str,
    unless_after: Option<DeliveryId>,
) -> rusqlite::Result<bool> {
    let there = batch.connection.prepare_cached("SELECT 1 FROM events WHERE seq = ?1")?.exists([seq.0])?;
    let Some(after) = unless_after.filter(|_| there) else { return Ok(there) };
    let sql = "SELECT 1 FROM deliveries INDEXED BY delivery_event \
               WHERE seq = ?1 AND subscription = ?2 AND id > ?3";
    let has_one = batch.connection.prepare_cached(sql)?.exists(params![seq.0, subscription, after.0])?;
    Ok(!has_one)
}

fn has_room(
    batch: &mut Batch<'_, '_>,
    subscription: &str,
    seq: EventSeq,
    most_open: u64,
    opened: &Opened,
) -> rusqlite::Result<bool> {
    let more = opened.get(subscription).copied().unwrap_or_default();
    if batch.open_before(subscription) + more >= most_open {
        return Ok(false);
    }
    batch.has_room(subscription, seq)
}

/// Forgets jobs that ended long ago.
pub(super) fn forget(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM jobs WHERE state <> 'running' AND ended < ?1", [before])
}
