//! One connection that speaks JSON messages.

use super::close::CloseReason;
use super::message::{self, ClientMessage, Place, Publish, Read, Subscribe};
use super::socket::{Heard, Lost, Socket};
use crate::delivery::{MessageToken, PassiveSubscription};
use crate::publish::Receipt;
use crate::store::EventSeq;
use crate::stream::handler::{Gap, at};
use crate::stream::item::DataStyle;
use crate::stream::place::Seat;
use crate::stream::session::{
    Arrival, Caller, Door, Inlet, Leases, MOST_SUBSCRIPTIONS, Parting, Refused, Session,
};
use crate::topic::{Denied, TopicMessage};
use anglerfish_core::policy::Settled;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a connection may be open before it has shown a token that opens something.
const UNOPENED: Duration = Duration::from_secs(10);

/// Wrong tokens, and messages that are none, after which a connection is closed.
const MOST_MISTAKES: u32 = 10;

/// The subscription that the address names.
pub(in crate::stream) struct First {
    pub(in crate::stream) id: String,
    pub(in crate::stream) inlet: Inlet,
    pub(in crate::stream) position: Option<EventSeq>,
    pub(in crate::stream) style: DataStyle,
}

/// One connection.
struct Connection {
    socket: Socket,
    door: Door,
    caller: Caller,
    /// The token that was shown with the address.
    token: Option<String>,
    /// Its place among the connections.
    seat: Seat,
    session: Session,
    /// By the session's numbers.
    subscriptions: HashMap<u64, Subscription>,
    /// By the names that the client gives.
    names: HashMap<String, u64>,
    mistakes: u32,
    is_opened: bool,
}

/// One subscription of a connection.
struct Subscription {
    id: String,
    style: DataStyle,
    /// Where a reader of the log is.
    position: Option<EventSeq>,
    /// What the client was told of that.
    told: Option<EventSeq>,
    passive: Option<PassiveSubscription>,
    /// Messages that it has and has not answered for.
    leased: Leases,
}

/// Why the conversation ends.
enum End {
    /// With a reason.
    Close(CloseReason),
    /// The other side is gone, or as good as gone.
    Lost(Lost),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// Talks with whoever is at the other end until one of the two has enough.
pub(in crate::stream) async fn converse(
    socket: Socket,
    door: Door,
    caller: Caller,
    (token, seat): (Option<String>, Seat),
    first: Option<First>,
) {
    let session = Session::new(&door.streams);
    // Whoever has shown a right token may wait before the first word: a sensor speaks when there is something to say.
    let is_opened =
        first.is_some() || token.as_ref().is_some_and(|token| door.check(token, caller.address).is_ok());
    let mut connection = Connection {
        socket,
        door,
        caller,
        token,
        seat,
        session,
        subscriptions: HashMap::new(),
        names: HashMap::new(),
        mistakes: 0,
        is_opened,
    };
    let end = match first {
        Some(first) => match connection.begin(first).await {
            Ok(()) => connection.run().await,
            Err(end) => end,
        },
        None => connection.run().await,
    };
    connection.finish(end).await;
}

impl Connection {
    async fn begin(&mut self, first: First) -> Result<(), End> {
        let First { id, inlet, position, style } = first;
        self.add(id, inlet, position, style, None, None).await
    }

    async fn run(&mut self) -> End {
        let stopping = self.door.streams.stopping();
        let unopened = Instant::now() + UNOPENED;
        loop {
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => self.restart().await,
                heard = self.socket.hear() => self.hear(heard).await,
                (number, arrival) = self.session.next() => self.arrive(number, arrival).await,
                () = sleep_until(unopened), if !self.is_opened => {
                    Err(End::Close(CloseReason::Unauthorized("no token was shown that opens anything")))
                }
            };
            if let Err(end) = next {
                return end;
            }
        }
    }

    /// Leases that nobody has answered for come again at once.
    async fn finish(mut self, end: End) {
        let parting = match end {
            End::Close(CloseReason::Restart(_)) => Parting::Agreed,
            End::Close(_) | End::Lost(_) => Parting::Broken,
        };
        for subscription in std::mem::take(&mut self.subscriptions).into_values() {
            subscription.give_back(parting).await;
        }
        if matches!(end, End::Lost(Lost::Stalled)) {
            self.caller.watch.cut_off();
        }
        // What it reads ends before the goodbye, which may take a while.
        drop((self.session, self.seat));
        if let End::Close(reason) = end {
            self.socket.close(&reason).await;
        }
    }

    async fn tell(&mut self, message: &Value) -> Result<(), End> {
        Ok(self.socket.text(message.to_string()).await?)
    }

    async fn refuse(
        &mut self,
        reference: Option<&str>,
        id: Option<&str>,
        refused: &Refused,
    ) -> Result<(), End> {
        if matches!(refused.code, "unauthorized" | "too-many-wrong-tokens" | "invalid-message") {
            self.mistakes += 1;
        }
        self.socket.text(message::error(reference, id, refused)).await?;
        match (self.mistakes >= MOST_MISTAKES, refused.code) {
            (false, _) => Ok(()),
            (true, "unauthorized" | "too-many-wrong-tokens") => {
                Err(End::Close(CloseReason::Unauthorized("too many tokens that open nothing")))
            }
            (true, _) => Err(End::Close(CloseReason::Policy("too many messages that cannot be read"))),
        }
    }

    /// The gateway stops: each reader is told where to go on.
    async fn restart(&mut self) -> Result<(), End> {
        let ends: Vec<Value> = self
            .subscriptions
            .values()
            .map(|subscription| {
                let position = subscription.position.map(|position| at(&self.door.streams, position));
                json!({"type": "end", "id": subscription.id, "reason": "stopping", "position": position})
            })
            .collect();
        for end in &ends {
            self.tell(end).await?;
        }
        let reason = match &ends[..] {
            [only] => match only.get("position").and_then(Value::as_str) {
                Some(position) => format!("the gateway stops; go on behind {position}"),
                None => "the gateway stops; come again".to_owned(),
            },
            _ => "the gateway stops; go on behind the positions that were told".to_owned(),
        };
        Err(End::Close(CloseReason::Restart(reason)))
    }

    async fn hear(&mut self, heard: Heard) -> Result<(), End> {
        match heard {
            Heard::Text(text) => {
                let Read { reference, message } = message::read(&text);
                let reference = reference.as_deref();
                match message {
                    Ok(message) => self.obey(message, reference).await,
                    Err(refused) => self.refuse(reference, None, &refused).await,
                }
            }
            Heard::Binary(_) => Err(End::Close(CloseReason::Unsupported(
                "messages of anglerfish.v1 are texts, and this one is binary",
            ))),
            Heard::Closed => Err(End::Lost(Lost::Gone)),
            Heard::Stalled => Err(End::Lost(Lost::Stalled)),
            Heard::Silent => Err(End::Close(CloseReason::Silent)),
        }
    }

    async fn obey(&mut self, message: ClientMessage, reference: Option<&str>) -> Result<(), End> {
        match message {
            ClientMessage::Subscribe(wanted) => self.subscribe(*wanted, reference).await,
            ClientMessage::Unsubscribe { id } => match self.names.remove(&id) {
                Some(number) => {
                    self.session.remove(number);
                    let ended = self.subscriptions.remove(&number);
                    let position = ended.as_ref().and_then(|ended| ended.position);
                    if let Some(ended) = ended {
                        ended.give_back(Parting::Agreed).await;
                    }
                    let position = position.map(|position| at(&self.door.streams, position));
                    let told = json!({"type": "unsubscribed", "id": id, "position": position});
                    Ok(self.socket.text(message::answer(told, reference)).await?)
                }
                None => self.unknown(&id, reference).await,
            },
            ClientMessage::Reserve { id, count } => match self.names.get(&id) {
                Some(number) => {
                    self.session.grant(*number, count);
                    self.confirm(reference).await
                }
                None => self.unknown(&id, reference).await,
            },
            ClientMessage::Ack { id, leases } => {
                let Some(passive) = self.leasing(&id, reference).await? else { return Ok(()) };
                let tokens = self.answered(&id, &leases);
                match passive.acknowledge(tokens.clone()).await {
                    Ok(acked) => {
                        let stale = stale(&leases, &tokens, acked);
                        self.settled("acked", &id, stale, reference).await
                    }
                    Err(error) => self.unsettled(&id, tokens, &error, reference).await,
                }
            }
            ClientMessage::Nack { id, leases, returned } => {
                let Some(passive) = self.leasing(&id, reference).await? else { return Ok(()) };
                let tokens = self.answered(&id, &leases);
                match passive.return_messages(tokens.clone(), returned).await {
                    Ok(settled) => {
                        let is_settled = settled.iter().map(Option::<Settled>::is_some).collect();
                        let stale = stale(&leases, &tokens, is_settled);
                        self.settled("nacked", &id, stale, reference).await
                    }
                    Err(error) => self.unsettled(&id, tokens, &error, reference).await,
                }
            }
            ClientMessage::Extend { id, leases, lease } => {
                let Some(passive) = self.leasing(&id, reference).await? else { return Ok(()) };
                let tokens = message::tokens(&leases);
                match passive.extend(&tokens, lease).await {
                    Ok(extended) => {
                        let is_extended = extended.iter().map(Option::is_some).collect();
                        let stale = stale(&leases, &tokens, is_extended);
                        self.settled("extended", &id, stale, reference).await
                    }
                    Err(error) => self.unsettled(&id, Vec::new(), &error, reference).await,
                }
            }
            ClientMessage::Publish(wanted) => match self.publish(*wanted).await {
                Ok(receipt) => {
                    self.is_opened = true;
                    if reference.is_none() {
                        return Ok(());
                    }
                    let is_duplicate = receipt.deliveries.is_none();
                    let told = json!({"type": "published", "id": receipt.id, "duplicate": is_duplicate});
                    Ok(self.socket.text(message::answer(told, reference)).await?)
                }
                Err(refused) => self.refuse(reference, None, &refused).await,
            },
            ClientMessage::Ping => {
                Ok(self.socket.text(message::answer(json!({"type": "pong"}), reference)).await?)
            }
        }
    }

    /// Says that it was done, to whoever wants to know.
    async fn confirm(&mut self, reference: Option<&str>) -> Result<(), End> {
        match reference {
            Some(_) => Ok(self.socket.text(message::answer(json!({"type": "ok"}), reference)).await?),
            None => Ok(()),
        }
    }

    async fn unknown(&mut self, id: &str, reference: Option<&str>) -> Result<(), End> {
        let refused = Refused::new("unknown-id", "there is no such subscription on this connection");
        self.refuse(reference, Some(id), &refused).await
    }

    /// The passive subscription that a message is about; if it is about none, that is said.
    async fn leasing(
        &mut self,
        id: &str,
        reference: Option<&str>,
    ) -> Result<Option<PassiveSubscription>, End> {
        let Some(subscription) = self.names.get(id).and_then(|number| self.subscriptions.get(number)) else {
            self.unknown(id, reference).await?;
            return Ok(None);
        };
        if subscription.passive.is_none() {
            let detail = "nothing is leased here: a reader of the log has its position";
            self.refuse(reference, Some(id), &Refused::new("not-passive", detail)).await?;
            return Ok(None);
        }
        Ok(subscription.passive.clone())
    }

    /// The leases that are answered for; they are no longer given back at the end.
    fn answered(&mut self, id: &str, leases: &[String]) -> Vec<MessageToken> {
        let tokens = message::tokens(leases);
        if let Some(subscription) = self.names.get(id).and_then(|number| self.subscriptions.get_mut(number)) {
            subscription.leased.answered(&tokens);
        }
        tokens
    }

    async fn settled(
        &mut self,
        kind: &str,
        id: &str,
        stale: Vec<&String>,
        reference: Option<&str>,
    ) -> Result<(), End> {
        if reference.is_none() && stale.is_empty() {
            return Ok(());
        }
        let told = json!({"type": kind, "id": id, "stale": stale});
        Ok(self.socket.text(message::answer(told, reference)).await?)
    }

    async fn unsettled(
        &mut self,
        id: &str,
        tokens: Vec<MessageToken>,
        error: &crate::store::StoreError,
        reference: Option<&str>,
    ) -> Result<(), End> {
        tracing::warn!(%error, "what a subscriber answered cannot be recorded now");
        if let Some(subscription) = self.names.get(id).and_then(|number| self.subscriptions.get_mut(number)) {
            subscription.leased.restore(tokens);
        }
        let refused = Refused::new("unavailable", "the store is out of reach for now; the leases stand");
        self.refuse(reference, Some(id), &refused).await
    }

    async fn subscribe(&mut self, wanted: Subscribe, reference: Option<&str>) -> Result<(), End> {
        let id = wanted.id.clone();
        match self.open(&wanted).await {
            Ok((inlet, position)) => {
                self.is_opened = true;
                self.add(id, inlet, position, wanted.style, wanted.credit, reference).await
            }
            Err(refused) => self.refuse(reference, Some(&id), &refused).await,
        }
    }

    async fn publish(&mut self, wanted: Publish) -> Result<Receipt, Refused> {
        let Publish { topic, token, event } = wanted;
        let shown = token.as_ref().or(self.token.as_ref()).map(String::as_str).unwrap_or_default();
        let topic = self.door.topic_to_publish(&topic, shown, self.caller.address)?;
        self.seat.show(shown)?;
        let now = self.door.now();
        let invalid = |denied: Denied| Refused::new("invalid-message", denied.to_string());
        let message = TopicMessage::structured(&event, &topic.source, now);
        let message = message.map_err(Denied::Invalid).map_err(invalid)?;
        let event = topic.event(message, now).map_err(invalid)?;
        let receipts = self.door.publish(vec![event]).await?;
        receipts.into_iter().next().ok_or_else(|| Refused::new("unavailable", "nothing was published"))
    }

    async fn open(&mut self, wanted: &Subscribe) -> Result<(Inlet, Option<EventSeq>), Refused> {
        if self.names.contains_key(&wanted.id) {
            return Err(Refused::new("taken-id", "there is a subscription of this id on this connection"));
        }
        if self.names.len() >= MOST_SUBSCRIPTIONS {
            let detail = format!("one connection has at most {MOST_SUBSCRIPTIONS} subscriptions");
            return Err(Refused::new("too-many-subscriptions", detail));
        }
        let shown = wanted.token.as_ref().or(self.token.as_ref()).map(String::as_str).unwrap_or_default();
        let target = match &wanted.from {
            Place::Subscription(id) => self.door.find(id, shown, self.caller.address)?,
            Place::Topic(name) => self.door.find_topic(name, shown, self.caller.address)?,
        };
        self.seat.show(shown)?;
        let opened = self.door.open(&target, shown, &self.caller, wanted.request).await?;
        Ok((opened.inlet, opened.position))
    }

    async fn add(
        &mut self,
        id: String,
        inlet: Inlet,
        position: Option<EventSeq>,
        style: DataStyle,
        credit: Option<u64>,
        reference: Option<&str>,
    ) -> Result<(), End> {
        let passive = inlet.passive();
        let begins = position.map(|position| at(&self.door.streams, position));
        let mode = if passive.is_some() { "passive" } else { "stream" };
        let told = json!({"type": "subscribed", "id": id, "mode": mode, "position": begins});
        let number = self.session.add(inlet, credit);
        self.names.insert(id.clone(), number);
        let leased = Leases::default();
        self.subscriptions
            .insert(number, Subscription { id, style, position, told: position, passive, leased });
        Ok(self.socket.text(message::answer(told, reference)).await?)
    }

    async fn arrive(&mut self, number: u64, arrival: Arrival) -> Result<(), End> {
        let streams = self.door.streams.clone();
        let Some(subscription) = self.subscriptions.get_mut(&number) else { return Ok(()) };
        match arrival {
            Arrival::Events(items) => {
                for item in &items {
                    let text =
                        message::event(&subscription.id, item, &streams.shared.identity, subscription.style);
                    self.socket.text(text).await?;
                    subscription.position = Some(item.seq());
                }
                subscription.told = subscription.position;
            }
            Arrival::Messages(messages) => {
                // All of them are the client's before the first one is sent: what it does not get comes back at once.
                subscription.leased.add(messages.iter().map(|message| message.token));
                for message in &messages {
                    let text = message::leased(&subscription.id, message, subscription.style);
                    self.socket.text(text).await?;
                    subscription.leased.sent();
                }
            }
            Arrival::Quiet(position) => {
                subscription.position = position.or(subscription.position);
                if subscription.told != subscription.position {
                    subscription.told = subscription.position;
                    let position = position.map(|position| at(&streams, position));
                    let told = json!({"type": "position", "id": subscription.id, "position": position});
                    self.tell(&told).await?;
                }
            }
            Arrival::Gap(to) => {
                streams.shared.metrics.gap();
                let gap = Gap::Expired;
                let refused =
                    Refused { oldest: Some(at(&streams, to)), ..Refused::new(gap.code(), gap.detail()) };
                return self.end(number, &refused).await;
            }
            Arrival::Failed => {
                let refused = Refused::new("unavailable", "the store is out of reach for now");
                return self.end(number, &refused).await;
            }
            Arrival::Ended => {
                let position = subscription.position.map(|position| at(&streams, position));
                let told =
                    json!({"type": "end", "id": subscription.id, "reason": "changed", "position": position});
                // Which of the two it is is found out by the caller's next look; then all are told.
                if streams.is_stopping() {
                    return Ok(());
                }
                self.names.remove(&subscription.id);
                if let Some(ended) = self.subscriptions.remove(&number) {
                    ended.give_back(Parting::Agreed).await;
                }
                return self.tell(&told).await;
            }
        }
        self.session.resume(number);
        Ok(())
    }

    /// A subscription has come to an end that the client did not ask for.
    async fn end(&mut self, number: u64, refused: &Refused) -> Result<(), End> {
        let Some(subscription) = self.subscriptions.remove(&number) else { return Ok(()) };
        self.names.remove(&subscription.id);
        let told = message::error(None, Some(&subscription.id), refused);
        subscription.give_back(Parting::Agreed).await;
        Ok(self.socket.text(told).await?)
    }
}

impl Subscription {
    /// It is over: what its client has leased and not answered for comes again at once.
    async fn give_back(self, parting: Parting) {
        if let Some(passive) = &self.passive {
            self.leased.give_back(passive, parting).await;
        }
    }
}

/// Those that were stale, and those that are no leases at all.
fn stale<'a>(leases: &'a [String], tokens: &[MessageToken], is_settled: Vec<bool>) -> Vec<&'a String> {
    let settled: BTreeSet<MessageToken> = tokens
        .iter()
        .zip(is_settled)
        .filter(|(_, is_settled)| *is_settled)
        .map(|(token, _)| *token)
        .collect();
    let is_stale = |text: &&String| MessageToken::parse(text).is_none_or(|token| !settled.contains(&token));
    leases.iter().filter(is_stale).collect()
}
