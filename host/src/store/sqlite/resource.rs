//! Resources, and who subscribed to them.

use super::batch::Batch;
use super::job::Write;
use super::plan::prepare;
use super::reschedule::reopen;
use super::row::{clamp, time};
use crate::store::{DeliveryId, Retried, StoredFollower, StoredResource};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::{DOCUMENT_KEY, DOCUMENTS_SOURCE, HOLDING_KEY, holding_key};
use anglerfish_core::router::{DELETED, FormerFilter};
use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

const FOLLOWER: &str =
    "SELECT subscription, resource, generation, created, backfilled, filter_since, former FROM followers";

/// All resources, in the order in which they were made.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredResource>> {
    connection
        .prepare_cached("SELECT id, document, created, declared FROM resources ORDER BY created, id")?
        .query_map((), |row| {
            Ok(StoredResource {
                id: row.get(0)?,
                document: row.get(1)?,
                created: time(row, 2)?,
                declared: row.get(3)?,
            })
        })?
        .collect()
}

/// All subscribers, in the order in which they subscribed.
pub(super) fn followers(connection: &Connection) -> rusqlite::Result<Vec<StoredFollower>> {
    connection
        .prepare_cached(&format!("{FOLLOWER} ORDER BY created, generation, subscription"))?
        .query_map((), follower)?
        .collect()
}

/// One subscriber.
pub(super) fn follower_of(
    connection: &Connection,
    subscription: &str,
) -> rusqlite::Result<Option<StoredFollower>> {
    connection
        .prepare_cached(&format!("{FOLLOWER} WHERE subscription = ?1"))?
        .query_row([subscription], follower)
        .optional()
}

/// The subscribers of a resource. A generation is greater than all before it and is 0 for those that were told of everything, so
/// that the index finds them and the time at which they subscribed orders them.
pub(super) fn followers_of(
    connection: &Connection,
    resource: &str,
    offset: usize,
    limit: usize,
) -> rusqlite::Result<Vec<StoredFollower>> {
    let sql = format!(
        "{FOLLOWER} INDEXED BY follower_resource WHERE resource = ?1 \
         ORDER BY created, generation, subscription LIMIT ?2 OFFSET ?3"
    );
    let bound = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![resource, bound(limit), bound(offset)], follower)?
        .collect()
}

/// How many a resource has.
pub(super) fn count_followers(connection: &Connection, resource: &str) -> rusqlite::Result<usize> {
    let sql = "SELECT count(*) FROM followers INDEXED BY follower_resource WHERE resource = ?1";
    let count: i64 = connection.prepare_cached(sql)?.query_row([resource], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Those that are being told of what was there before.
pub(super) fn backfilling(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT subscription FROM followers WHERE backfilled IS NOT NULL ORDER BY created, generation",
        )?
        .query_map((), |row| row.get(0))?
        .collect()
}

fn follower(row: &Row<'_>) -> rusqlite::Result<StoredFollower> {
    Ok(StoredFollower {
        subscription: row.get(0)?,
        resource: row.get(1)?,
        generation: row.get(2)?,
        created: time(row, 3)?,
        backfilled: row.get(4)?,
        filter_since: row.get(5)?,
        former: json(row, 6)?,
    })
}

/// A value that is kept as JSON.
fn json<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// Keys with a beginning behind one of them.
pub(super) fn keys_behind(
    connection: &Connection,
    prefix: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<(String, Bytes)>> {
    // Of two bounds SQLite would look up one, and go through all that lies between them.
    let sql = "SELECT key, value FROM keys WHERE key >= max(?1, ?2) AND key <> ?2 ORDER BY key LIMIT ?3";
    let mut statement = prepare(connection, sql)?;
    let mut rows = statement.query(params![prefix, after, limit])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        keys.push((key, Bytes::from(row.get::<_, Vec<u8>>(1)?)));
    }
    Ok(keys)
}

/// Writes or replaces one.
#[derive(Debug)]
pub(super) struct Put(pub(super) StoredResource);

impl Write for Put {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        let StoredResource { id, document, created, declared } = &self.0;
        let sql = "INSERT INTO resources (id, document, created, declared) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET document = excluded.document, declared = excluded.declared";
        let mut put = batch.connection.prepare_cached(sql)?;
        put.execute(params![id, document, clamp(*created), declared]).map(drop)
    }
}

/// Deletes one with its documents.
#[derive(Debug)]
pub(super) struct Delete(pub(super) String);

impl Write for Delete {
    /// Whether it was there.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        let mut delete = batch.connection.prepare_cached("DELETE FROM resources WHERE id = ?1")?;
        let deleted = delete.execute([&self.0])? > 0;
        delete_below(batch.connection, &format!("{DOCUMENT_KEY}/{}/", self.0))?;
        Ok(deleted)
    }
}

/// Deletes the keys with a beginning that ends with a slash.
fn delete_below(connection: &Connection, prefix: &str) -> rusqlite::Result<()> {
    // The next character behind the slash ends them.
    let end = format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix));
    connection
        .prepare_cached("DELETE FROM keys WHERE key >= ?1 AND key < ?2")?
        .execute(params![prefix, end])
        .map(drop)
}

/// Notes a subscriber.
#[derive(Debug)]
pub(super) struct Enrol {
    pub(super) subscription: String,
    pub(super) resource: String,
    pub(super) backfill: bool,
    pub(super) filter: Option<String>,
    pub(super) now: UnixMillis,
}

impl Write for Enrol {
    type Out = StoredFollower;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<StoredFollower> {
        let connection = batch.connection;
        match follower_of(connection, &self.subscription)? {
            Some(known) if known.resource == self.resource => return self.refilter(connection, known),
            Some(_) => dismiss(connection, &self.subscription)?,
            None => {}
        }
        let generation = next_generation(connection)?;
        let backfilled = self.backfill.then(String::new);
        let filter = text(&self.filter)?;
        connection
            .prepare_cached(
                "INSERT INTO followers (subscription, resource, generation, created, backfilled, filter, since) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.subscription,
                self.resource,
                generation,
                clamp(self.now),
                backfilled,
                filter,
                batch.next_event().0 - 1
            ])?;
        Ok(StoredFollower {
            subscription: self.subscription.clone(),
            resource: self.resource.clone(),
            generation,
            created: self.now,
            filter_since: 0,
            former: Vec::new(),
            backfilled,
        })
    }
}

impl Enrol {
    /// Notes which filter one has that is there, if it is another.
    fn refilter(&self, connection: &Connection, known: StoredFollower) -> rusqlite::Result<StoredFollower> {
        let before: Option<String> = connection
            .prepare_cached("SELECT filter FROM followers WHERE subscription = ?1")?
            .query_row([&self.subscription], |row| row.get(0))?;
        let filter = text(&self.filter)?;
        if before.as_ref() == Some(&filter) {
            return Ok(known);
        }
        let mut noted = known;
        if let Some(before) = before {
            let until = next_generation(connection)?;
            let before = serde_json::from_str(&before).map_err(unwritable)?;
            noted.former.push(FormerFilter { until, filter: before });
            noted.filter_since = until;
            noted.backfilled = Some(StoredFollower::begun_anew(noted.backfilled.as_deref()).to_owned());
        }
        let sql = "UPDATE followers SET filter = ?2, filter_since = ?3, former = ?4, backfilled = ?5 \
             WHERE subscription = ?1";
        connection.prepare_cached(sql)?.execute(params![
            self.subscription,
            filter,
            noted.filter_since,
            text(&noted.former)?,
            noted.backfilled
        ])?;
        Ok(noted)
    }
}

/// A number that is greater than all before.
fn next_generation(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("UPDATE sequence SET last = last + 1 WHERE name = 'generation' RETURNING last")?
        .query_row((), |row| row.get(0))
}

fn text(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// Notes how far one was told of what is there.
#[derive(Debug)]
pub(super) struct Backfilled {
    pub(super) subscription: String,
    pub(super) filter_since: u64,
    pub(super) place: Option<String>,
}

impl Write for Backfilled {
    /// Whether it was there with this filter.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        // Who was looked at by another filter alone was not told of what was there before it subscribed.
        let sql = "UPDATE followers SET backfilled = ?3, \
             generation = CASE WHEN ?3 IS NULL AND coalesce(substr(backfilled, 1, length(?4)) <> ?4, 1) THEN 0 \
             ELSE generation END, \
             former = CASE WHEN ?3 IS NULL THEN '[]' ELSE former END \
             WHERE subscription = ?1 AND filter_since = ?2";
        let mut update = batch.connection.prepare_cached(sql)?;
        let parameters =
            params![self.subscription, self.filter_since, self.place, StoredFollower::REFILTERED];
        Ok(update.execute(parameters)? > 0)
    }
}

/// Forgets one.
#[derive(Debug)]
pub(super) struct Dismiss(pub(super) String);

impl Write for Dismiss {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        dismiss(batch.connection, &self.0)
    }
}

/// Forgets a subscriber and what it had.
pub(super) fn dismiss(connection: &Connection, subscription: &str) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM followers WHERE subscription = ?1")?;
    if delete.execute([subscription])? > 0 {
        delete_below(connection, &format!("{HOLDING_KEY}/{subscription}/"))?;
    }
    Ok(())
}

/// Whether a delivery that was given up is all that is left to tell its subscriber of a document: it is the newest of them, nothing of
/// its document was told since, and what the subscriber has is written down. It stays for as long as that does.
pub(super) fn is_owed(connection: &Connection, delivery: DeliveryId) -> rusqlite::Result<bool> {
    let sql = "SELECT d.subscription, e.subject FROM deliveries d CROSS JOIN events e ON e.seq = d.seq \
         CROSS JOIN followers f ON f.subscription = d.subscription \
         WHERE d.id = ?1 AND d.status = 'dead' AND d.lane IS NOT NULL AND d.outlived = 0 \
         AND e.source = ?2 AND e.subject IS NOT NULL AND d.seq > f.since AND NOT EXISTS \
         (SELECT 1 FROM deliveries o INDEXED BY delivery_dead WHERE o.status = 'dead' AND o.lane = d.lane \
         AND o.subscription = d.subscription AND o.outlived = 0 AND o.id > d.id)";
    let found: Option<(String, String)> = prepare(connection, sql)?
        .query_row(params![delivery.0, DOCUMENTS_SOURCE], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((subscription, url)) = found else { return Ok(false) };
    prepare(connection, "SELECT 1 FROM keys WHERE key = ?1")?.exists([holding_key(&subscription, &url)])
}

/// Makes deliveries due again that were given up: of each subscriber of a resource the newest with this ordering key.
#[derive(Debug)]
pub(super) struct ReviveDocument {
    pub(super) lane: String,
    pub(super) now: UnixMillis,
}

impl Write for ReviveDocument {
    /// The subscriptions that have one.
    type Out = Vec<String>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT d.subscription, max(d.id), d.lane FROM deliveries d INDEXED BY delivery_dead \
             CROSS JOIN followers f ON f.subscription = d.subscription CROSS JOIN events e ON e.seq = d.seq \
             WHERE d.status = 'dead' AND d.lane = ?1 AND e.source = ?2 AND d.seq > f.since \
             GROUP BY d.subscription";
        let parameters = params![self.lane, DOCUMENTS_SOURCE];
        revive(batch, sql, parameters, self.now)
    }
}

/// The same of one subscriber: of each ordering key the newest that tells of an end.
#[derive(Debug)]
pub(super) struct ReviveEnds {
    pub(super) subscription: String,
    pub(super) now: UnixMillis,
}

impl Write for ReviveEnds {
    type Out = Vec<String>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT d.subscription, max(d.id), d.lane FROM deliveries d JOIN events e ON e.seq = d.seq \
             WHERE d.subscription = ?1 AND d.due IS NULL AND d.status = 'dead' AND d.lane IS NOT NULL \
             AND e.source = ?2 AND e.type = ?3 \
             AND d.seq > coalesce((SELECT since FROM followers WHERE subscription = ?1), 0) GROUP BY d.lane";
        let parameters = params![self.subscription, DOCUMENTS_SOURCE, DELETED];
        revive(batch, sql, parameters, self.now)
    }
}

fn revive(
    batch: &mut Batch<'_, '_>,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
    now: UnixMillis,
) -> rusqlite::Result<Vec<String>> {
    let found: Vec<(String, i64, String)> = batch
        .connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut revived = Vec::new();
    for (subscription, id, lane) in found {
        // One that is open tells all that there is to tell, but for what there was no room for: that is looked for again.
        if batch.has_open(&subscription, &lane)? {
            batch.backlog.look_again(&lane);
            continue;
        }
        if reopen(batch, DeliveryId(id), now, clamp(now))? == Retried::Due {
            revived.push(subscription);
        }
    }
    revived.dedup();
    Ok(revived)
}
