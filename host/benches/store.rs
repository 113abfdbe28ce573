//! What a durable commit costs, alone and in groups, beside a bare sync of the same disk.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on had better stop")]

use anglerfish::store::{
    Attempt, Commit, CommitOutcome, DeliveryStore, KeyOverlay, KeyStore, Lease, LeaseTerms, LeasedDelivery,
    LogStore, NewEvent, RequestRecord, Settled, Settlement, SqliteOptions, SqliteStore,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Commits of each committer in one iteration.
const ROUNDS: u64 = 16;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

struct Bench {
    _directory: tempfile::TempDir,
    runtime: Runtime,
    store: Arc<SqliteStore>,
    next: Arc<AtomicU64>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir_in(".").unwrap();
        let path = directory.path().join("store.db");
        let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        Self { _directory: directory, runtime, store, next: Arc::default() }
    }

    /// The time that so many committers take for `rounds` commits each.
    fn run(&self, committers: u64, rounds: u64, settle: bool) -> Duration {
        let started = Instant::now();
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..committers)
                .map(|_| {
                    let (store, next) = (Arc::clone(&self.store), Arc::clone(&self.next));
                    tokio::spawn(async move {
                        for _ in 0..rounds {
                            let outcome = store.commit(commit(next.fetch_add(1, Ordering::Relaxed))).await;
                            let CommitOutcome::Committed { deliveries, .. } = outcome.unwrap() else {
                                continue;
                            };
                            for delivery in deliveries {
                                match settle {
                                    true => {
                                        drop(store.record(vec![settlement(delivery.lease())]).await.unwrap())
                                    }
                                    false => drop(store.release(&[delivery.lease()]).await.unwrap()),
                                }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        started.elapsed()
    }
}

/// An event of 1 KiB with 12 header fields for one subscription; ids are as random as providers' are.
fn commit(number: u64) -> Commit {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("{mixed:016x}-{:016x}", mixed.rotate_left(32) ^ number);
    let key = format!("event/shop/{id}");
    let headers = (0..12).map(|n| (format!("x-header-{n}"), "a value of usual length".to_owned())).collect();
    let event = Event {
        id,
        source: "shop".to_owned(),
        kind: "order.created".to_owned(),
        subject: None,
        time: NOW,
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    };
    Commit {
        keys: KeyOverlay {
            reads: vec![(key.clone(), None)],
            writes: vec![(key, Some(Bytes::from_static(b"1700000000000")))],
        },
        events: vec![NewEvent {
            request: Some(RequestRecord {
                method: "POST".to_owned(),
                url: "http://127.0.0.1:8080/in/shop".to_owned(),
                added_prefix: String::new(),
                headers,
            }),
            subscriptions: vec!["big-orders".to_owned()],
            ..NewEvent::new(event, Bytes::from(vec![b'x'; 1024]), NOW)
        }],
        ..Commit::new(NOW)
    }
}

fn settlement(lease: Lease) -> Settlement {
    Settlement {
        lease,
        now: NOW,
        attempt: Attempt {
            number: 0,
            started: NOW,
            duration: Duration::from_millis(3),
            status: Some(200),
            error: None,
            answer: Some("ok".to_owned()),
        },
        settled: Settled::Delivered,
    }
}

fn sync(criterion: &mut Criterion) {
    let mut file = tempfile::tempfile_in(".").unwrap();
    file.write_all(&vec![0; 4 << 20]).unwrap();
    file.sync_all().unwrap();
    let mut place = 0;
    criterion.bench_function("fsync of 4 KiB", |bencher| {
        bencher.iter(|| {
            place = (place + 4096) % (4 << 20);
            file.seek(SeekFrom::Start(place)).unwrap();
            file.write_all(&[1; 4096]).unwrap();
            file.sync_data().unwrap();
        });
    });
}

fn commits(criterion: &mut Criterion) {
    for (name, settle) in [("commit", false), ("commit and settle", true)] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        for committers in [1, 16, 256] {
            let bench = Bench::new();
            group.throughput(Throughput::Elements(committers * ROUNDS));
            group.bench_function(format!("{committers} at once"), |bencher| {
                bencher.iter_custom(|iterations| bench.run(committers, ROUNDS * iterations, settle));
            });
        }
        group.finish();
    }
}

fn reads(criterion: &mut Criterion) {
    let bench = Bench::new();
    bench.run(256, 100, false);
    let keys = bench.store.key_reader().unwrap();
    let mut number = 0;
    criterion.bench_function("key that is there", |bencher| {
        bencher.iter(|| {
            number = (number + 7) % 25_600;
            let key = commit_key(number);
            assert!(black_box(keys.get(&key)).unwrap().is_some());
        });
    });
    criterion.bench_function("key that is not there", |bencher| {
        bencher.iter(|| {
            number += 1;
            assert!(black_box(keys.get(&format!("event/shop/{number}"))).unwrap().is_none());
        });
    });
    criterion.bench_function("lease and release 10 of 25 600", |bencher| {
        bencher.iter(|| {
            bench.runtime.block_on(async {
                let leased = bench.store.lease("big-orders", NOW, 10, LeaseTerms::default()).await.unwrap();
                let leases: Vec<_> = leased.deliveries.iter().map(LeasedDelivery::lease).collect();
                assert_eq!(leases.len(), 10);
                bench.store.release(&leases).await.unwrap();
            });
        });
    });
}

fn commit_key(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("event/shop/{mixed:016x}-{:016x}", mixed.rotate_left(32) ^ number)
}

criterion_group!(benches, sync, commits, reads);
criterion_main!(benches);
