//! Outgoing calls.

use super::batch::Batch;
use super::job::Write;
use super::plan::prepare;
use super::reschedule::TOLERANCE;
use super::row::{clamp, time};
use crate::store::{
    CallAnswer, CallHead, CallQuery, CallWrite, DueCalls, EventSeq, Owner, Page, StoreError, StoredApi,
    StoredCall,
};
use anglerfish_core::call::{CallRequest, CallState};
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

struct State(CallState);

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let found = CallState::ALL.into_iter().find(|state| state.word() == word).map(Self);
        found.ok_or_else(|| FromSqlError::Other(format!("unknown state of a call {word:?}").into()))
    }
}

/// What was asked for, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    method: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    /// What its API had when it was made; earlier versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_field: Option<String>,
}

/// Of an answer what is kept beside its body.
#[derive(Debug, Serialize, Deserialize)]
struct AnswerHead {
    status: u16,
    headers: Vec<(String, String)>,
}

/// Columns for [`head`].
const HEAD: &str = "seq, id, api, key, revision, state, created, due, owner, ended, policy, request, records, \
     entries, planned";
/// Columns behind [`HEAD`] for [`whole`].
const REST: &str = "body, answer, answer_body";

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn head(row: &Row<'_>) -> rusqlite::Result<CallHead> {
    let Asked { method, path, headers, api_method, key_field } = json(row, 11)?;
    let millis = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<u64>>(column)?.map(UnixMillis));
    Ok(CallHead {
        seq: EventSeq(row.get(0)?),
        id: row.get(1)?,
        api: row.get(2)?,
        key: row.get(3)?,
        revision: row.get(4)?,
        state: row.get::<_, State>(5)?.0,
        created: time(row, 6)?,
        due: millis(7)?,
        planned: time(row, 14)?,
        owner: row.get::<_, Option<String>>(8)?.map(Owner::new),
        ended: millis(9)?,
        policy: row.get(10)?,
        request: CallRequest { method, path, headers, api_method, key_field },
        records: json(row, 12)?,
        entries: json(row, 13)?,
    })
}

fn whole(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    let answer = match row.get::<_, Option<Vec<u8>>>(17)? {
        None => None,
        Some(body) => {
            let AnswerHead { status, headers } = json(row, 16)?;
            Some(CallAnswer { status, headers, body: Bytes::from(body) })
        }
    };
    Ok(StoredCall { head: head(row)?, body: Bytes::from(row.get::<_, Vec<u8>>(15)?), answer })
}

/// See [`crate::store::CallStore::due_calls`].
pub(super) fn due(
    connection: &Connection,
    api: &str,
    now: UnixMillis,
    limit: usize,
) -> rusqlite::Result<DueCalls> {
    let snapshot = connection.unchecked_transaction()?;
    let sql = format!(
        "SELECT {HEAD}, {REST} FROM calls INDEXED BY call_due WHERE api = ?1 AND due <= ?2 ORDER BY due LIMIT ?3"
    );
    let calls = prepare(&snapshot, &sql)?
        .query_map(params![api, clamp(now), limit], whole)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let sql = "SELECT due FROM calls INDEXED BY call_due WHERE api = ?1 AND due IS NOT NULL ORDER BY due \
               LIMIT 1 OFFSET ?2";
    let next = prepare(&snapshot, sql)?
        .query_row(params![api, calls.len()], |row| row.get::<_, u64>(0))
        .optional()?;
    Ok(DueCalls { calls, next: next.map(UnixMillis) })
}

/// Those of which something was planned by a clock that has been put back since, at most so many.
pub(super) fn misplanned(connection: &Connection, now: i64, limit: usize) -> rusqlite::Result<Vec<EventSeq>> {
    let sql = "SELECT seq FROM calls INDEXED BY call_due WHERE due IS NOT NULL AND planned > ?1 LIMIT ?2";
    connection
        .prepare_cached(sql)?
        .query_map(params![now.saturating_add(TOLERANCE), limit], |row| row.get(0).map(EventSeq))?
        .collect()
}

/// Counts their waits anew.
#[derive(Debug)]
pub(super) struct Replan {
    pub(super) calls: Vec<EventSeq>,
    pub(super) now: i64,
}

impl Write for Replan {
    /// How many there were still.
    type Out = usize;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<usize> {
        let mut update = batch.connection.prepare_cached(
            "UPDATE calls SET due = ?2 + max(due - planned, 0), planned = ?2 \
             WHERE seq = ?1 AND due IS NOT NULL AND planned > ?3",
        )?;
        let mut planned = 0;
        for seq in &self.calls {
            planned += update.execute(params![seq.0, self.now, self.now.saturating_add(TOLERANCE)])?;
        }
        Ok(planned)
    }
}

/// One, by its id.
pub(super) fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<StoredCall>> {
    let sql = format!("SELECT {HEAD}, {REST} FROM calls WHERE id = ?1");
    prepare(connection, &sql)?.query_row([id], whole).optional()
}

/// One, by its key.
pub(super) fn of_key(connection: &Connection, api: &str, key: &str) -> rusqlite::Result<Option<StoredCall>> {
    let sql = format!("SELECT {HEAD}, {REST} FROM calls WHERE api = ?1 AND key = ?2");
    prepare(connection, &sql)?.query_row([api, key], whole).optional()
}

/// See [`crate::store::CallStore::calls`].
pub(super) fn list(connection: &Connection, query: &CallQuery) -> rusqlite::Result<Page<CallHead>> {
    let CallQuery { state, api, cursor, limit } = query;
    // The index by the API where one is named: few of its requests are left out by their state as a rule.
    let (index, condition) = match (api, state) {
        (Some(_), _) => ("INDEXED BY call_api", "api = ?1 AND (?2 IS NULL OR state = ?2) AND"),
        (None, Some(_)) => ("INDEXED BY call_state", "?1 IS NULL AND state = ?2 AND"),
        (None, None) => ("", "?1 IS NULL AND ?2 IS NULL AND"),
    };
    let sql =
        format!("SELECT {HEAD} FROM calls {index} WHERE {condition} seq < ?3 ORDER BY seq DESC LIMIT ?4");
    let before = cursor.map_or(i64::MAX, |seq| seq.0);
    let values = params![api, state.map(CallState::word), before, limit.saturating_add(1)];
    let mut items =
        prepare(connection, &sql)?.query_map(values, head)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = items.len() > *limit;
    items.truncate(*limit);
    Ok(Page { items, more })
}

/// How many have not ended, by API. Only those are looked at.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached(
            "SELECT api, count(*) FROM calls INDEXED BY call_due WHERE due IS NOT NULL GROUP BY api",
        )?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// What is known of APIs.
pub(super) fn apis(connection: &Connection) -> rusqlite::Result<Vec<StoredApi>> {
    connection
        .prepare_cached("SELECT name, settings, recorded FROM apis ORDER BY name")?
        .query_map((), |row| {
            Ok(StoredApi { name: row.get(0)?, settings: row.get(1)?, recorded: row.get(2)? })
        })?
        .collect()
}

/// A row that is ready to be written, so that the writer's thread does little.
#[derive(Debug)]
pub(super) struct PreparedCall {
    write: CallWrite,
    request: String,
    records: String,
    answer: Option<String>,
}

impl PreparedCall {
    pub(super) fn prepare(write: CallWrite) -> Result<Self, StoreError> {
        let json = |error: serde_json::Error| StoreError::Internal(format!("failed to write JSON: {error}"));
        let head = &write.call.head;
        let CallRequest { method, path, headers, api_method, key_field } = head.request.clone();
        let answer = write.call.answer.as_ref().map(|CallAnswer { status, headers, .. }| {
            serde_json::to_string(&AnswerHead { status: *status, headers: headers.clone() })
        });
        Ok(Self {
            request: serde_json::to_string(&Asked { method, path, headers, api_method, key_field })
                .map_err(json)?,
            records: serde_json::to_string(&head.records).map_err(json)?,
            answer: answer.transpose().map_err(json)?,
            write,
        })
    }

    /// Whether it may be written; nothing is written yet.
    pub(super) fn fits(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let CallHead { id, api, key, .. } = &self.write.call.head;
        match self.write.expected {
            None => {
                let sql = "SELECT 1 FROM calls WHERE id = ?1 UNION ALL SELECT 1 FROM calls WHERE api = ?2 AND key = ?3";
                Ok(!connection.prepare_cached(sql)?.exists(params![id, api, key])?)
            }
            Some(revision) => {
                let sql = "SELECT 1 FROM calls WHERE id = ?1 AND revision = ?2";
                connection.prepare_cached(sql)?.exists(params![id, revision])
            }
        }
    }

    /// Writes it, with the positions of this commit's entries.
    pub(super) fn write(&self, batch: &Batch<'_, '_>, seqs: &[EventSeq]) -> rusqlite::Result<()> {
        let CallWrite { call: StoredCall { head, body, answer }, expected } = &self.write;
        let entries: Vec<EventSeq> = head.entries.iter().chain(seqs).copied().collect();
        let entries = serde_json::to_string(&entries)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let (due, ended) = (head.due.map(clamp), head.ended.map(clamp));
        let owner = head.owner.as_ref().map(Owner::name);
        let answer_body = answer.as_ref().map(|answer| &*answer.body);
        if expected.is_some() {
            return batch
                .connection
                .prepare_cached(
                    "UPDATE calls SET revision = revision + 1, state = ?2, due = ?3, owner = ?4, ended = ?5, \
                     policy = ?6, records = ?7, entries = ?8, answer = ?9, answer_body = ?10, planned = ?11 WHERE id = ?1",
                )?
                .execute(params![
                    head.id,
                    head.state.word(),
                    due,
                    owner,
                    ended,
                    head.policy,
                    self.records,
                    entries,
                    self.answer,
                    answer_body,
                    clamp(head.planned)
                ])
                .map(drop);
        }
        batch
            .connection
            .prepare_cached(
                "INSERT INTO calls (seq, id, api, key, revision, state, created, due, owner, ended, policy, \
                 request, records, entries, body, answer, answer_body, planned) \
                 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?
            .execute(params![
                seqs.first().map(|seq| seq.0),
                head.id,
                head.api,
                head.key,
                head.state.word(),
                clamp(head.created),
                due,
                owner,
                ended,
                head.policy,
                self.request,
                self.records,
                entries,
                &**body,
                self.answer,
                answer_body,
                clamp(head.planned)
            ])
            .map(drop)
    }

    /// Roughly how many bytes it adds.
    pub(super) fn weight(&self) -> usize {
        let answer = self.write.call.answer.as_ref().map_or(0, |answer| answer.body.len());
        self.write.call.body.len() + self.request.len() + self.records.len() + answer
    }
}

/// Writes what is known of an API.
pub(super) fn put_api(connection: &Connection, api: &StoredApi) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO apis (name, settings, recorded) VALUES (?1, ?2, ?3)")?
        .execute(params![api.name, api.settings, api.recorded])
        .map(drop)
}

/// Whoever made attempts before this file was opened is gone, since only one process has it: what is under way is nobody's.
pub(super) fn disown(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE calls SET due = 0 WHERE owner IS NOT NULL", ()).map(drop)
}

/// Forgets some requests that ended long ago; says how many.
pub(super) fn forget(connection: &Connection, before: i64, limit: i64) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls INDEXED BY call_ended \
             WHERE ended IS NOT NULL AND ended < ?1 AND due IS NULL LIMIT ?2)",
        )?
        .execute(params![before, limit])
}
