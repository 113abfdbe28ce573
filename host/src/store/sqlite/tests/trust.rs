//! What must not happen whatever is done to the files or to the thread.

use super::*;
use crate::store::sqlite::batch::Batch;
use crate::store::sqlite::job::Write;
use crate::store::{DeliveryStatus, EventQuery, Retried};

#[cfg(unix)]
#[tokio::test]
async fn acknowledges_nothing_once_a_file_is_gone_or_another_and_says_which() {
    for (part, how) in
        [("", "removed"), ("-wal", "removed"), ("-shm", "removed"), ("", "replaced"), ("", "linked")]
    {
        let room = StoreDirectory::new();
        let store = room.open();
        put(&store, "before", &["one"]).await;
        let name = format!("{}{part}", room.file().display());
        std::fs::rename(&name, format!("{name}.away")).unwrap();
        if how == "replaced" {
            std::fs::write(&name, "another").unwrap();
        }
        // The same file, by a link: at the next start its log is looked for beside what the link leads to.
        if how == "linked" {
            std::os::unix::fs::symlink(format!("{name}.away"), &name).unwrap();
        }
        let how = if how == "linked" { "replaced" } else { how };
        for round in 0..2 {
            match store.commit(accept(&format!("late-{round}"), &["one"])).await {
                Err(StoreError::Lost(text)) => {
                    assert!(text.contains(how) && text.contains("start the gateway again"), "{text}");
                }
                other => panic!("{part} {how}: {other:?}"),
            }
            assert!(matches!(store.check().await, Err(StoreError::Lost(_))));
        }
        // Whoever puts it back in time has lost nothing.
        std::fs::rename(format!("{name}.away"), &name).unwrap();
        store.check().await.unwrap();
        put(&store, "after", &["one"]).await;
    }
}

/// Cuts a file of the database to a part of its length.
fn cut(room: &StoreDirectory, part: &str, to: impl Fn(u64) -> u64) {
    let name = format!("{}{part}", room.file().display());
    let file = std::fs::OpenOptions::new().write(true).open(name).unwrap();
    file.set_len(to(file.metadata().unwrap().len())).unwrap();
}

#[tokio::test]
async fn acknowledges_nothing_once_a_file_was_cut_short() {
    for part in ["", "-wal", "-shm"] {
        for percent in [0, 30, 50] {
            let room = StoreDirectory::new();
            let store = room.open();
            for number in 0..100 {
                put(&store, &format!("before-{number}"), &["one"]).await;
            }
            cut(&room, part, |size| size * percent / 100);
            for round in 0..2 {
                match store.commit(accept(&format!("late-{round}"), &["one"])).await {
                    Err(StoreError::Lost(text)) => assert!(text.contains("was cut short"), "{text}"),
                    other => panic!("{part} {percent}: {other:?}"),
                }
            }
            assert!(matches!(store.check().await, Err(StoreError::Lost(_))));
        }
    }
}

#[tokio::test]
async fn notices_a_log_that_was_emptied_and_has_its_length_again() {
    let room = StoreDirectory::new();
    let store = room.open();
    for number in 0..100 {
        put(&store, &format!("before-{number}"), &["one"]).await;
    }
    let name = format!("{}-wal", room.file().display());
    let length = std::fs::metadata(&name).unwrap().len();
    cut(&room, "-wal", |_| 0);
    cut(&room, "-wal", |_| length);
    match store.commit(accept("late", &["one"])).await {
        Err(StoreError::Lost(text)) => assert!(text.contains("was overwritten"), "{text}"),
        other => panic!("{other:?}"),
    }
    // What it holds in its place of pages is not written over the database when the store is closed.
    let before = std::fs::read(room.file()).unwrap();
    store.close().await;
    drop(store);
    assert!(std::fs::read(room.file()).unwrap() == before);
}

#[tokio::test]
async fn what_an_operators_tool_does_by_sqlites_own_means_is_no_loss() {
    let room = StoreDirectory::new();
    let store = room.open();
    for number in 0..50 {
        let mut commit = accept(&format!("big-{number}"), &["one"]);
        commit.events[0].data = vec![b'x'; 100_000].into();
        let (_, deliveries) = committed(store.commit(commit).await.unwrap());
        store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap();
    }
    let tool = room.tool();
    let checkpoint = |mode: &str| {
        tool.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| row.get::<_, i64>(0)).unwrap()
    };
    for mode in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        assert_eq!(checkpoint(mode), 0);
        put(&store, mode, &["one"]).await;
        store.check().await.unwrap();
    }
    let size = || std::fs::metadata(room.file()).unwrap().len();
    while store.expire(later(1), 10).await.unwrap() > 0 {}
    let before = size();
    tool.execute_batch("VACUUM").unwrap();
    assert_eq!(checkpoint("TRUNCATE"), 0);
    assert!(size() < before / 2, "{before}");
    store.check().await.unwrap();
    put(&store, "after", &["one"]).await;
}

#[tokio::test]
async fn a_log_whose_database_is_gone_is_not_thrown_away() {
    let room = StoreDirectory::new();
    let copy = tempfile::tempdir().unwrap();
    let store = room.open();
    put(&store, "before", &["one"]).await;
    let kept = copy.path().join("log");
    std::fs::copy(format!("{}-wal", room.file().display()), &kept).unwrap();
    store.close().await;
    drop(store);
    std::fs::copy(&kept, format!("{}-wal", room.file().display())).unwrap();
    for gone in [false, true] {
        if gone {
            std::fs::remove_file(room.file()).unwrap();
        } else {
            cut(&room, "", |_| 0);
        }
        match SqliteStore::open(&room.file(), SqliteOptions::default()) {
            Err(StoreError::Unusable(text)) => assert!(text.contains("its log is not"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert!(std::fs::metadata(format!("{}-wal", room.file().display())).unwrap().len() > 0);
    }
}

#[cfg(unix)]
#[test]
fn a_link_or_a_removed_lock_file_lets_no_second_gateway_in() {
    let room = StoreDirectory::new();
    let _store = room.open();
    let directory = room.file().parent().unwrap().to_owned();
    std::os::unix::fs::symlink(room.file(), directory.join("soft.db")).unwrap();
    std::fs::hard_link(room.file(), directory.join("hard.db")).unwrap();
    std::fs::remove_file(directory.join("anglerfish.db.lock")).unwrap();
    for name in ["soft.db", "hard.db", "anglerfish.db"] {
        match SqliteStore::open(&directory.join(name), SqliteOptions::default()) {
            Err(StoreError::Unusable(text)) => assert!(text.contains("in use by another gateway"), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A fault that cannot be had otherwise.
#[derive(Debug)]
struct Panic;

impl Write for Panic {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        batch.connection.execute("DELETE FROM events", ())?;
        panic!("a fault in the writer");
    }
}

#[tokio::test]
async fn a_panic_of_the_writer_undoes_its_transaction_and_the_next_one_is_written() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, deliveries) = put(&store, "a", &["one"]).await;
    for round in 0..3 {
        assert!(matches!(store.write_for_test(Panic).await, Err(StoreError::Internal(_))));
        store.check().await.unwrap();
        let (next, _) = put(&store, &format!("b{round}"), &["one"]).await;
        assert_eq!(next.0, seq.0 + 1 + round);
    }
    assert_eq!(store.event("a").await.unwrap().len(), 1);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 4)]);
    assert_eq!(
        store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap(),
        Recorded::Recorded
    );
}

#[tokio::test]
async fn a_delivery_that_is_retried_by_hand_is_kept_as_long_as_any_other_from_its_new_end_on() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (_, deliveries) = put(&store, "a", &["one"]).await;
    let id = deliveries[0].id;
    store.settle_now(settlement(id, Settled::Dead)).await.unwrap();
    // A week later.
    let week = 7 * 24 * 3_600_000;
    assert_eq!(store.retry(id, later(week)).await.unwrap(), Retried::Due);
    while store.expire(later(week), 10).await.unwrap() > 0 {}
    assert_eq!(store.delivery(id).await.unwrap().unwrap().0.status, DeliveryStatus::Pending);
    let leased = store.lease_some("one", later(week), 1).await;
    let settlement = Settlement {
        lease: leased[0].lease(),
        attempt: settlement(id, Settled::Dead).attempt,
        settled: Settled::Dead,
        now: later(week + 5),
    };
    store.record(vec![settlement]).await.unwrap();
    while store.expire(later(week + 5), 10).await.unwrap() > 0 {}
    let (delivery, attempts) = store.delivery(id).await.unwrap().unwrap();
    assert_eq!((delivery.ended, attempts.len()), (Some(later(week + 5)), 2));
    while store.expire(later(week + 6), 10).await.unwrap() > 0 {}
    assert!(store.delivery(id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_under_load_leaves_no_open_delivery_for_nobody() {
    let room = StoreDirectory::new();
    let store = room.open();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for round in 0..20 {
                    let commit = accept(&format!("{task}-{round}"), &["one", "two"]);
                    let (_, deliveries) = committed(store.commit(commit).await.unwrap());
                    store.release(&leases(&deliveries)).await.unwrap();
                }
            })
        })
        .collect();
    let ended = store.abandon("one", "the subscription was deleted", NOW).await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.backlog().await.unwrap(), [("two".to_owned(), 160)]);
    assert!(ended <= 160);
    let log = store.events(EventQuery { limit: 1000, ..EventQuery::default() }).await.unwrap();
    assert!(log.items.iter().all(|event| event.deliveries == 2), "none of them is silent");
}

#[tokio::test]
async fn a_store_that_is_full_says_so_and_goes_on_when_there_is_room() {
    let room = StoreDirectory::new();
    let store = room.open_with(SqliteOptions { max_pages: Some(100), ..SqliteOptions::default() });
    let mut commit = accept("big", &["one"]);
    commit.events[0].data = vec![b'x'; 1 << 20].into();
    for _ in 0..3 {
        assert!(matches!(store.commit(commit.clone()).await, Err(StoreError::Unavailable(_))));
    }
    put(&store, "small", &["one"]).await;
    store.check().await.unwrap();
}
