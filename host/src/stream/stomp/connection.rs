//! One connection that speaks STOMP.

use super::answering::{self, Answered};
use super::beat::{Beat, Due};
use super::failure::Failure;
use super::message::{self, Naming};
use super::subscribe::{AckMode, Destination, Sent, Subscription, Unanswered, Wanted};
use super::transaction::Transactions;
use super::wire::Wire;
use crate::passive::LEASE;
use crate::publish::Published;
use crate::stream::handler::{Gap, at};
use crate::stream::place::{Seat, TooManyReaders};
use crate::stream::position::Position;
use crate::stream::session::{Arrival, Caller, Door, Leases, MOST_SUBSCRIPTIONS, Parting, Refused, Session};
use crate::stream::websocket::{CloseReason, Lost};
use crate::topic::{Denied, TopicMessage};
use anglerfish_core::stomp::{Command, Decoder, Frame, FrameError, HeartBeat, Limits, Version};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a connection may be open before it says CONNECT.
const UNCONNECTED: Duration = Duration::from_secs(10);

/// Headers of a frame, and their bytes together.
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;

/// How many frames are published in one transaction of the store, if they come at once.
const SENT_TOGETHER: usize = 100;

/// How often leases are extended that go on while their connection does: twice before they end.
const EXTEND: Duration = Duration::from_secs(10);

/// One connection.
struct Connection {
    wire: Wire,
    door: Door,
    caller: Caller,
    /// The token that the connection was opened with.
    token: Option<String>,
    decoder: Decoder,
    version: Version,
    is_connected: bool,
    beat: Beat,
    session: Session,
    /// By the session's numbers.
    subscriptions: BTreeMap<u64, Subscription>,
    transactions: Transactions,
    /// What was sent to topics and is not in the log yet, with the receipts that were asked for.
    sent: Vec<(Published, Option<String>)>,
    /// Its place among the connections.
    seat: Seat,
}

/// Why the conversation ends.
enum End {
    /// The client said so.
    Done,
    /// Something is wrong, and that is said.
    Failed(Box<Failure>),
    /// The gateway stops.
    Stopping,
    /// The other side is gone, or as good as gone.
    Lost(Lost),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<TooManyReaders> for End {
    fn from(refused: TooManyReaders) -> Self {
        Failure::from(refused).into()
    }
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        Failure::from(refused).into()
    }
}

/// Talks with whoever is at the other end until one of the two has enough.
pub(in crate::stream) async fn converse(
    wire: Wire,
    door: Door,
    caller: Caller,
    token: Option<String>,
    seat: Seat,
) {
    let limits = Limits { headers: HEADERS, header_bytes: HEADER_BYTES, body: 0 };
    let session = Session::new(&door.streams);
    let connection = Connection {
        wire,
        door,
        caller,
        token,
        decoder: Decoder::new(limits),
        version: Version::V1_0,
        is_connected: false,
        beat: Beat::new(anglerfish_core::stomp::HeartBeats::default(), Instant::now()),
        session,
        subscriptions: BTreeMap::new(),
        transactions: Transactions::default(),
        sent: Vec::new(),
        seat,
    };
    connection.run().await;
}

/// Says why nobody talks.
pub(super) async fn turn_away(mut wire: Wire, failure: Failure) {
    if wire.send(failure.frame().encode(Version::V1_2)).await.is_ok() {
        wire.close(&CloseReason::Policy("an ERROR frame says why")).await;
    }
}

impl Connection {
    async fn run(mut self) {
        let stopping = self.door.streams.stopping();
        let unconnected = Instant::now() + UNCONNECTED;
        let mut extend = tokio::time::interval(EXTEND);
        let end = loop {
            // A frame that is long on its way says all the time that somebody is there.
            if let Some(heard) = self.wire.unfinished() {
                self.beat.heard(heard);
            }
            let due = self.beat.next();
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(End::Stopping),
                bytes = self.wire.receive() => match bytes {
                    Ok(bytes) => self.hear(&bytes).await,
                    Err(lost) => Err(lost.into()),
                },
                (number, arrival) = self.session.next() => self.arrive(number, arrival).await,
                _ = extend.tick() => self.extend().await,
                due = async {
                    match due {
                        Some((time, due)) => {
                            sleep_until(time).await;
                            due
                        }
                        None => pending().await,
                    }
                } => match due {
                    Due::Say => self.send(b"\n".to_vec()).await,
                    // Looked at anew: more of it may have come since.
                    Due::Silent if self.is_heard() => Ok(()),
                    Due::Silent => Err(Failure::new("silent", "nothing was heard for longer than heart-beats allow").into()),
                },
                () = sleep_until(unconnected), if !self.is_connected => {
                    Err(Failure::new("not-connected", "no CONNECT frame came in time").into())
                }
            };
            if let Err(end) = next {
                break end;
            }
        };
        self.finish(end).await;
    }

    async fn finish(mut self, end: End) {
        let parting = match &end {
            End::Done | End::Stopping => Parting::Agreed,
            End::Failed(failure) if failure.is_ours() => Parting::Agreed,
            End::Failed(_) | End::Lost(_) => Parting::Broken,
        };
        for subscription in self.subscriptions.values() {
            subscription.give_back(parting).await;
        }
        let mut places = self.subscriptions.values().filter_map(|one| one.position);
        let only =
            places.next().filter(|_| places.next().is_none()).map(|place| at(&self.door.streams, place));
        if matches!(end, End::Lost(Lost::Stalled)) {
            self.caller.watch.cut_off();
        }
        // What it reads ends before the goodbye, which may take a while.
        drop((self.session, self.seat));
        let (frame, reason) = match end {
            End::Lost(Lost::Silent) => (None, CloseReason::Silent),
            End::Lost(_) => return,
            End::Done => (None, CloseReason::Done),
            End::Failed(failure) => (Some(failure.frame()), CloseReason::Policy("an ERROR frame says why")),
            End::Stopping => {
                let message = "the gateway stops; connect again and go on behind the last position";
                let frame = Failure::new("stopping", message).at(only).frame();
                (Some(frame), CloseReason::Restart(message.to_owned()))
            }
        };
        if let Some(frame) = frame
            && self.wire.send(frame.encode(self.version)).await.is_err()
        {
            return;
        }
        self.wire.close(&reason).await;
    }

    /// Whether part of a frame has come so lately that more of it may be on its way.
    fn is_heard(&mut self) -> bool {
        let Some(heard) = self.wire.unfinished() else { return false };
        self.beat.heard(heard);
        self.beat.is_heard(Instant::now())
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        self.wire.send(bytes).await?;
        self.beat.said(Instant::now());
        Ok(())
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), End> {
        self.send(frame.encode(self.version)).await
    }

    async fn hear(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.beat.heard(Instant::now());
        self.decoder.push(bytes);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    if let Err(end) = self.obey(frame).await {
                        // What stands before a frame that cannot be obeyed was sent, and is not lost with it.
                        self.publish().await?;
                        return Err(end);
                    }
                }
                Ok(None) => return self.publish().await,
                Err(error) => {
                    self.publish().await?;
                    let error = match error {
                        // The decoder bears one byte more than may be sent.
                        FrameError::TooLongBody(most) => FrameError::TooLongBody(most.saturating_sub(1)),
                        other => other,
                    };
                    return Err(Failure::new("invalid-frame", error.to_string()).into());
                }
            }
        }
    }

    async fn obey(&mut self, frame: Frame) -> Result<(), End> {
        let connects = matches!(frame.command, Command::Connect | Command::Stomp);
        if !self.is_connected {
            let failure = || {
                Failure::new("not-connected", "the first frame must be CONNECT or STOMP").for_frame(&frame)
            };
            return if connects { self.connect(&frame).await } else { Err(failure().into()) };
        }
        let Some(frame) = self.transactions.keep(frame)? else { return Ok(()) };
        if frame.command != Command::Send {
            self.publish().await?;
        }
        let receipt = frame.header("receipt").map(str::to_owned);
        match frame.command {
            Command::Send => {
                let published = self.topic_event(&frame)?;
                self.sent.push((published, receipt));
                return if self.sent.len() >= SENT_TOGETHER { self.publish().await } else { Ok(()) };
            }
            Command::Subscribe => {
                let begins = self.subscribe(&frame).await?;
                let Some(receipt) = receipt else { return Ok(()) };
                // Who is given nothing for a while has a place to go on from all the same.
                let receipt = Frame::new(Command::Receipt).with("receipt-id", receipt);
                return self.frame(receipt.with_some("position", begins)).await;
            }
            Command::Unsubscribe => self.unsubscribe(&frame).await?,
            Command::Ack | Command::Nack => self.answer(&frame).await?,
            Command::Begin => self.transactions.begin(&frame)?,
            Command::Commit => self.commit(&frame).await?,
            Command::Abort => drop(self.transactions.end(&frame)?),
            Command::Disconnect => {
                self.receipt(receipt).await?;
                return Err(End::Done);
            }
            Command::Connect | Command::Stomp => {
                return Err(Failure::new("connected", "the connection is connected already")
                    .for_frame(&frame)
                    .into());
            }
            Command::Connected | Command::Message | Command::Receipt | Command::Error => {
                let message = format!("a client sends no {} frame", frame.command.name());
                return Err(Failure::new("invalid-frame", message).for_frame(&frame).into());
            }
        }
        self.receipt(receipt).await
    }

    async fn receipt(&mut self, receipt: Option<String>) -> Result<(), End> {
        match receipt {
            Some(receipt) => self.frame(Frame::new(Command::Receipt).with("receipt-id", receipt)).await,
            None => Ok(()),
        }
    }

    async fn connect(&mut self, frame: &Frame) -> Result<(), End> {
        self.version = match Version::negotiate(frame.header("accept-version")) {
            Ok(version) => version,
            Err(error) => {
                return Err(Failure::header(frame, "accept-version", &format!("names none: {error}")).into());
            }
        };
        self.decoder.set_version(self.version);
        let shown =
            frame.header("passcode").or_else(|| frame.header("token")).filter(|shown| !shown.is_empty());
        if let Some(shown) = shown {
            self.token = Some(shown.to_owned());
        }
        let Some(token) = &self.token else {
            return Err(Failure::new(
                "unauthorized",
                "a CONNECT frame needs the header \"passcode\" with a token",
            )
            .into());
        };
        if let Err(refused) = self.door.check(token, self.caller.address) {
            let message = match refused.wait {
                // Whether it opens something nobody has looked.
                Some(_) => {
                    format!("the token of the header \"passcode\" was not looked at: {}", refused.detail)
                }
                None => format!("the header \"passcode\" has a token that opens nothing: {}", refused.detail),
            };
            return Err(Failure::new(refused.code, message).into());
        }
        self.seat.show(token)?;
        let heartbeat = Some(self.door.streams.shared.options.heartbeat);
        let mine = HeartBeat { sends: heartbeat, wants: heartbeat };
        let theirs = match frame.header("heart-beat") {
            None => HeartBeat::default(),
            Some(text) => HeartBeat::parse(text).ok_or_else(|| {
                Failure::header(
                    frame,
                    "heart-beat",
                    "must be two numbers of milliseconds up to 4294967295: 10000,10000",
                )
            })?,
        };
        self.beat = Beat::new(mine.agree(theirs), Instant::now());
        self.is_connected = true;
        // One byte more than may be sent is seen, so that the answer says which topic's bound it is.
        let largest = usize::try_from(self.door.topics.largest()).unwrap_or(usize::MAX);
        self.decoder.set_body_limit(largest.saturating_add(1));
        let connected = Frame::new(Command::Connected)
            .with("version", self.version.name())
            .with("server", concat!("anglerfish/", env!("CARGO_PKG_VERSION")))
            .with("heart-beat", mine.text());
        self.frame(connected).await
    }

    /// The token that a frame shows, or that of the connection.
    fn shown<'a>(&'a self, own: Option<&'a str>) -> &'a str {
        own.or(self.token.as_deref()).unwrap_or_default()
    }

    fn topic_event(&mut self, frame: &Frame) -> Result<Published, Failure> {
        let destination =
            frame.header("destination").ok_or_else(|| Failure::missing(frame, "destination"))?;
        let Some(Destination::Topic(name)) = Destination::parse(destination) else {
            return Err(Failure::header(
                frame,
                "destination",
                "must be /topic/ and a name: nothing is sent elsewhere",
            ));
        };
        let own = frame.header("token").or_else(|| frame.header("passcode"));
        let topic = self
            .door
            .topic_to_publish(&name, self.shown(own), self.caller.address)
            .map_err(|refused| Failure::refused(frame, refused))?;
        let attributes = message::attributes(frame)
            .map_err(|refused| Failure::header(frame, &refused.name, &refused.why))?;
        let message = TopicMessage { attributes, data: frame.body.clone().into() };
        let event = topic.event(message, self.door.now());
        event.map_err(|denied| {
            let said = match &denied {
                Denied::Size(_) => denied.to_string(),
                Denied::Invalid(problems) => message::named(frame, problems),
            };
            Failure::new("invalid-message", said).for_frame(frame)
        })
    }

    /// Publishes what was sent, in its order, before anything else happens. Receipts follow when it is on disk.
    async fn publish(&mut self) -> Result<(), End> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let (events, receipts): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sent).into_iter().unzip();
        self.door.publish(events).await?;
        for receipt in receipts {
            self.receipt(receipt).await?;
        }
        Ok(())
    }

    /// What was sent in a transaction is in the log as a whole or not at all; then what was answered is settled. If any of the
    /// answers comes too late, nothing is done: a result is not sent whose work somebody else does again.
    async fn commit(&mut self, frame: &Frame) -> Result<(), End> {
        let frames = self.transactions.end(frame)?;
        let (mut events, mut receipts) = (Vec::new(), Vec::new());
        for sent in frames.iter().filter(|frame| frame.command == Command::Send) {
            events.push((self.topic_event(sent)?, None));
            receipts.extend(sent.header("receipt").map(str::to_owned));
        }
        // Who commits waits for the receipt of that.
        let named = |failure: Failure| match frame.header("receipt") {
            Some(_) => failure.for_frame(frame),
            None => failure,
        };
        let answers = frames.iter().filter(|frame| frame.command != Command::Send);
        let answered =
            answering::all_answered(answers, self.version, &mut self.subscriptions).map_err(named)?;
        // Only once none of them is refused: what waits here is published whatever follows.
        self.sent = events;
        if let Err(end) = self.publish().await {
            // What was not answered for after all comes again at once.
            for (_, Answered { number, messages, .. }) in answered {
                if let Some(subscription) = self.subscriptions.get_mut(&number) {
                    subscription.unanswered.extend(messages);
                }
            }
            return Err(end);
        }
        for (answer, answered) in answered {
            if !self.settle(answer, &answered).await? {
                return Err(named(answering::too_late(answer, self.version)).into());
            }
            receipts.extend(answer.header("receipt").map(str::to_owned));
        }
        for receipt in receipts {
            self.receipt(Some(receipt)).await?;
        }
        Ok(())
    }

    /// Begins to read; says where in the log, if that is where it reads.
    async fn subscribe(&mut self, frame: &Frame) -> Result<Option<String>, End> {
        let wanted = Wanted::read(frame, self.version)?;
        if wanted.id.is_some() && self.subscriptions.values().any(|known| known.id == wanted.id) {
            return Err(
                Failure::header(frame, "id", "is that of another subscription of this connection").into()
            );
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let message = format!("a connection has at most {MOST_SUBSCRIPTIONS} subscriptions");
            return Err(Failure::new("too-many-subscriptions", message).for_frame(frame).into());
        }
        let (shown, address) = (self.shown(wanted.token.as_deref()).to_owned(), self.caller.address);
        let named = |refused| Failure::refused(frame, refused);
        let target = match &wanted.destination {
            Destination::Subscription(id) => self.door.find(id, &shown, address),
            Destination::Topic(name) => self.door.find_topic(name, &shown, address),
        };
        let target = target.map_err(named)?;
        let opened = self.door.open(&target, &shown, &self.caller, wanted.request).await.map_err(named)?;
        let passive = opened.inlet.passive();
        let credit = (wanted.ack != AckMode::Auto).then_some(wanted.prefetch);
        let number = self.session.add(opened.inlet, credit);
        let subscription = Subscription {
            id: wanted.id,
            destination: wanted.text,
            ack: wanted.ack,
            passive,
            is_extended: wanted.is_extended,
            position: opened.position,
            unanswered: VecDeque::new(),
            unsent: 0,
        };
        self.subscriptions.insert(number, subscription);
        Ok(opened.position.map(|position| at(&self.door.streams, position)))
    }

    async fn unsubscribe(&mut self, frame: &Frame) -> Result<(), End> {
        let (id, destination) = (frame.header("id"), frame.header("destination"));
        let found = match (id, destination) {
            (Some(id), _) => self.subscriptions.iter().find(|(_, one)| one.id.as_deref() == Some(id)),
            (None, Some(destination)) if self.version == Version::V1_0 => {
                self.subscriptions.iter().find(|(_, one)| one.destination == destination)
            }
            (None, _) => return Err(Failure::missing(frame, "id").into()),
        };
        let Some(number) = found.map(|(number, _)| *number) else {
            return Err(Failure::header(frame, "id", "names no subscription of this connection").into());
        };
        self.session.remove(number);
        if let Some(subscription) = self.subscriptions.remove(&number) {
            subscription.give_back(Parting::Agreed).await;
        }
        Ok(())
    }

    async fn answer(&mut self, frame: &Frame) -> Result<(), End> {
        let answered = answering::answered(frame, self.version, &mut self.subscriptions)?;
        // An answer that comes twice or too late changes nothing. Who wants to know asks for a receipt.
        let is_asked = frame.header("receipt").is_some();
        let problem = match answered {
            None => Some(answering::unknown(frame, self.version)),
            Some(answered) if self.settle(frame, &answered).await? => None,
            Some(_) => Some(answering::too_late(frame, self.version)),
        };
        match problem {
            Some(failure) if is_asked => Err(failure.into()),
            _ => Ok(()),
        }
    }

    /// Settles what a client has answered for. Says whether all of it was in time.
    async fn settle(&mut self, frame: &Frame, answered: &Answered) -> Result<bool, End> {
        let passive = self.subscriptions.get(&answered.number).and_then(|one| one.passive.clone());
        let is_settled = match passive {
            Some(passive) => answered.settle(&passive).await,
            None => Ok(true),
        };
        let is_settled = is_settled.map_err(|error| {
            tracing::warn!(%error, "what a subscriber answered cannot be recorded now");
            let message = "the store is out of reach for now; the leases stand";
            Failure::new("unavailable", message).for_frame(frame)
        })?;
        let count = u64::try_from(answered.messages.len()).unwrap_or(u64::MAX);
        self.session.grant(answered.number, count);
        Ok(is_settled)
    }

    /// Leases go on while the connection does, unless their subscriber has said how long they are.
    async fn extend(&mut self) -> Result<(), End> {
        for subscription in self.subscriptions.values_mut().filter(|one| one.is_extended) {
            let (Some(passive), leases) = (subscription.passive.clone(), subscription.leases()) else {
                continue;
            };
            if !leases.is_empty()
                && let Err(error) = passive.extend(&leases, LEASE).await
            {
                tracing::warn!(%error, "leases of a connection cannot be extended now");
            }
        }
        Ok(())
    }

    async fn arrive(&mut self, number: u64, arrival: Arrival) -> Result<(), End> {
        let streams = self.door.streams.clone();
        let Some(subscription) = self.subscriptions.get_mut(&number) else { return Ok(()) };
        let log = &streams.shared.identity;
        let mut frames = Vec::new();
        match arrival {
            Arrival::Events(items) => {
                for item in &items {
                    let seq = item.seq();
                    let ack = format!("{number}-{}", Position::new(log, seq));
                    let frame = message::logged(subscription.name(ack, Sent::Logged(seq)), item, log);
                    frames.push((frame, Some(seq)));
                }
            }
            Arrival::Messages(messages) => {
                for message in &messages {
                    let ack = format!("{number}-{}", message.token);
                    let naming = subscription.name(ack, Sent::Leased(message.token));
                    frames.push((message::leased(naming, message), None));
                }
                if subscription.ack == AckMode::Auto
                    && let Some(passive) = subscription.passive.clone()
                {
                    for ((frame, _), message) in frames.into_iter().zip(&messages) {
                        self.frame(frame).await?;
                        // Being sent is the answer.
                        if let Err(error) = passive.acknowledge(vec![message.token]).await {
                            tracing::warn!(%error, "messages that were sent cannot be recorded now");
                            return Err(
                                Failure::new("unavailable", "the store is out of reach for now").into()
                            );
                        }
                        if let Some(subscription) = self.subscriptions.get_mut(&number) {
                            subscription.unanswered.pop_front();
                            subscription.unsent = subscription.unsent.saturating_sub(1);
                        }
                    }
                    self.session.resume(number);
                    return Ok(());
                }
            }
            Arrival::Quiet(position) => subscription.position = position.or(subscription.position),
            Arrival::Gap(to) => {
                streams.shared.metrics.gap();
                let gap = Gap::Expired;
                let oldest = Some(at(&streams, to));
                return Err(Refused { oldest, ..Refused::new(gap.code(), gap.detail()) }.into());
            }
            Arrival::Ended if streams.is_stopping() => return Err(End::Stopping),
            Arrival::Ended => {
                let message = format!("{} was changed; subscribe again", subscription.destination);
                let position = subscription.position.map(|position| at(&streams, position));
                return Err(Failure::new("changed", message).at(position).into());
            }
            Arrival::Failed => {
                let position = subscription.position.map(|position| at(&streams, position));
                let message = "the store is out of reach for now";
                return Err(Failure::new("unavailable", message).at(position).into());
            }
        }
        for (frame, position) in frames {
            self.frame(frame).await?;
            if let Some(subscription) = self.subscriptions.get_mut(&number) {
                subscription.position = position.or(subscription.position);
                subscription.unsent = subscription.unsent.saturating_sub(1);
            }
        }
        self.session.resume(number);
        Ok(())
    }
}

impl Subscription {
    /// What its client has leased and not answered for comes again at once. Where being sent is the answer nobody was at anything.
    async fn give_back(&self, parting: Parting) {
        let Some(passive) = &self.passive else { return };
        let parting = if self.ack == AckMode::Auto { Parting::Agreed } else { parting };
        let mut leases = Leases::default();
        leases.add(self.leases());
        for _ in 0..self.unanswered.len().saturating_sub(self.unsent) {
            leases.sent();
        }
        leases.give_back(passive, parting).await;
    }

    /// Names a message, and keeps in mind that it is to be answered for. Where being sent is the answer, that holds for what is
    /// leased until it was sent: if the connection breaks before that, it comes back.
    fn name(&mut self, ack: String, what: Sent) -> Naming<'_> {
        if self.ack != AckMode::Auto || matches!(what, Sent::Leased(_)) {
            self.unanswered.push_back(Unanswered { ack: ack.clone(), what });
            self.unsent += 1;
        }
        Naming {
            subscription: self.id.as_deref(),
            destination: &self.destination,
            ack,
            is_acked: self.ack != AckMode::Auto,
        }
    }
}
