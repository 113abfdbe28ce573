//! Who reads at this moment: how many may, and who they are.

use super::attendance::{Notice, Notices};
use super::metric::{Closed, StreamMetrics};
use super::options::StreamOptions;
use super::presence::ReaderRecord;
use crate::server::{ConnectionWatch, Counted, Tally};
use crate::store::EventSeq;
use anglerfish_core::request::UnixMillis;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Sse,
    Lines,
    Batch,
    WebSocket,
    Stomp,
}

impl Protocol {
    pub(super) const ALL: [Self; 5] = [Self::Sse, Self::Lines, Self::Batch, Self::WebSocket, Self::Stomp];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Lines => "lines",
            Self::Batch => "batch",
            Self::WebSocket => "websocket",
            Self::Stomp => "stomp",
        }
    }
}

/// Who wants to read.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) subscription: Arc<str>,
    /// What metrics call it.
    pub(super) label: Arc<str>,
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
    /// What tells its token from others; the token cannot be told from it.
    pub(super) token: [u8; 32],
    /// How it calls itself.
    pub(super) agent: Option<String>,
    /// The connection that it reads on.
    pub(super) watch: ConnectionWatch,
}

/// Why somebody may not read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooManyReaders {
    #[error("as many read already as `out.max_readers` allows")]
    All,
    #[error("as many read with this token already as `out.max_readers_per_token` allows")]
    Token,
    #[error("as many read from this address already as `out.max_readers_per_address` allows")]
    Address,
    #[error("as many connections are open with this token already as `out.max_readers_per_token` allows")]
    TokenConnections,
    #[error("as many connections are open from this address already as `out.max_readers_per_address` allows")]
    AddressConnections,
}

impl TooManyReaders {
    /// A stable word for programs.
    pub(super) const CODE: &'static str = "too-many-readers";
}

/// Everybody who reads.
pub(super) struct Places {
    options: StreamOptions,
    metrics: StreamMetrics,
    taken: Mutex<Taken>,
    readers: Tallies,
    /// Connections that hold any number of readers, or none.
    connections: Tallies,
    stopping: CancellationToken,
    /// Where it is told who comes and goes, and until somebody asks for it, what is told.
    notices: Option<Notices>,
    told: Mutex<Option<mpsc::Receiver<Notice>>>,
}

#[derive(Default)]
struct Taken {
    last: u64,
    readers: BTreeMap<u64, Arc<Occupant>>,
}

/// How many there are with each token, and from each address.
#[derive(Default)]
struct Tallies {
    tokens: Tally<[u8; 32]>,
    addresses: Tally<IpAddr>,
}

struct Occupant {
    visitor: Visitor,
    since: UnixMillis,
    /// Where it is in the log, if that is where it reads.
    position: Option<AtomicI64>,
    events: AtomicU64,
}

impl Occupant {
    fn position(&self) -> Option<EventSeq> {
        self.position.as_ref().map(|position| EventSeq(position.load(Ordering::Relaxed)))
    }
}

impl Places {
    pub(super) fn new(
        options: StreamOptions,
        metrics: StreamMetrics,
        stopping: CancellationToken,
    ) -> Arc<Self> {
        let (notices, told) = options.events.then(Notices::new).unzip();
        Arc::new(Self {
            options,
            metrics,
            taken: Mutex::default(),
            readers: Tallies::default(),
            connections: Tallies::default(),
            stopping,
            notices,
            told: Mutex::new(told),
        })
    }

    /// What is told of those who come and go, to the first one who asks.
    pub(super) fn notices(&self) -> Option<mpsc::Receiver<Notice>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A batch is one answer, and who waits for it comes again and again: nobody who comes and goes.
    fn tell(&self, number: u64, occupant: &Occupant, closed: Option<Closed>) {
        let Some(notices) = self.notices.as_ref().filter(|_| occupant.visitor.protocol != Protocol::Batch)
        else {
            return;
        };
        notices.tell(Notice {
            number,
            visitor: occupant.visitor.clone(),
            since: occupant.since,
            at: self.options.clock.now(),
            position: occupant.position(),
            events: occupant.events.load(Ordering::Relaxed),
            closed,
        });
    }

    /// How many readers, and how many connections, there may be from an address.
    fn per_address(&self, address: IpAddr) -> usize {
        match self.options.proxies.iter().any(|network| network.contains(&address)) {
            true => usize::MAX,
            false => self.options.readers_per_address,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in, who reads the log from a position or is leased messages. The place is given back when it is dropped.
    pub(super) fn take(
        self: &Arc<Self>,
        visitor: Visitor,
        position: Option<EventSeq>,
    ) -> Result<Place, TooManyReaders> {
        let (token, address) = (visitor.token, visitor.address);
        let mut taken = self.taken();
        let counted = || {
            if taken.readers.len() >= self.options.readers {
                return Err(TooManyReaders::All);
            }
            let of_token = self.readers.tokens.take(token, self.options.readers_per_token);
            let of_token = of_token.ok_or(TooManyReaders::Token)?;
            let of_address = self.readers.addresses.take(address, self.per_address(address));
            Ok((of_token, of_address.ok_or(TooManyReaders::Address)?))
        };
        let counted = counted().inspect_err(|_| self.metrics.refused())?;
        taken.last += 1;
        let number = taken.last;
        let occupant = Arc::new(Occupant {
            visitor,
            since: self.options.clock.now(),
            position: position.map(|position| AtomicI64::new(position.0)),
            events: AtomicU64::default(),
        });
        taken.readers.insert(number, Arc::clone(&occupant));
        // Under the lock: who leaves takes the gauge of a subscription away with the last reader.
        self.metrics.came(&occupant.visitor.label, occupant.visitor.protocol);
        drop(taken);
        self.tell(number, &occupant, None);
        Ok(Place { places: Arc::clone(self), number, occupant, closed: None, _counted: counted })
    }

    /// Lets a connection in, which may come to hold many readers. The seat is given back when it is dropped.
    pub(super) fn seat(self: &Arc<Self>, address: IpAddr) -> Result<Seat, TooManyReaders> {
        let of_address = self.connections.addresses.take(address, self.per_address(address));
        let refused = TooManyReaders::AddressConnections;
        let of_address = of_address.ok_or(refused).inspect_err(|_| self.metrics.refused())?;
        Ok(Seat { places: Arc::clone(self), _of_address: of_address, of_token: None })
    }

    /// Who reads, those who came first first; of one subscription if it is named.
    pub(super) fn readers(&self, subscription: Option<&str>) -> Vec<ReaderRecord> {
        let taken = self.taken();
        let wanted = taken
            .readers
            .iter()
            .filter(|(_, reader)| subscription.is_none_or(|wanted| *reader.visitor.subscription == *wanted));
        wanted
            .map(|(number, reader)| ReaderRecord {
                number: *number,
                subscription: Arc::clone(&reader.visitor.subscription),
                protocol: reader.visitor.protocol.name(),
                address: reader.visitor.address,
                agent: reader.visitor.agent.clone(),
                since: reader.since,
                position: reader.position(),
                events: reader.events.load(Ordering::Relaxed),
            })
            .collect()
    }

    fn leave(&self, place: &Place) {
        let visitor = &place.occupant.visitor;
        let mut taken = self.taken();
        taken.readers.remove(&place.number);
        let closed = match place.closed {
            Some(closed) => closed,
            None if self.stopping.is_cancelled() => Closed::Stopping,
            // It was not the reader who left: it took nothing, and was cut off.
            None if visitor.watch.is_cut_off() => Closed::Stalled,
            None => Closed::Left,
        };
        self.metrics.left(&visitor.label, visitor.protocol, closed);
        drop(taken);
        self.tell(place.number, &place.occupant, Some(closed));
    }
}

/// A place among those who read.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    occupant: Arc<Occupant>,
    closed: Option<Closed>,
    _counted: (Counted<[u8; 32]>, Counted<IpAddr>),
}

/// A place among the connections.
pub(super) struct Seat {
    places: Arc<Places>,
    _of_address: Counted<IpAddr>,
    /// Of the first token that was shown.
    of_token: Option<Counted<[u8; 32]>>,
}

impl Seat {
    /// A token is shown that opens something. The first one counts: who has others beside it has that one, too.
    pub(super) fn show(&mut self, token: &str) -> Result<(), TooManyReaders> {
        if self.of_token.is_none() {
            let Places { connections, options, metrics, .. } = &*self.places;
            let of_token = connections.tokens.take(Sha256::digest(token).into(), options.readers_per_token);
            let refused = TooManyReaders::TokenConnections;
            self.of_token = Some(of_token.ok_or(refused).inspect_err(|_| metrics.refused())?);
        }
        Ok(())
    }
}

impl Place {
    /// The reader is here now.
    pub(super) fn at(&self, position: EventSeq) {
        if let Some(known) = &self.occupant.position {
            known.store(position.0, Ordering::Relaxed);
        }
    }

    /// The connection that its reader is at.
    pub(super) fn watch(&self) -> &ConnectionWatch {
        &self.occupant.visitor.watch
    }

    /// It was given so many entries.
    pub(super) fn gave(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.occupant.events.fetch_add(events, Ordering::Relaxed);
        self.places.metrics.gave(&self.occupant.visitor.label, self.occupant.visitor.protocol, events);
    }

    /// Why it ends, if it does not just leave.
    pub(super) fn close(&mut self, closed: Closed) {
        self.closed = Some(closed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(token: u8, address: [u8; 4]) -> Visitor {
        Visitor {
            subscription: "a".into(),
            label: "a".into(),
            protocol: Protocol::Sse,
            address: address.into(),
            token: [token; 32],
            agent: None,
            watch: ConnectionWatch::default(),
        }
    }

    #[test]
    fn only_whoever_was_cut_off_is_said_to_have_been_stalled() {
        let options = StreamOptions { events: true, ..StreamOptions::default() };
        let places = Places::new(options, StreamMetrics::default(), CancellationToken::new());
        let mut told = places.notices().unwrap();
        for (is_cut_off, closed) in [(false, Closed::Left), (true, Closed::Stalled)] {
            let watch = ConnectionWatch::alone();
            let place =
                places.take(Visitor { watch: watch.clone(), ..visitor(1, [10, 0, 0, 1]) }, None).unwrap();
            place.gave(1);
            if is_cut_off {
                watch.cut_off();
            }
            drop(place);
            told.try_recv().unwrap();
            assert_eq!(told.try_recv().unwrap().closed, Some(closed));
        }
    }

    #[test]
    fn each_limit_holds_and_a_place_that_is_left_is_free_again() {
        let options = StreamOptions {
            readers: 4,
            readers_per_token: 2,
            readers_per_address: 3,
            ..StreamOptions::default()
        };
        let places = Places::new(options, StreamMetrics::default(), CancellationToken::new());
        let take = |token, address| places.take(visitor(token, address), Some(EventSeq(0)));
        let first = take(1, [10, 0, 0, 1]).unwrap();
        let _second = take(1, [10, 0, 0, 1]).unwrap();
        assert_eq!(take(1, [10, 0, 0, 2]).err(), Some(TooManyReaders::Token));
        let _third = take(2, [10, 0, 0, 1]).unwrap();
        assert_eq!(take(3, [10, 0, 0, 1]).err(), Some(TooManyReaders::Address));
        let _fourth = take(2, [10, 0, 0, 2]).unwrap();
        assert_eq!(take(3, [10, 0, 0, 3]).err(), Some(TooManyReaders::All));
        assert_eq!(places.readers(Some("a")).len(), 4);
        assert!(places.readers(Some("b")).is_empty());
        drop(first);
        assert!(take(1, [10, 0, 0, 3]).is_ok());
        assert_eq!(places.taken().readers.len(), 3, "the last one has left");
    }

    #[test]
    fn connections_have_the_same_limits_whether_they_read_or_not() {
        let options =
            StreamOptions { readers_per_token: 1, readers_per_address: 2, ..StreamOptions::default() };
        let places = Places::new(options, StreamMetrics::default(), CancellationToken::new());
        let seat = |last| places.seat([10, 0, 0, last].into());
        let (mut first, mut second) = (seat(1).unwrap(), seat(1).unwrap());
        assert_eq!(seat(1).err(), Some(TooManyReaders::AddressConnections));
        assert_eq!((first.show("one"), first.show("another")), (Ok(()), Ok(())));
        assert_eq!(second.show("one"), Err(TooManyReaders::TokenConnections));
        drop(first);
        assert_eq!(second.show("one"), Ok(()));
        assert!(seat(1).is_ok() && seat(2).is_ok());
        let options = StreamOptions {
            readers_per_address: 1,
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..StreamOptions::default()
        };
        let places = Places::new(options, StreamMetrics::default(), CancellationToken::new());
        let seats = [[10, 0, 0, 1], [10, 0, 0, 1], [11, 0, 0, 1], [11, 0, 0, 1]];
        let seats = seats.map(|address| places.seat(address.into()));
        assert_eq!(seats.each_ref().map(Result::is_ok), [true, true, true, false]);
    }
}
