use super::*;
use crate::store::EventQuery;
use std::collections::BTreeMap;

#[tokio::test]
async fn keeps_an_event_byte_for_byte_with_its_deliveries_and_keys() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    let data = Bytes::from((0..=255).collect::<Vec<u8>>());
    let mut commit = accept("a", &["one", "two"]);
    commit.events[0].data = data.clone();
    commit.events[0].event.time = UnixMillis(u64::MAX);
    let expected = commit.events[0].clone();

    let (seq, deliveries) = committed(store.commit(commit).await.unwrap());

    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[1].subscription, "two");
    assert_eq!((deliveries[0].seq, &deliveries[0].data, deliveries[0].attempts), (seq, &data, 0));
    assert_eq!(store.data(seq).await.unwrap().unwrap(), data);
    let records = store.event("a").await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].event, expected.event);
    assert_eq!(records[0].request, expected.request);
    assert_eq!((records[0].size, records[0].deliveries, records[0].received), (256, 2, NOW));
    assert_eq!(keys.get(&key("a")).unwrap().unwrap(), "1");
    assert_eq!(keys.get("another").unwrap(), None);
    assert_eq!(store.data(EventSeq(99)).await.unwrap(), None);
}

#[tokio::test]
async fn finds_everything_again_after_a_restart_without_a_close() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, deliveries) = put(&store, "a", &["one"]).await;
    store.settle_now(settlement(deliveries[0].id, Settled::Retry(later(5000)))).await.unwrap();
    drop(store);

    let store = room.open();
    assert_eq!(store.next_due("one").await, Some(later(5000)));
    assert!(store.lease_some("one", later(4999), 10).await.is_empty());
    let leased = store.lease_some("one", later(5000), 10).await;
    assert_eq!((leased[0].seq, leased[0].attempts, &leased[0].event.id[..]), (seq, 1, "a"));
    assert_eq!(leased[0].data, "{\"id\":\"a\"}");
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 1)]);
    let (next, _) = put(&store, "b", &[]).await;
    assert!(next > seq);
}

#[tokio::test]
async fn says_conflict_and_writes_nothing_when_a_key_has_changed() {
    let room = StoreDirectory::new();
    let store = room.open();
    store.commit(keys_only(&[], &[("n", Some("1"))])).await.unwrap();
    let mut commit = accept("a", &["one"]);
    commit.keys.reads.push(("n".to_owned(), Some(Bytes::from_static(b"0"))));
    commit.keys.writes.push(("m".to_owned(), Some(Bytes::from_static(b"x"))));

    assert!(matches!(store.commit(commit.clone()).await.unwrap(), CommitOutcome::Conflict));

    let keys = store.key_reader().unwrap();
    assert_eq!(keys.get("m").unwrap(), None);
    assert_eq!(keys.get(&key("a")).unwrap(), None);
    assert!(store.event("a").await.unwrap().is_empty());
    assert!(store.backlog().await.unwrap().is_empty());
    commit.keys.reads[1].1 = Some(Bytes::from_static(b"1"));
    let (seq, _) = committed(store.commit(commit).await.unwrap());
    assert_eq!(seq, EventSeq(1));
}

#[tokio::test]
async fn takes_a_decision_out_again_when_its_last_new_key_exists_already() {
    let room = StoreDirectory::new();
    let store = room.open();
    store.commit(keys_only(&[], &[("taken", Some("1"))])).await.unwrap();
    let mut commit = accept("a", &["one"]);
    for key in ["free", "taken"] {
        commit.keys.reads.push((key.to_owned(), None));
        commit.keys.writes.push((key.to_owned(), Some(Bytes::from_static(b"x"))));
    }

    assert!(matches!(store.commit(commit).await.unwrap(), CommitOutcome::Conflict));

    let keys = store.key_reader().unwrap();
    assert_eq!(keys.get("free").unwrap(), None);
    assert_eq!(keys.get("taken").unwrap().unwrap(), "1");
    assert!(store.event("a").await.unwrap().is_empty());
    assert_eq!(put(&store, "a", &["one"]).await.0, EventSeq(1));
}

#[tokio::test]
async fn refuses_a_second_event_of_the_same_source_and_id_even_without_a_key() {
    let room = StoreDirectory::new();
    let store = room.open();
    put(&store, "a", &["one"]).await;
    let again = Commit { events: vec![event("a", &["one"])], ..Commit::new(NOW) };
    assert!(matches!(store.commit(again).await.unwrap(), CommitOutcome::Conflict));
    let mut other = event("a", &[]);
    other.event.source = "forge".to_owned();
    let other = Commit { events: vec![other], ..Commit::new(NOW) };
    committed(store.commit(other).await.unwrap());
    assert_eq!(store.event("a").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_exactly_one_of_many_that_write_the_same_new_key() {
    let room = StoreDirectory::new();
    let store = room.open();
    for round in 0..10 {
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let store = Arc::clone(&store);
                // Different events, so that only the key can tell.
                let mut commit = accept(&format!("{round}-{task}"), &["one"]);
                commit.keys.reads[0].0 = format!("shared-{round}");
                commit.keys.writes[0].0 = format!("shared-{round}");
                tokio::spawn(async move { store.commit(commit).await.unwrap() })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += usize::from(matches!(task.await.unwrap(), CommitOutcome::Committed { .. }));
        }
        assert_eq!(won, 1);
    }
    let log = store.events(EventQuery { limit: 100, ..EventQuery::default() }).await.unwrap();
    assert_eq!(log.items.len(), 10);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 10)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn loses_no_increment_when_many_count_with_the_same_key() {
    let room = StoreDirectory::new();
    let store = room.open();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let keys = store.key_reader().unwrap();
                for _ in 0..10 {
                    loop {
                        let seen = keys.get("n").unwrap();
                        let count: u32 = seen
                            .as_ref()
                            .map_or(0, |seen| std::str::from_utf8(seen).unwrap().parse().unwrap());
                        let seen = seen.map(|seen| String::from_utf8(seen.to_vec()).unwrap());
                        let next = (count + 1).to_string();
                        let commit = keys_only(&[("n", seen.as_deref())], &[("n", Some(&next))]);
                        if matches!(store.commit(commit).await.unwrap(), CommitOutcome::Committed { .. }) {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.key_reader().unwrap().get("n").unwrap().unwrap(), "160");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_only_when_another_connection_can_see_the_commit() {
    let room = StoreDirectory::new();
    let store = room.open();
    let path = room.file();
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let (store, path) = (Arc::clone(&store), path.clone());
            tokio::spawn(async move {
                let tool = rusqlite::Connection::open(path).unwrap();
                for round in 0..5 {
                    let id = format!("{task}-{round}");
                    let (seq, deliveries) = put(&store, &id, &["one"]).await;
                    let seen: (String, i64) = tool
                        .query_row(
                            "SELECT e.id, d.id FROM events e JOIN deliveries d USING (seq) WHERE seq = ?1",
                            [seq.0],
                            |row| Ok((row.get(0)?, row.get(1)?)),
                        )
                        .unwrap();
                    assert_eq!(seen, (id, deliveries[0].id.0));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn treats_keys_like_a_map_whatever_is_read_and_written() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    // A small generator with a fixed start: the same steps every time.
    let mut state = 7_u32;
    let mut random = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % bound
    };
    for step in 0..400 {
        let mut reads = Vec::new();
        let mut writes: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut stale = false;
        for _ in 0..random(4) {
            let name = format!("k{}", random(5));
            let mut seen = model.get(&name).cloned();
            if random(8) == 0 {
                seen = if seen.is_some() { None } else { Some("never".to_owned()) };
                stale = true;
            }
            reads.push((name, seen));
        }
        for _ in 0..random(4) {
            let value = (random(3) > 0).then(|| format!("{step}"));
            writes.insert(format!("k{}", random(5)), value);
        }
        let own = |value: &Option<String>| value.clone().map(Bytes::from);
        let commit = Commit {
            keys: KeyOverlay {
                reads: reads.iter().map(|(key, seen)| (key.clone(), own(seen))).collect(),
                writes: writes.iter().map(|(key, value)| (key.clone(), own(value))).collect(),
            },
            ..Commit::new(NOW)
        };
        let conflict = matches!(store.commit(commit).await.unwrap(), CommitOutcome::Conflict);
        assert_eq!(conflict, stale, "step {step}: {reads:?} {writes:?}");
        if !conflict {
            for (key, value) in writes {
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
        }
        for name in 0..5 {
            let name = format!("k{name}");
            assert_eq!(keys.get(&name).unwrap(), model.get(&name).cloned().map(Bytes::from), "step {step}");
        }
    }
}

#[tokio::test]
async fn finishes_what_was_handed_in_when_it_closes_and_takes_no_more() {
    let room = StoreDirectory::new();
    let store = room.open();
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(accept(&task.to_string(), &[])).await })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await;
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(CommitOutcome::Committed { .. }) => done += 1,
            Err(StoreError::Closed) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(store.commit(accept("late", &[])).await, Err(StoreError::Closed)));
    assert!(matches!(store.event("late").await, Err(StoreError::Closed)));
    let log = room.open().events(EventQuery { limit: 100, ..EventQuery::default() }).await.unwrap();
    assert_eq!(log.items.len(), done);
}

#[tokio::test]
async fn gives_leases_back_when_the_committing_task_is_gone() {
    let room = StoreDirectory::new();
    let store = room.open();
    // Polled once, so that it is handed in, then dropped.
    let mut commit = store.commit(accept("a", &["one"]));
    let polled = futures_util::poll!(&mut commit);
    assert!(polled.is_pending());
    drop(commit);
    // Written behind it.
    put(&store, "b", &[]).await;
    assert_eq!(store.lease_some("one", NOW, 10).await.len(), 1);
}
