//! Reading, from the outside of one process.

use super::handler::{Gap, begin};
use super::metric::StreamMetrics;
use super::options::StreamOptions;
use super::place::{Protocol, Visitor};
use super::position::Position;
use super::reader::{Next, Reader};
use super::registry::{JsonFields, Streams};
use super::request::Start;
use super::session::{Arrival, Inlet, Session};
use crate::server::ConnectionWatch;
use crate::store::{
    Commit, CommitOutcome, EventQuery, EventRecord, EventSeq, LogEntry, LogId, LogPart, LogStore, NewEvent,
    Origin, Page, RetentionStore, SqliteOptions, SqliteStore, StoreError,
};
use crate::supervision::Supervisor;
use anglerfish_core::config::{
    AccessToken, DeliveryConfig, DeliveryMode, StartPoint, SubscriptionConfig, WhenRemoved,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const PATIENCE: Duration = Duration::from_secs(60);

fn event(id: &str, kind: &str) -> Event {
    Event {
        id: id.to_owned(),
        source: "shop".to_owned(),
        kind: kind.to_owned(),
        time: NOW,
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    }
}

/// An entry of a log.
pub(super) fn entry(seq: i64, kind: &str, data: &[u8]) -> LogEntry {
    LogEntry {
        seq: EventSeq(seq),
        event: event(&format!("e{seq}"), kind),
        origin: Origin::Request,
        cause: None,
        request: None,
        received: NOW,
        data: Bytes::copy_from_slice(data),
    }
}

struct Rig {
    store: Arc<SqliteStore>,
    streams: Streams,
    directory: TempDir,
}

fn subscription(filter: Option<&str>) -> SubscriptionConfig {
    SubscriptionConfig {
        id: "feed".to_owned(),
        sources: Vec::new(),
        filter: filter.map(str::to_owned),
        endpoint: None,
        flow: None,
        tokens: vec![AccessToken::of("a token that is long enough")],
        notification: None,
        delivery: DeliveryConfig { mode: DeliveryMode::Stream, ..DeliveryConfig::default() },
        start: StartPoint::Now,
        plugins: Vec::new(),
        when_removed: WhenRemoved::End,
    }
}

/// What was received up to 50 ms after [`NOW`] is no longer kept.
fn streams(store: Arc<dyn LogStore>, fields: JsonFields) -> Streams {
    // Far enough from what the tests name that it does not matter how long they take.
    let retention = Duration::from_millis(crate::clock::now().0 - NOW.0 - 50_000);
    let retention = watch::channel(retention).1;
    Streams::new(store, fields, StreamOptions::default(), StreamMetrics::default(), retention)
}

impl Rig {
    fn new(filter: Option<&str>) -> Self {
        Self::open(tempfile::tempdir().unwrap(), filter)
    }

    /// The same store once more, or a copy of it in its place.
    async fn reopen(self, copy: Option<&Path>) -> Self {
        let Self { store, streams, directory } = self;
        crate::store::Store::close(&*store).await;
        drop((streams, store));
        if let Some(copy) = copy {
            for besides in ["store.db-wal", "store.db-shm", "store.db-attempts"] {
                let _ = std::fs::remove_file(directory.path().join(besides));
            }
            std::fs::copy(copy, directory.path().join("store.db")).unwrap();
        }
        Self::open(directory, None)
    }

    fn open(directory: TempDir, filter: Option<&str>) -> Self {
        let path = directory.path().join("store.db");
        let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let fields = Arc::new(|_: &str| Arc::from([]));
        let streams = streams(store.clone(), fields);
        streams.put(&subscription(filter));
        Self { store, streams, directory }
    }

    async fn append(&self, numbers: std::ops::Range<u64>, received: UnixMillis) {
        for number in numbers {
            let kind = if number % 2 == 0 { "even" } else { "odd" };
            let new =
                NewEvent::new(event(&format!("e{number}"), kind), Bytes::from(number.to_string()), received);
            self.store.commit(Commit { events: vec![new], ..Commit::new(received) }).await.unwrap();
        }
    }

    fn read(&self, after: i64) -> Reader {
        let readable = self.streams.get("feed").unwrap();
        let visitor = Visitor {
            subscription: "feed".into(),
            label: "feed".into(),
            protocol: Protocol::Sse,
            address: Ipv4Addr::LOCALHOST.into(),
            token: [0; 32],
            agent: None,
            watch: ConnectionWatch::default(),
        };
        self.streams.open(&readable, visitor, EventSeq(after)).unwrap()
    }
}

/// The positions of the next so many entries.
async fn seqs(reader: &mut Reader, count: usize) -> Vec<i64> {
    let mut found = Vec::new();
    while found.len() < count {
        match reader.next(count - found.len(), Instant::now() + PATIENCE).await {
            Next::Items(items) => found.extend(items.iter().map(|item| item.seq().0)),
            Next::Nothing => panic!("only {found:?} came"),
            _ => panic!("it ended with {found:?}"),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_get_what_the_filter_wants_from_their_positions_and_then_what_comes() {
    let rig = Rig::new(Some("event.type == 'odd'"));
    rig.append(1..7, NOW).await;
    rig.streams.start(&Supervisor::default());
    let (mut whole, mut late) = (rig.read(0), rig.read(6));
    assert_eq!(seqs(&mut whole, 2).await, [1, 3]);
    rig.append(7..2000, NOW).await;
    let expected: Vec<i64> = (7..2000).filter(|seq| seq % 2 == 1).collect();
    assert_eq!(seqs(&mut whole, expected.len() + 1).await[1..], expected);
    // Long behind what is kept in memory, and then in it.
    assert_eq!(seqs(&mut late, expected.len()).await, expected);
    rig.append(2001..2004, NOW).await;
    assert_eq!(seqs(&mut whole, 2).await, [2000, 2002]);
    // Nothing comes, and the position moves with what is not wanted.
    rig.append(2004..2005, NOW).await;
    while whole.position < EventSeq(2003) {
        let next = whole.next(9, Instant::now() + Duration::from_millis(20)).await;
        assert!(matches!(next, Next::Nothing));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_beside_many_writers_miss_nothing_and_get_nothing_twice() {
    let rig = Rig::new(None);
    rig.streams.start(&Supervisor::default());
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let mut reader = rig.read(0);
            tokio::spawn(async move { seqs(&mut reader, 800).await })
        })
        .collect();
    let rig = Arc::new(rig);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.append(writer * 200..writer * 200 + 200, NOW).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (1..=800).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_retention_overtakes_is_told_and_goes_on_where_the_log_is_whole() {
    let rig = Rig::new(None);
    rig.append(0..3, NOW).await;
    rig.append(3..5, UnixMillis(NOW.0 + 100)).await;
    let mut reader = rig.read(1);
    while rig.store.expire(UnixMillis(NOW.0 + 50), 10).await.unwrap() > 0 {}
    let next = reader.next(9, Instant::now() + PATIENCE).await;
    assert!(matches!(next, Next::Gap { to: EventSeq(3) }));
    assert_eq!(seqs(&mut reader, 2).await, [4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_written_anew_ends_its_streams_only_if_it_is_another_one() {
    let rig = Rig::new(None);
    rig.streams.start(&Supervisor::default());
    let mut reader = rig.read(0);
    rig.streams.put(&subscription(None));
    assert!(matches!(reader.next(9, Instant::now()).await, Next::Nothing));
    rig.streams.put(&subscription(Some("event.type == 'odd'")));
    assert!(matches!(reader.next(9, Instant::now() + PATIENCE).await, Next::Ended));
    let mut reader = rig.read(0);
    rig.append(0..2, NOW).await;
    assert_eq!(seqs(&mut reader, 1).await, [2]);
    rig.streams.remove("feed");
    assert!(matches!(reader.next(9, Instant::now() + PATIENCE).await, Next::Ended));
    assert!(rig.streams.get("feed").is_none());
}

#[tokio::test]
async fn a_position_is_of_one_log() {
    let (one, other) = (Rig::new(None), Rig::new(None));
    assert_ne!(one.store.identity(), other.store.identity(), "four bytes were drawn twice");
    one.append(0..3, NOW).await;
    let identity = one.store.identity();
    let positions = [0, 1, 3].map(|seq| Position::new(&identity, EventSeq(seq)));
    let one = one.reopen(None).await;
    one.append(3..4, NOW).await;
    let again = one.store.identity();
    assert!(again.store == identity.store && positions.iter().all(|position| position.is_of(&again)));
    assert!(!Position::new(&identity, EventSeq(4)).is_of(&again), "it was given out by nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_of_what_was_lost_when_a_copy_was_put_back_is_one_of_another_log() {
    let rig = Rig::new(None);
    rig.append(0..3, NOW).await;
    // A copy is made while it runs.
    let copy = rig.directory.path().join("copy.db");
    let made = rusqlite::Connection::open(rig.directory.path().join("store.db")).unwrap();
    made.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    drop(made);
    rig.append(3..5, NOW).await;
    let first = rig.store.identity();
    // What was lost is of two openings: the one in which the copy was made, and a later one.
    let rig = rig.reopen(None).await;
    rig.append(5..6, NOW).await;
    let second = rig.store.identity();
    let rig = rig.reopen(Some(&copy)).await;
    rig.append(10..17, NOW).await;
    let begin = async |log: &LogId, seq| {
        let start = Start::Behind(Position::new(log, EventSeq(seq)));
        let begun = begin(&rig.streams, start, None).await.map_err(|_| ()).unwrap();
        (begun.position, begun.gap)
    };
    assert_eq!(begin(&first, 3).await, (EventSeq(3), None));
    // Of the opening in which the copy was made it is known where that was.
    for (log, seq, oldest) in [(&first, 4, 3), (&first, 5, 3), (&second, 6, 0)] {
        assert_eq!(begin(log, seq).await, (EventSeq(oldest), Some(Gap::Unknown)), "{seq}");
    }
}

#[tokio::test]
async fn whoever_reads_when_the_gateway_stops_is_not_said_to_have_left() {
    let (mut rig, mut registry) = (Rig::new(None), Registry::default());
    let metrics = StreamMetrics::register(&mut registry);
    let (fields, kept) = (Arc::new(|_: &str| Arc::from([])), watch::channel(Duration::MAX).1);
    rig.streams = Streams::new(rig.store.clone(), fields, StreamOptions::default(), metrics, kept);
    rig.streams.put(&subscription(None));
    let [mut told, mut cut_off] = [(); 2].map(|()| Session::new(&rig.streams));
    for session in [&mut told, &mut cut_off] {
        session.add(Inlet::Stream(Box::new(rig.read(0))), None);
    }
    rig.streams.stop();
    assert!(matches!(told.next().await, (_, Arrival::Ended)));
    drop(cut_off);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("stream_closed_total{reason=\"stopping\"} 2"), "{text}");
}

/// A log that events are taken from between two reads of it, or that is slow to read.
struct ExpiringLog {
    store: Arc<SqliteStore>,
    reads: AtomicUsize,
    expires_before_read: usize,
    delay: Duration,
    /// What it says of its head, if that is not what is so.
    head: Option<EventSeq>,
}

#[async_trait::async_trait]
impl LogStore for ExpiringLog {
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError> {
        self.store.commit(commit).await
    }
    async fn read(&self, after: EventSeq, limit: usize, bytes: usize) -> Result<LogPart, StoreError> {
        if self.reads.fetch_add(1, Ordering::SeqCst) == self.expires_before_read {
            while self.store.expire(UnixMillis(NOW.0 + 50), 10).await? > 0 {}
        }
        tokio::time::sleep(self.delay).await;
        self.store.read(after, limit, bytes).await
    }
    fn identity(&self) -> LogId {
        self.store.identity()
    }
    fn head(&self) -> watch::Receiver<EventSeq> {
        self.head.map_or_else(|| self.store.head(), |head| watch::channel(head).1)
    }
    async fn at(&self, time: UnixMillis) -> Result<EventSeq, StoreError> {
        LogStore::at(&*self.store, time).await
    }
    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.store.events(query).await
    }
    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError> {
        LogStore::event(&*self.store, id).await
    }
    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError> {
        LogStore::data(&*self.store, seq).await
    }
}

/// From now on what is old is gone before the read of this number.
fn expire_before(rig: &mut Rig, expires_before_read: usize) {
    replace_log(rig, None, expires_before_read, Duration::ZERO, None);
}

/// From now on each read takes so long.
fn slow(rig: &mut Rig, delay: Duration) {
    replace_log(rig, Some("event.type == 'odd'"), usize::MAX, delay, None);
}

fn replace_log(
    rig: &mut Rig,
    filter: Option<&str>,
    expires_before_read: usize,
    delay: Duration,
    head: Option<EventSeq>,
) {
    let reads = AtomicUsize::new(0);
    let log = ExpiringLog { store: rig.store.clone(), reads, expires_before_read, delay, head };
    rig.streams = streams(Arc::new(log), Arc::new(|_: &str| Arc::from([])));
    rig.streams.put(&subscription(filter));
}

async fn batch(rig: &Rig, max: usize) -> serde_json::Value {
    let response = super::batch::answer(
        &rig.streams,
        rig.read(0),
        super::item::DataStyle::CloudEvent,
        max,
        Duration::ZERO,
        false,
        None,
    )
    .await;
    let (response, _) = response.map_err(|_| ()).unwrap();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_does_not_go_past_a_gap_without_a_word() {
    let mut rig = Rig::new(None);
    rig.append(0..300, NOW).await;
    rig.append(300..302, UnixMillis(NOW.0 + 100)).await;
    expire_before(&mut rig, 1);
    let batch = batch(&rig, 1000).await;
    let count = batch["events"].as_array().unwrap().len();
    let position = Position::parse(batch["position"].as_str().unwrap()).unwrap();
    assert_eq!((count, position.seq.0), (256, 256));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_before_what_is_kept_is_a_gap() {
    let rig = Rig::new(None);
    rig.append(0..3, NOW).await;
    rig.append(3..5, UnixMillis(NOW.0 + 100_000)).await;
    while rig.store.expire(UnixMillis(NOW.0 + 50_000), 10).await.unwrap() > 0 {}
    let begin = async |time| {
        let begun = begin(&rig.streams, Start::At(time), None).await.map_err(|_| ()).unwrap();
        (begun.position, begun.gap)
    };
    assert_eq!(begin(NOW).await, (EventSeq(3), Some(Gap::Expired)));
    // What was deleted is all older than this.
    assert_eq!(begin(UnixMillis(NOW.0 + 90_000)).await, (EventSeq(3), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_read_no_further_back_than_its_history_and_whoever_asks_for_more_is_told() {
    let rig = Rig::new(None);
    rig.append(0..3, NOW).await;
    rig.append(3..5, UnixMillis(NOW.0 + 1_000_000)).await;
    let begin = async |start, back: u64| {
        let history = Duration::from_millis(crate::clock::now().0 - NOW.0 - 1_000_000 + back);
        let begun = begin(&rig.streams, start, Some(history)).await.map_err(|_| ()).unwrap();
        (begun.position, begun.gap)
    };
    let behind = |seq| Start::Behind(Position::new(&rig.store.identity(), EventSeq(seq)));
    assert_eq!(begin(Start::Earliest, 500_000).await, (EventSeq(3), None));
    assert_eq!(begin(behind(1), 500_000).await, (EventSeq(3), Some(Gap::Expired)));
    assert_eq!(begin(behind(4), 500_000).await, (EventSeq(4), None));
    assert_eq!(begin(Start::At(NOW), 500_000).await, (EventSeq(3), Some(Gap::Expired)));
    assert_eq!(begin(Start::Earliest, 2_000_000).await, (EventSeq(0), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_what_is_rare_looks_through_the_log_for_no_longer_than_one_look() {
    let mut rig = Rig::new(Some("event.type == 'odd'"));
    let events = |number: u64| {
        NewEvent::new(
            event(&format!("e{number}"), if number.is_multiple_of(600) { "odd" } else { "even" }),
            Bytes::from("1"),
            UnixMillis(NOW.0 + 100),
        )
    };
    for start in (0..12_000).step_by(600) {
        let events = (start..start + 600).map(events).collect();
        rig.store.commit(Commit { events, ..Commit::new(NOW) }).await.unwrap();
    }
    slow(&mut rig, Duration::from_millis(200));
    let begun = Instant::now();
    let batch = batch(&rig, 100).await;
    // Twenty of them are there, the first at once, and each of the others two reads away from the one before: however slow
    // the machine is, six reads of that length take longer than one look.
    let found = batch["events"].as_array().unwrap().len();
    assert!((1..20).contains(&found), "{found} after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_one_of_this_log_as_soon_as_somebody_could_read_it() {
    let mut rig = Rig::new(None);
    rig.append(0..3, UnixMillis(NOW.0 + 100)).await;
    replace_log(&mut rig, None, usize::MAX, Duration::ZERO, Some(EventSeq(2)));
    let begin = async |seq| {
        let position = Position::new(&rig.store.identity(), EventSeq(seq));
        begin(&rig.streams, Start::Behind(position), None).await.map_err(|_| ()).unwrap()
    };
    let (begun, beyond) = (begin(3).await, begin(4).await);
    assert_eq!((begun.position, begun.gap), (EventSeq(3), None));
    assert_eq!(beyond.gap, Some(Gap::Unknown));
}
