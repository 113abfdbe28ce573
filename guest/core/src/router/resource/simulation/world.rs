//! The world: producers, a process that decides and dies, and subscribers.

use super::disk::{Delivery, Disk, Follower, Overlay};
use super::subscriber::{Seen, Subscriber};
use crate::decision::DocumentDecision;
use crate::request::UnixMillis;
use crate::resource::{Holding, Revision, StoredDocument};
use crate::router::{
    Announcement, DocumentChange, FormerFilter, Notice, Router, RoutingDocument, RoutingInterest,
    RoutingResource,
};
use std::collections::BTreeMap;

/// A fault that is built in to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// What a subscriber has is written before it has answered.
    AcknowledgesFirst,
    /// Nobody looks whether what a decision read was changed meanwhile.
    ForgetsConflicts,
    /// How far a subscriber was told is written before it is told.
    MovesPlaceFirst,
    /// A delivery ends without its acknowledgement.
    NeverAcknowledges,
    /// A delivery tells what the entry of the log says, whatever there is now and whatever its subscriber has.
    IgnoresTheOrder,
    /// What an attempt told that was interrupted is taken for not told.
    ForgetsInterruptions,
    /// What a subscriber has by the filter before is forgotten.
    ForgetsFilters,
    /// What is tried again is told though a later change was told meanwhile.
    GoesBack,
}

impl Defect {
    pub(super) const ALL: [Self; 8] = [
        Self::AcknowledgesFirst,
        Self::ForgetsConflicts,
        Self::MovesPlaceFirst,
        Self::NeverAcknowledges,
        Self::IgnoresTheOrder,
        Self::ForgetsInterruptions,
        Self::ForgetsFilters,
        Self::GoesBack,
    ];
}

/// A document as its producer knows it.
#[derive(Debug, Clone, Copy)]
struct Fact {
    version: u64,
    seen: Seen,
}

/// An attempt that is under way.
struct Flight {
    delivery: u64,
    notice: Notice,
}

pub(super) struct World {
    seed: u64,
    drawn: u64,
    defect: Option<Defect>,
    disk: Disk,
    router: Router,
    flights: Vec<Flight>,
    subscribers: BTreeMap<String, Subscriber>,
    exists: BTreeMap<String, Fact>,
    /// Until when an older revision of a deleted document is no news.
    buried: BTreeMap<String, (u64, u64)>,
    tombstones: Option<u64>,
    now: u64,
    changes: u64,
    puts: u64,
    names: u64,
    /// What has happened, for whoever looks at a history that breaks a promise.
    pub(super) told: Vec<String>,
}

const WANTED: &str = "new.q > 0";
const OTHER: &str = "new.q != 1";
const EDGE: &str = "new.q > 0 && (old == null || old.q == 0)";
const DOCUMENTS: u64 = 4;

impl World {
    pub(super) fn new(seed: u64, defect: Option<Defect>) -> Self {
        let mut world = Self {
            seed,
            drawn: 0,
            defect,
            disk: Disk::default(),
            router: Router::load(&serde_json::to_vec(&RoutingDocument::default()).unwrap()).unwrap(),
            flights: Vec::new(),
            subscribers: BTreeMap::new(),
            exists: BTreeMap::new(),
            buried: BTreeMap::new(),
            tombstones: None,
            now: 1000,
            changes: 0,
            puts: 0,
            names: 0,
            told: Vec::new(),
        };
        world.tombstones = world.one_in(2).then_some(6);
        world.restart();
        for _ in 0..2 {
            world.subscribe();
        }
        world
    }

    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
        self.drawn += 1;
        let step = self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let place = self.below((from.len() as u64).max(1));
        from.get(usize::try_from(place).unwrap()).cloned()
    }

    fn url(&mut self) -> String {
        format!("http://h/items/{}", self.below(DOCUMENTS))
    }

    fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    /// The process begins anew with what is on disk.
    fn restart(&mut self) {
        self.tell("the process begins anew".to_owned());
        // Whether they were taken nobody knows; that they were begun is on disk.
        for Flight { delivery, notice } in std::mem::take(&mut self.flights) {
            self.interrupt(delivery, &notice);
        }
        let resource = RoutingResource {
            id: "items".into(),
            endpoint: "http://h/items/{id}".into(),
            field: "v".into(),
            format: None,
            tombstones: self.tombstones,
        };
        let document = RoutingDocument { resource: vec![resource], ..RoutingDocument::default() };
        self.router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        for id in self.disk.followers.keys().cloned().collect::<Vec<_>>() {
            self.follow(&id);
        }
    }

    fn interrupt(&mut self, number: u64, notice: &Notice) {
        let Some(delivery) = self.disk.deliveries.get_mut(&number) else { return };
        delivery.is_interrupted = true;
        if notice.telling.is_some() {
            let (subscription, url) = (delivery.subscription.clone(), delivery.url().to_owned());
            subscriber_of(&mut self.subscribers, &subscription).doubtful.insert(url);
        }
    }

    fn follow(&mut self, id: &str) {
        let Follower { generation, filter, every, filter_since, former, .. } = &self.disk.followers[id];
        let interest = RoutingInterest {
            resource: "items".into(),
            generation: *generation,
            every: *every,
            filter_since: *filter_since,
            former: former.clone(),
        };
        let subscription = serde_json::json!({"id": id, "filter": filter, "interest": interest});
        self.router.put_subscription(subscription.to_string().as_bytes()).unwrap();
    }

    fn subscribe(&mut self) {
        // An id may come back: what it had before it has no more.
        let id = format!("s{}", if self.one_in(3) { self.below(4) } else { self.names % 4 });
        if self.disk.followers.contains_key(&id) {
            return;
        }
        self.names += 1;
        self.disk.generation += 1;
        let filter = self.pick(&[None, None, Some(WANTED), Some(WANTED), Some(EDGE)]).unwrap();
        let place = self.one_in(2).then(|| (String::new(), Announcement::Missed));
        let every = self.one_in(3);
        let generation = self.disk.generation;
        let follower = Follower { generation, filter, every, filter_since: 0, former: Vec::new(), place };
        self.tell(format!("{id} subscribes: {follower:?}"));
        self.disk.followers.insert(id.clone(), follower);
        self.subscribers.insert(id.clone(), Subscriber::default());
        self.follow(&id);
    }

    /// A subscriber gets another filter.
    fn refilter(&mut self) {
        let ids: Vec<String> = self.disk.followers.keys().cloned().collect();
        let Some(id) = self.pick(&ids) else { return };
        let filter = self.pick(&[None, Some(WANTED), Some(OTHER), Some(EDGE)]).unwrap();
        self.disk.generation += 1;
        let until = self.disk.generation;
        let follower = self.disk.followers.get_mut(&id).unwrap();
        let before = std::mem::replace(&mut follower.filter, filter);
        if self.defect != Some(Defect::ForgetsFilters) {
            follower.former.push(FormerFilter { until, filter: before.map(str::to_owned) });
            follower.filter_since = until;
            let why = follower.place.as_ref().map_or(Announcement::Refiltered, |(_, why)| *why);
            follower.place = Some((String::new(), why));
        }
        self.tell(format!("{id} has another filter: {filter:?}"));
        self.follow(&id);
    }

    fn unsubscribe(&mut self) {
        let ids: Vec<String> = self.disk.followers.keys().cloned().collect();
        let Some(id) = self.pick(&ids) else { return };
        self.tell(format!("{id} unsubscribes"));
        self.router.delete_subscription(&id);
        self.disk.dismiss(&id);
        self.subscribers.remove(&id);
        let Self { flights, disk, .. } = self;
        flights.retain(|flight| disk.deliveries.contains_key(&flight.delivery));
    }

    fn body(&mut self) -> (u64, String) {
        self.puts += 1;
        let (version, quantity, number) = (self.below(12), self.below(3), self.puts);
        (version, format!("{{\"v\": {version}, \"q\": {quantity}, \"n\": {number}}}"))
    }

    /// What its producer knows after a change that is on disk.
    fn note(&mut self, url: &str, body: Option<&str>) {
        let Some(body) = body else {
            if let Some(fact) = self.exists.remove(url) {
                match self.tombstones {
                    Some(kept) => drop(self.buried.insert(url.to_owned(), (fact.version, self.now + kept))),
                    None => drop(self.buried.remove(url)),
                }
            }
            return;
        };
        if self.disk.followers.is_empty() {
            // Nobody is told, and what was kept is not what there is any more.
            self.exists.remove(url);
            return;
        }
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        let version = value["v"].as_u64().unwrap();
        let is_newer = match (self.exists.get(url), self.buried.get(url)) {
            (Some(fact), _) => version > fact.version,
            (None, Some((buried, until))) => version > *buried || *until <= self.now,
            (None, None) => true,
        };
        if is_newer {
            self.exists.insert(url.to_owned(), Fact { version, seen: Seen::read(body.as_bytes()) });
        }
    }

    /// Puts or deletes a document; another change may come between the decision and its commit.
    fn change(&mut self, url: &str, body: Option<&str>, between: Option<(String, Option<String>)>) {
        let mut between = between;
        loop {
            self.changes += 1;
            self.now += 1;
            let (id, now) = (format!("c{}", self.changes), self.now);
            let mut overlay = self.disk.overlay();
            let change =
                DocumentChange { id: &id, url, body: body.map(str::as_bytes), received: UnixMillis(now) };
            let decision = self.router.change_document(&change, &mut overlay);
            if let Some((url, body)) = between.take() {
                self.change(&url, body.as_deref(), None);
            }
            let deliveries = match decision {
                DocumentDecision::Ignore => Vec::new(),
                DocumentDecision::Accept(accepted) => {
                    let data = accepted.data.clone().or_else(|| body.map(|body| body.as_bytes().to_vec()));
                    deliveries(&accepted, data.unwrap_or_default())
                }
                other => panic!("{other:?}"),
            };
            let whom: Vec<String> = deliveries.iter().map(|one| one.subscription.clone()).collect();
            if self.commit(overlay, deliveries) {
                self.tell(format!("{url} becomes {body:?}, for {whom:?}"));
                let later = std::mem::replace(&mut self.now, now);
                self.note(url, body);
                self.now = later;
                return;
            }
        }
    }

    fn commit(&mut self, overlay: Overlay, deliveries: Vec<Delivery>) -> bool {
        let checks = self.defect != Some(Defect::ForgetsConflicts);
        self.disk.commit(overlay, deliveries, checks)
    }

    fn other_change(&mut self, url: &str) -> Option<(String, Option<String>)> {
        if !self.one_in(4) {
            return None;
        }
        let body = if self.one_in(4) { None } else { Some(self.body().1) };
        Some((url.to_owned(), body))
    }

    /// One attempt begins.
    fn begin(&mut self) {
        // One of a subscriber and a document runs at a time, also where an earlier one is tried again by hand.
        let ready = self.disk.ready();
        let places = |number: &u64| {
            self.disk.deliveries.get(number).map(|one| (one.subscription.clone(), one.url().to_owned()))
        };
        let running: Vec<_> = self.flights.iter().map(|flight| places(&flight.delivery)).collect();
        let ready: Vec<u64> = ready.into_iter().filter(|number| !running.contains(&places(number))).collect();
        let Some(number) = self.pick(&ready) else { return };
        let Delivery { subscription, event, data, is_interrupted, is_outlived, .. } =
            self.disk.deliveries[&number].clone();
        let is_outlived = is_outlived && self.defect != Some(Defect::GoesBack);
        if is_interrupted && self.defect != Some(Defect::ForgetsInterruptions) {
            self.doubt(number);
            // It may have been told of what came after meanwhile, and is asked to take back all the same.
            let url = event.subject.clone().unwrap();
            subscriber_of(&mut self.subscribers, &subscription).doubtful.insert(url);
        }
        let mut overlay = self.disk.overlay();
        let entry = (&event, data.as_slice());
        let mut notice =
            self.router.document_notice(&subscription, entry, is_outlived, &mut overlay).unwrap();
        if self.defect == Some(Defect::IgnoresTheOrder)
            && let Some(telling) = &mut notice.telling
            && telling.document.is_some()
            && telling.action != crate::resource::Action::Delete
        {
            telling.document = Some(data);
        }
        self.tell(format!(
            "{number} of {subscription} begins: {} {:?}: {}",
            event.kind, event.subject, notice.reason
        ));
        if self.defect == Some(Defect::AcknowledgesFirst) {
            self.acknowledge(number, &notice);
        }
        self.flights.push(Flight { delivery: number, notice });
    }

    /// One attempt comes to its end: the subscriber answers, what it has is written, the delivery ends. The process may die between
    /// any two of them.
    fn end(&mut self, is_healthy: bool) -> Result<(), String> {
        if self.flights.is_empty() {
            return Ok(());
        }
        let place = usize::try_from(self.below(self.flights.len() as u64)).unwrap();
        let Flight { delivery: number, notice } = self.flights.swap_remove(place);
        let Some(Delivery { subscription, event, .. }) = self.disk.deliveries.get(&number).cloned() else {
            return Ok(());
        };
        let url = event.subject.clone().unwrap();
        if let Some(telling) = &notice.telling {
            if !is_healthy && self.one_in(3) {
                if self.one_in(4) {
                    self.tell(format!("{number} of {subscription} is taken, and its answer is lost"));
                    // Its answer is lost: it may have it, and the process knows that.
                    let subscriber = self.subscribers.get_mut(&subscription).unwrap();
                    subscriber.take(&url, telling).map_err(|fault| format!("{subscription} is {fault}"))?;
                    subscriber.doubtful.insert(url.clone());
                    self.doubt(number);
                }
                self.tell(format!("{number} of {subscription} fails"));
                if self.one_in(6) {
                    self.tell(format!("{number} is given up"));
                    self.disk.deliveries.get_mut(&number).unwrap().is_dead = true;
                }
                return Ok(());
            }
            let subscriber = self.subscribers.get_mut(&subscription).unwrap();
            subscriber.take(&url, telling).map_err(|fault| format!("{subscription} is {fault}"))?;
            subscriber.doubtful.insert(url.clone());
            if !is_healthy && self.one_in(8) {
                self.interrupt(number, &notice);
                self.restart();
                return Ok(());
            }
        }
        if self.defect != Some(Defect::NeverAcknowledges) {
            self.acknowledge(number, &notice);
        }
        if !is_healthy && self.one_in(12) {
            self.interrupt(number, &notice);
            self.restart();
            return Ok(());
        }
        self.tell(format!(
            "{number} of {subscription} ends: {:?}",
            notice.telling.as_ref().map(|one| one.action)
        ));
        self.disk.end(number);
        // Who lost what it had may be told of it by what waited, and then again by the resync.
        let follower = self.disk.followers.get(&subscription);
        let is_lost = |place: &(String, Announcement)| place.1 == Announcement::Lost;
        let is_lost = follower.is_some_and(|one| one.place.as_ref().is_some_and(is_lost));
        if notice.telling.is_some() && !is_lost {
            subscriber_of(&mut self.subscribers, &subscription).doubtful.remove(&url);
        }
        Ok(())
    }

    fn doubt(&mut self, number: u64) {
        let Delivery { subscription, event, data, .. } = self.disk.deliveries[&number].clone();
        let mut between = self.other_change(event.subject.as_deref().unwrap());
        loop {
            let mut overlay = self.disk.overlay();
            self.router.doubt_document(&subscription, &event, &data, &mut overlay).unwrap();
            if let Some((url, body)) = between.take() {
                self.change(&url, body.as_deref(), None);
            }
            if self.commit(overlay, Vec::new()) {
                return;
            }
        }
    }

    fn acknowledge(&mut self, number: u64, notice: &Notice) {
        let Delivery { subscription, event, .. } = self.disk.deliveries[&number].clone();
        let url = event.subject.unwrap();
        if notice.receipt.is_empty() {
            return;
        }
        let mut between = self.other_change(&url);
        loop {
            let mut overlay = self.disk.overlay();
            self.router.acknowledge_document(&subscription, &url, &notice.receipt, &mut overlay).unwrap();
            if let Some((url, body)) = between.take() {
                self.change(&url, body.as_deref(), None);
            }
            if self.commit(overlay, Vec::new()) {
                return;
            }
        }
    }

    /// One step for one subscriber that is told of what was there before.
    fn backfill(&mut self, is_healthy: bool) {
        let told = self.disk.followers.iter().filter(|(_, follower)| follower.place.is_some());
        let told: Vec<String> = told.map(|(id, _)| id.clone()).collect();
        let Some(id) = self.pick(&told) else { return };
        let (after, why) = self.disk.followers[&id].place.clone().unwrap();
        let documents =
            self.disk.keys.iter().filter(|(key, _)| key.starts_with("document/") && **key > after);
        let page: Vec<(String, StoredDocument)> = documents
            .take(2)
            .map(|(key, bytes)| (key.clone(), StoredDocument::decoded(bytes).unwrap()))
            .collect();
        let place = page.last().map(|(key, _)| (key.clone(), why));
        if self.defect == Some(Defect::MovesPlaceFirst) {
            self.disk.followers.get_mut(&id).unwrap().place.clone_from(&place);
        }
        for (_, document) in page.into_iter().filter(|(_, document)| document.is_present()) {
            if !is_healthy && self.one_in(10) {
                return self.restart();
            }
            self.announce(&id, &document.url, why);
        }
        let is_done = place.is_none();
        let follower = self.disk.followers.get_mut(&id).unwrap();
        follower.place = place;
        if is_done {
            if why != Announcement::Refiltered {
                follower.generation = 0;
            }
            follower.former.clear();
            self.follow(&id);
        }
    }

    fn announce(&mut self, id: &str, url: &str, why: Announcement) {
        let mut between = self.other_change(url);
        loop {
            self.changes += 1;
            self.now += 1;
            let name = format!("c{}", self.changes);
            let change = DocumentChange { id: &name, url, body: None, received: UnixMillis(self.now) };
            let mut overlay = self.disk.overlay();
            let decision = self.router.announce_document(id, &change, why, &mut overlay);
            if let Some((url, body)) = between.take() {
                self.change(&url, body.as_deref(), None);
            }
            let deliveries = match decision {
                DocumentDecision::Ignore => Vec::new(),
                DocumentDecision::Accept(accepted) => {
                    let data = accepted.data.clone().unwrap_or_default();
                    deliveries(&accepted, data)
                }
                other => panic!("{other:?}"),
            };
            let is_told = !deliveries.is_empty();
            if self.commit(overlay, deliveries) {
                self.tell(format!("{id} is to be told of {url} as it is: {is_told}"));
                return;
            }
        }
    }

    /// A subscriber loses what it has, and somebody has it told again. Attempts that are under way do not reach it.
    fn lose(&mut self) {
        let ids: Vec<String> = self.disk.followers.keys().cloned().collect();
        let Some(id) = self.pick(&ids) else { return };
        let Self { flights, disk, .. } = self;
        flights
            .retain(|flight| disk.deliveries.get(&flight.delivery).is_some_and(|one| one.subscription != id));
        self.tell(format!("{id} loses what it has"));
        let urls = (0..DOCUMENTS).map(|number| format!("http://h/items/{number}"));
        self.subscribers.get_mut(&id).unwrap().lose(urls);
        self.disk.followers.get_mut(&id).unwrap().place = Some((String::new(), Announcement::Lost));
    }

    /// Deliveries that were given up are tried again.
    fn retry(&mut self) {
        self.disk.free();
        self.disk.deliveries.values_mut().for_each(|delivery| delivery.is_dead = false);
    }

    /// Somebody has one delivery tried again that was given up, or made again that ended.
    fn retry_one(&mut self) {
        let dead = self.disk.deliveries.iter().filter(|(_, delivery)| delivery.is_dead);
        let dead: Vec<u64> = dead.map(|(number, _)| *number).collect();
        if self.one_in(2)
            && let Some(number) = self.pick(&dead)
        {
            self.tell(format!("{number} is tried again"));
            self.disk.deliveries.get_mut(&number).unwrap().is_dead = false;
            return;
        }
        let ended = self.disk.ended.clone();
        if let Some(ended) = self.pick(&ended) {
            self.tell(format!("what was told to {} by {} is made again", ended.subscription, ended.event.id));
            self.disk.repeat(ended);
        }
    }

    pub(super) fn step(&mut self) -> Result<(), String> {
        self.disk.free();
        match self.below(40) {
            0..=11 => {
                let url = self.url();
                // The one that comes between is on disk before, and so has the lower number.
                let between = self.other_change(&url);
                let (_, body) = self.body();
                self.change(&url, Some(&body), between);
            }
            12..=14 => {
                let url = self.url();
                let between = self.other_change(&url);
                self.change(&url, None, between);
            }
            15..=24 => self.begin(),
            25..=33 => self.end(false)?,
            34..=35 => self.backfill(false),
            36 => self.subscribe(),
            37 => match self.below(4) {
                0 => self.unsubscribe(),
                1 => self.retry(),
                2 => self.retry_one(),
                _ => self.refilter(),
            },
            38 if self.one_in(3) => self.lose(),
            38 => {}
            _ => self.restart(),
        }
        Ok(())
    }

    /// All troubles are over: everybody is told, then each document is put once more as it is, so that those get it who came later.
    pub(super) fn come_to_rest(&mut self) -> Result<(), String> {
        self.settle()?;
        for (url, fact) in self.exists.clone() {
            let Seen { number, quantity } = fact.seen;
            let body = format!("{{\"v\": {}, \"q\": {quantity}, \"n\": {number}}}", fact.version);
            self.change(&url, Some(&body), None);
        }
        self.settle()?;
        for (id, follower) in &self.disk.followers {
            let subscriber = &self.subscribers[id];
            let held = subscriber.held.clone();
            let wants = |fact: &Fact| match follower.filter {
                Some(OTHER) => fact.seen.quantity != 1,
                filter => filter.is_none() || fact.seen.quantity > 0,
            };
            let wanted = self.exists.iter().filter(|(_, fact)| wants(fact));
            let wanted: BTreeMap<String, Seen> = wanted.map(|(url, fact)| (url.clone(), fact.seen)).collect();
            if follower.filter == Some(EDGE) {
                // It is told of changes, not of documents; but never of what is gone.
                if let Some(url) = held.keys().find(|url| !self.exists.contains_key(*url)) {
                    return Err(format!("{id} was not told the end of {url}"));
                }
            } else if held != wanted {
                return Err(format!("{id} ({follower:?}) has {held:?}, and there is {wanted:?}"));
            } else if let Some(key) = self.disk.keys.iter().find_map(|(key, bytes)| {
                let url = key.strip_prefix(&format!("holding/{id}/"))?;
                // What was written for one who is told of all that was there, or has had another filter, says later what is
                // implied, until the next change that it is told of.
                let held = Holding::decoded(bytes).ok()?;
                let is_implied = match (held.told, wanted.contains_key(url)) {
                    (None, false) => follower.filter_since > 0 && !held.doubt,
                    (None, true) | (Some(_), false) => false,
                    (Some(told), true) => self.exists.get(url).is_some_and(|fact| {
                        i64::try_from(fact.version)
                            .is_ok_and(|version| told.revision == Revision::Number(version))
                    }),
                };
                (!is_implied).then_some(key)
            }) {
                return Err(format!("{key} is kept, though {id} has everything"));
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            self.retry();
            let is_told = self.disk.followers.values().all(|follower| follower.place.is_none());
            if is_told && self.disk.deliveries.is_empty() {
                return Ok(());
            }
            self.backfill(true);
            self.begin();
            self.end(true)?;
        }
        Err(format!("it does not come to rest: {:?}", self.disk.deliveries))
    }
}

fn subscriber_of<'s>(all: &'s mut BTreeMap<String, Subscriber>, id: &str) -> &'s mut Subscriber {
    all.get_mut(id).unwrap()
}

fn deliveries(accepted: &crate::decision::AcceptedEvent, data: Vec<u8>) -> Vec<Delivery> {
    let intents = accepted.intents.iter();
    intents
        .map(|intent| Delivery {
            subscription: intent.subscription.clone(),
            event: accepted.event.clone(),
            data: data.clone(),
            place: 0,
            is_dead: false,
            is_outlived: false,
            is_interrupted: false,
        })
        .collect()
}
