use super::*;
use crate::store::{Commit, NewEvent, RetentionStore, SqliteOptions, SqliteStore, Store};
use anglerfish_core::event::Event;
use bytes::Bytes;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn open(directory: &tempfile::TempDir) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(&directory.path().join("store.db"), SqliteOptions::default()).unwrap())
}

async fn append(store: &SqliteStore, id: &str, received: UnixMillis) {
    let event = Event {
        id: id.to_owned(),
        source: "shop".to_owned(),
        kind: "order.created".to_owned(),
        time: NOW,
        ..Event::default()
    };
    let new = NewEvent::new(event, Bytes::from(id.to_owned()), received);
    store.commit(Commit { events: vec![new], ..Commit::new(received) }).await.unwrap();
}

fn ids(entries: &[LogEntry]) -> Vec<&str> {
    entries.iter().map(|entry| &entry.event.id[..]).collect()
}

#[tokio::test]
async fn a_cursor_reads_what_is_there_and_then_waits_for_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let log = Log::new(store.clone());
    append(&store, "a", NOW).await;
    append(&store, "b", NOW).await;
    let mut cursor = log.cursor(EventSeq(0), ReadLimits { entries: 1, ..ReadLimits::default() });
    assert_eq!(ids(&cursor.next().await.unwrap()), ["a"]);
    assert_eq!(ids(&cursor.next().await.unwrap()), ["b"]);
    // A wait that is dropped skips nothing.
    assert!(tokio::time::timeout(Duration::from_millis(20), cursor.next()).await.is_err());
    let waiting = tokio::spawn(async move {
        let entries = cursor.next().await.unwrap();
        (cursor.position(), entries)
    });
    append(&store, "c", NOW).await;
    let (position, entries) = waiting.await.unwrap();
    assert_eq!((position, ids(&entries)), (EventSeq(3), vec!["c"]));
}

#[tokio::test]
async fn a_cursor_that_is_behind_the_retention_says_so_and_goes_on_where_the_log_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let log = Log::new(store.clone());
    for (id, received) in [("a", 0), ("b", 0), ("c", 100)] {
        append(&store, id, UnixMillis(NOW.0 + received)).await;
    }
    let mut cursor = log.cursor(EventSeq(1), ReadLimits::default());
    while store.expire(UnixMillis(NOW.0 + 50), 10).await.unwrap() > 0 {}
    let oldest = match cursor.next().await {
        Err(ReadError::Gap { after, oldest }) => {
            assert_eq!((after, oldest), (EventSeq(1), EventSeq(3)));
            oldest
        }
        other => panic!("{other:?}"),
    };
    cursor.skip(oldest);
    assert_eq!(ids(&cursor.next().await.unwrap()), ["c"]);
    let after = log.at(UnixMillis(NOW.0 + 100)).await.unwrap();
    assert_eq!(ids(&log.read(after, 9, 99).await.unwrap()), ["c"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_has_seen_a_position_never_sees_a_lower_one_appear() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..25 {
                    append(&store, &format!("{writer}-{round}"), NOW).await;
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut cursor = Log::new(store.clone()).cursor(EventSeq(0), ReadLimits::default());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < 200 {
                    seen.extend(cursor.next().await.unwrap().iter().map(|entry| entry.seq.0));
                }
                seen
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (1..=200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_waiting_cursor_ends_when_the_store_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let mut cursor = Log::new(store.clone()).cursor(EventSeq(0), ReadLimits::default());
    let waiting = tokio::spawn(async move { cursor.next().await });
    tokio::task::yield_now().await;
    store.close().await;
    assert!(matches!(waiting.await.unwrap(), Err(ReadError::Store(_))));
}
