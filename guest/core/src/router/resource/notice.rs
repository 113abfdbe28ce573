//! What a subscriber is told when its delivery runs, and what it has from then on.
//!
//! It is settled then and not before: of many changes that wait the newest is told, and those behind it find nothing
//! more to tell.

use super::change::told_of;
use super::table::{Compared, Follower, Looked, Resources, Wish, held, stored};
use super::{DELETED, GENERATION, INCARNATION, RESOURCE, REVISION};
use crate::event::Event;
use crate::request::UnixMillis;
use crate::resource::{
    Action, DocumentState, DocumentUrl, Holding, REVISION as REVISION_WILDCARD, Revision, StoredDocument,
    Told, holding_key,
};
use crate::router::table::Router;
use crate::state::Keys;

/// What a delivery of a document has to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice {
    /// What is told; `None` if the subscriber has all that it wants.
    pub telling: Option<Telling>,
    /// Why, in a sentence.
    pub reason: String,
    /// What [`Router::acknowledge_document`] wants to be given once the subscriber has it; empty if there is nothing to write.
    pub receipt: Vec<u8>,
}

/// What is told of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The id of what is told: the same as often as this is told, and another one for anything else. Of a revision it is that of the
    /// log's entry which has it; of an end that no entry is about that of the entry with `-delete` behind.
    pub id: String,
    /// What became of it.
    pub action: Action,
    /// Its content, or the last one of a document that is gone, as far as that is known.
    pub document: Option<Vec<u8>>,
    /// When that came.
    pub updated: UnixMillis,
    /// What tells it from another document that had its URL before.
    pub incarnation: String,
    /// What stands in the place of wildcards, the revision among them.
    pub values: Vec<(String, String)>,
}

impl Router {
    /// What a delivery of a document's change has to tell its subscriber now. Nothing is written.
    ///
    /// One that is `outlived` was tried again, or made again, though a later change of its document was told or was no news: who is
    /// told of every revision is told nothing by it, but the end of a document that is gone.
    ///
    /// # Errors
    ///
    /// Why the state could not be read, or what of it is none.
    pub fn document_notice(
        &mut self,
        subscription: &str,
        (event, data): (&Event, &[u8]),
        outlived: bool,
        keys: &mut dyn Keys,
    ) -> Result<Notice, String> {
        self.resources.notice(subscription, (event, data), outlived, keys)
    }

    /// Writes down that a subscriber may have been told of a document: an attempt was begun, and nobody knows what came of it.
    ///
    /// # Errors
    ///
    /// Why the state could not be read or written.
    pub fn doubt_document(
        &mut self,
        subscription: &str,
        event: &Event,
        data: &[u8],
        keys: &mut dyn Keys,
    ) -> Result<(), String> {
        self.resources.doubt(subscription, event, data, keys)
    }

    /// Writes down that a subscriber has what a notice told, by its receipt.
    ///
    /// # Errors
    ///
    /// Why the state could not be written.
    pub fn acknowledge_document(
        &mut self,
        subscription: &str,
        url: &str,
        receipt: &[u8],
        keys: &mut dyn Keys,
    ) -> Result<(), String> {
        let Some(follower) = self.resources.followers.get(subscription) else { return Ok(()) };
        let fault = || "the receipt of a notice cannot be read".to_owned();
        let receipt = Receipt::decoded(receipt).ok_or_else(fault)?;
        let stored = stored(&follower.resource, url, keys)?;
        let is_same = stored.as_ref().map_or(String::new(), StoredDocument::head) == receipt.head
            && follower.filter_since == receipt.filter_since;
        let key = holding_key(subscription, url);
        let (holding, is_new) = match if is_same { receipt.same } else { receipt.other } {
            Write::Delete => return keys.delete(&key),
            Write::Put(holding) => (holding, true),
            Write::Nothing => match keys.get(&key)? {
                Some(holding) => (holding, false),
                None => return Ok(()),
            },
        };
        if !is_same && holding == Holding::default().encoded() {
            // What came meanwhile may not be wanted either: then it is implied that it has nothing.
            let current = stored.filter(StoredDocument::is_present);
            let event = Event { subject: Some(url.to_owned()), ..Event::default() };
            let implied = self.resources.implied(subscription, follower, &event, current.as_ref());
            let is_first =
                |current: &StoredDocument| self.resources.wants_first(subscription, follower, current);
            if implied.told.is_none()
                && !follower.is_to_look_at(current.as_ref())
                && !may_wait(follower, current.as_ref())
                && !current.as_ref().is_some_and(is_first)
            {
                return keys.delete(&key);
            }
        }
        if is_new { keys.set(&key, &holding) } else { Ok(()) }
    }
}

/// What is written once the subscriber has it.
struct Receipt {
    /// The document as it stood: see [`StoredDocument::head`].
    head: String,
    /// Since when the subscriber has its filter.
    filter_since: u64,
    /// If both are so still.
    same: Write,
    /// If one of them was changed meanwhile.
    other: Write,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Write {
    Nothing,
    Delete,
    Put(Vec<u8>),
}

impl Write {
    fn put(holding: &Holding) -> Self {
        Self::Put(holding.encoded())
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let (head, body) = match self {
            Self::Nothing => ("-".to_owned(), &[][..]),
            Self::Delete => ("x".to_owned(), &[][..]),
            Self::Put(holding) => (holding.len().to_string(), holding.as_slice()),
        };
        bytes.extend_from_slice(head.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(body);
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = line(bytes)?;
        match head {
            "-" => Some((Self::Nothing, rest)),
            "x" => Some((Self::Delete, rest)),
            length => {
                let (holding, rest) = rest.split_at_checked(length.parse().ok()?)?;
                Some((Self::Put(holding.to_vec()), rest))
            }
        }
    }
}

impl Receipt {
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = format!("{}\n{}\n", self.head, self.filter_since).into_bytes();
        self.same.encode(&mut bytes);
        self.other.encode(&mut bytes);
        bytes
    }

    fn decoded(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = line(bytes)?;
        let (filter_since, rest) = line(rest)?;
        let filter_since = filter_since.parse().ok()?;
        let (same, rest) = Write::decode(rest)?;
        let (other, rest) = Write::decode(rest)?;
        rest.is_empty().then(|| Self { head: head.to_owned(), filter_since, same, other })
    }
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(head).ok()?, rest.get(1..)?))
}

/// A delivery that runs, and what is known for it.
struct Running<'a> {
    id: &'a str,
    follower: &'a Follower,
    url: DocumentUrl,
    event: &'a Event,
    /// The content that the log's entry has.
    data: &'a [u8],
    /// The document as it is kept, if it is there.
    current: Option<StoredDocument>,
    /// The line of what is kept of it, there or not.
    head: String,
    /// What the subscriber has.
    has: Holding,
    /// Whether that was written down, rather than implied.
    was_held: bool,
    /// Whether its filter compares with the document that is kept: it has that one, or was passed over with it.
    compares_current: bool,
    /// Whether it is told of the log's entry, rather than of what there is now.
    of_entry: bool,
}

impl Resources {
    fn notice(
        &self,
        id: &str,
        (event, data): (&Event, &[u8]),
        outlived: bool,
        keys: &mut dyn Keys,
    ) -> Result<Notice, String> {
        let nothing = |reason: &str| Notice { reason: reason.to_owned(), ..Notice::default() };
        let Some(follower) = self.followers.get(id) else {
            return Ok(nothing("there is no such subscription of a resource any more"));
        };
        if event.extensions.get(RESOURCE) != Some(&follower.resource) {
            return Ok(nothing("the subscription is one of another resource by now"));
        }
        let url = event.subject.as_deref().unwrap_or_default();
        let url = DocumentUrl::parse(url).map_err(|error| error.to_string())?;
        let kept = stored(&follower.resource, url.as_str(), keys)?;
        let held = held(id, url.as_str(), keys)?;
        let head = kept.as_ref().map_or(String::new(), StoredDocument::head);
        let current = kept.filter(StoredDocument::is_present);
        let was_held = held.is_some();
        if !was_held && follower.is_to_look_at(current.as_ref()) {
            // To be told of something it has to be written down first, so that it is told of the end of that too.
            return Ok(nothing("its new filter has not looked at the document yet"));
        }
        let mut has = held.unwrap_or_else(|| self.implied(id, follower, event, current.as_ref()));
        let mut compares_current = !was_held && has.content.is_some();
        let is_told = was_held && has.told.is_some() && has.content.is_none();
        if is_told && follower.wish == Wish::Changes {
            has.content = current.as_ref().map(|current| current.content.clone());
            compares_current = has.content.is_some();
        }
        // It was told without a filter, which it has now.
        if is_told && follower.wish == Wish::Some {
            let same = current.as_ref().filter(|current| has.told == Some(told_of(current)));
            has.content = same.map(|current| current.content.clone());
        }
        // Without a revision the log's entry is none: whoever explains asks what there is now.
        let is_gone = current.as_ref().map(|current| &current.born) != event.extensions.get(INCARNATION);
        // What it would be told would be older than what it was told, or nobody would tell its end.
        let is_over = follower.every && (outlived || is_gone && is_overtaken(follower, event));
        let entry = if follower.every && !is_over { revision_of(event, data) } else { None };
        let of_entry = entry.is_some();
        let running = Running {
            id,
            follower,
            url,
            event,
            data,
            current,
            head,
            has,
            was_held,
            compares_current,
            of_entry,
        };
        let told = match (entry, &running.current) {
            // Nor is it told of what there is now, which comes behind others that wait.
            (None, _) if is_over && !is_gone => {
                running.nothing("a later change of the document was told already".to_owned(), Write::Nothing)
            }
            (None, _) if is_over => self.without(&running, (event.kind == DELETED).then_some(data)),
            // The deletion that this delivery is about, or the document as it was then.
            (Some(_), _) if event.kind == DELETED => self.without(&running, Some(data)),
            (Some(document), _) => self.with(&running, &document),
            (None, Some(current)) => self.with(&running, current),
            (None, None) if event.kind == DELETED => self.without(&running, Some(data)),
            (None, None) => self.without(&running, None),
        };
        Ok(told)
    }

    /// What a subscriber has of which nothing is written down.
    pub(super) fn implied(
        &self,
        id: &str,
        follower: &Follower,
        event: &Event,
        current: Option<&StoredDocument>,
    ) -> Holding {
        let Some(current) = current else { return Holding::default() };
        let compared = Compared {
            resource: &follower.resource,
            event,
            new: &current.content,
            old: None,
            now: event.time,
        };
        let has = match (follower.looked(current), follower.wish) {
            (Looked::Nothing, _) => return Holding::default(),
            (Looked::Former(former), _) => former.has(&compared),
            (Looked::Present, Wish::Changes) => false,
            (Looked::Present, wish) => self.wants(id, wish, &compared).is_ok(),
        };
        Holding {
            told: has.then(|| told_of(current)),
            content: match follower.wish {
                Wish::All => None,
                Wish::Some => has.then(|| current.content.clone()),
                Wish::Changes => Some(current.content.clone()),
            },
            doubt: false,
        }
    }

    /// What is told of a document that is there.
    fn with(&self, running: &Running<'_>, document: &StoredDocument) -> Notice {
        let Running { id, follower, event, has, .. } = running;
        if let Some(reason) = running.outlived_by(document) {
            return Notice { reason: reason.to_owned(), ..Notice::default() };
        }
        let is_another = has.told.as_ref().is_some_and(|told| told.born != document.born);
        let compared = Compared {
            resource: &follower.resource,
            event,
            new: &document.content,
            // A document that is made anew is another one, with nothing before it.
            old: has.content.as_deref().filter(|_| !is_another),
            now: event.time,
        };
        // Of each revision in order it was decided when it came, compared with the one before. And who may have another
        // revision than the one that it confirmed has to be told in any case.
        let is_uncertain = has.doubt && has.told.is_some() && !is_another;
        let is_decided = follower.wish == Wish::Changes && (running.of_entry || is_uncertain);
        let wants = if is_decided { Ok(()) } else { self.wants(id, follower.wish, &compared) };
        if let Err(reason) = wants {
            let reason = format!("its filter does not want the document: {reason}");
            let revision = has.told.as_ref().map_or(document.revision, |told| told.revision);
            return match follower.wish {
                Wish::Some if has.told.is_some() || has.doubt => {
                    let values = self.values(running, revision);
                    // Who was told without a filter has a content that nobody kept.
                    let content = has.content.clone().unwrap_or_else(|| document.content.clone());
                    running.delete(Some(content), values, reason, self.has_nothing(running))
                }
                // What it has is gone, and that there is another one is no news to it.
                Wish::Changes if is_another => {
                    let values = self.values(running, revision);
                    running.delete(has.content.clone(), values, reason, true)
                }
                Wish::Changes => {
                    // It was passed over: from now on its filter compares with this one.
                    let passed = Holding { content: None, ..has.clone() };
                    let same = match (&has.told, has.doubt) {
                        (Some(_), _) => Write::put(&passed),
                        (None, true) => {
                            Write::put(&Holding { content: Some(document.content.clone()), ..passed })
                        }
                        (None, false) => Write::Delete,
                    };
                    running.nothing(reason, running.settled(same, document))
                }
                _ => self.nothing_yet(running, reason),
            };
        }
        let is_seen = running.compares_current && running.is_current(document);
        if follower.wish == Wish::Changes && is_seen && !is_decided {
            let reason = "its filter has looked at this revision already".to_owned();
            return Notice { reason, ..Notice::default() };
        }
        let action = match &has.told {
            None => Action::Create,
            Some(told) if told.born != document.born => Action::Create,
            Some(told) if told.revision.value() < document.revision.value() => Action::Update,
            Some(_) => {
                let reason = format!("it has the revision {} already", document.revision.text());
                let same = match follower.wish {
                    Wish::Changes => {
                        Write::put(&Holding { told: Some(told_of(document)), ..Holding::default() })
                    }
                    _ => Write::Delete,
                };
                return running.nothing(reason, running.settled(same, document));
            }
        };
        let told = Some(told_of(document));
        let kept = |content: Option<&Vec<u8>>| Holding {
            told: told.clone(),
            content: content.cloned(),
            doubt: false,
        };
        let (same, other) = match follower.wish {
            Wish::All => (Write::Delete, kept(None)),
            Wish::Some => (Write::Delete, kept(Some(&document.content))),
            Wish::Changes => (Write::put(&kept(None)), kept(Some(&document.content))),
        };
        let other = Write::put(&other);
        let same = if running.is_current(document) && running.is_implied() { same } else { other.clone() };
        Notice {
            telling: Some(Telling {
                id: running.id_of(document).to_owned(),
                action,
                document: Some(document.content.clone()),
                updated: document.updated,
                incarnation: document.born.clone(),
                values: self.values(running, document.revision),
            }),
            reason: format!("it has not got the revision {}", document.revision.text()),
            receipt: running.receipt(same, other),
        }
    }

    /// What is told of a document that is gone; its last content is known if this delivery is about that.
    fn without(&self, running: &Running<'_>, last: Option<&[u8]>) -> Notice {
        let Running { has, event, .. } = running;
        let reason = "the document is gone";
        let told = match (&has.told, has.doubt) {
            (None, false) => return self.nothing_yet(running, format!("{reason}, and it has not got it")),
            (None, true) => None,
            (Some(told), _) => Some(told),
        };
        let is_another = told.is_some_and(|told| event.extensions.get(INCARNATION) != Some(&told.born));
        if is_another && told.is_some_and(|told| running.is_born(&told.born)) {
            return Notice { reason: "it has a later document of this URL".to_owned(), ..Notice::default() };
        }
        let kept = last.map(<[u8]>::to_vec).or_else(|| running.has.content.clone());
        // Who was told without a filter, and has one now, has a content that nobody kept.
        let of_entry = Some(running.data.to_vec()).filter(|data| !data.is_empty() && !is_another);
        let content = kept.or_else(|| of_entry.filter(|_| running.follower.wish == Wish::Some));
        if content.is_none() && running.follower.wish != Wish::Some {
            // The delivery of the deletion, which has the last content, waits behind this one.
            let reason = "the document is gone, which the next delivery tells".to_owned();
            return Notice { reason, ..Notice::default() };
        }
        let of_event = revision_attribute(event).filter(|_| last.is_some() || told.is_none());
        let revision = of_event.or_else(|| told.map(|told| told.revision)).unwrap_or(Revision::Number(0));
        let reason = if told.is_none() { format!("{reason}, and it may have it") } else { reason.to_owned() };
        running.delete(content, self.values(running, revision), reason, self.has_nothing(running))
    }

    fn doubt(&self, id: &str, event: &Event, data: &[u8], keys: &mut dyn Keys) -> Result<(), String> {
        let Some(follower) = self.followers.get(id) else { return Ok(()) };
        if event.extensions.get(RESOURCE) != Some(&follower.resource) {
            return Ok(());
        }
        let url = event.subject.as_deref().unwrap_or_default();
        let current = stored(&follower.resource, url, keys)?.filter(StoredDocument::is_present);
        let has = match held(id, url, keys)? {
            Some(held) => held,
            None => self.implied(id, follower, event, current.as_ref()),
        };
        // Who was told of one before is told of its end in any case, and what it has matters to those alone who compare.
        if has.doubt || has.told.is_some() && follower.wish != Wish::Changes {
            return Ok(());
        }
        // What it is told of the end of, where no entry of the log says it: also of one that ended, if another one that it does not want
        // has its URL by then.
        let content = match follower.wish {
            Wish::Some => has.content.or_else(|| Some(data.to_vec())),
            _ => has.content,
        };
        keys.set(&holding_key(id, url), &Holding { content, doubt: true, ..has }.encoded())
    }

    /// Whether one that compares wants a document of which it has had nothing: then it is, or was, to be told of it.
    pub(super) fn wants_first(&self, id: &str, follower: &Follower, document: &StoredDocument) -> bool {
        let event = Event { subject: Some(document.url.clone()), time: document.updated, ..Event::default() };
        let compared = Compared {
            resource: &follower.resource,
            event: &event,
            new: &document.content,
            old: None,
            now: document.updated,
        };
        follower.wish == Wish::Changes && self.wants(id, Wish::Changes, &compared).is_ok()
    }

    /// Whether it is implied by what is kept that the subscriber has nothing of it.
    fn has_nothing(&self, running: &Running<'_>) -> bool {
        let Running { id, follower, event, current, .. } = running;
        let is_first = |current: &StoredDocument| self.wants_first(id, follower, current);
        self.implied(id, follower, event, current.as_ref()).told.is_none()
            && !follower.is_to_look_at(current.as_ref())
            && !current.as_ref().is_some_and(is_first)
            && !may_wait(follower, current.as_ref())
    }

    /// It has nothing, and this delivery tells nothing; what waits behind it may.
    fn nothing_yet(&self, running: &Running<'_>, reason: String) -> Notice {
        let same = if self.has_nothing(running) { Write::Delete } else { Write::Nothing };
        running.nothing(reason, same)
    }

    fn values(&self, running: &Running<'_>, revision: Revision) -> Vec<(String, String)> {
        let resource = self.resources.get(&running.follower.resource);
        let mut values =
            resource.and_then(|resource| resource.pattern.values(&running.url)).unwrap_or_default();
        values.push((REVISION_WILDCARD.to_owned(), revision.text()));
        values
    }
}

impl Running<'_> {
    /// Whether a document is the one that is kept, and not an earlier revision of it.
    fn is_current(&self, document: &StoredDocument) -> bool {
        let is_same =
            |current: &StoredDocument| current.born == document.born && current.revision == document.revision;
        self.current.as_ref().is_some_and(is_same)
    }

    /// The id of the entry that has a revision: of this one, if that is what it has.
    fn id_of<'d>(&'d self, document: &'d StoredDocument) -> &'d str {
        let Event { id, kind, extensions, .. } = self.event;
        let is_own = kind != DELETED
            && revision_attribute(self.event) == Some(document.revision)
            && extensions.get(INCARNATION) == Some(&document.born);
        if is_own || document.entry.is_empty() { id } else { &document.entry }
    }

    /// Whether the document that is kept is this incarnation of it.
    fn is_born(&self, born: &str) -> bool {
        self.current.as_ref().is_some_and(|current| current.born == born)
    }

    /// Why a document that the log tells of is not told any more: its delivery runs again after those behind it.
    fn outlived_by(&self, document: &StoredDocument) -> Option<&'static str> {
        if !self.of_entry {
            return None;
        }
        let is_later = |told: &Told| told.born != document.born && self.is_born(&told.born);
        self.has.told.as_ref().is_some_and(is_later).then_some("it has a later document of this URL")
    }

    /// Whether what it has can be told from the document that is kept: its filter has looked at that one.
    fn is_implied(&self) -> bool {
        let looked = |current| matches!(self.follower.looked(current), Looked::Present);
        self.current.as_ref().is_none_or(looked)
    }

    /// A write that holds if a document is the one that is kept, and was looked at for this subscriber.
    fn settled(&self, write: Write, document: &StoredDocument) -> Write {
        if self.is_current(document) && self.is_implied() { write } else { Write::Nothing }
    }

    fn receipt(&self, same: Write, other: Write) -> Vec<u8> {
        let filter_since = self.follower.filter_since;
        Receipt { head: self.head.clone(), filter_since, same, other }.encoded()
    }

    /// There is nothing to tell; what was written down of it may not be needed any more.
    fn nothing(&self, reason: String, same: Write) -> Notice {
        let receipt = match same {
            _ if !self.was_held => Vec::new(),
            Write::Nothing => Vec::new(),
            same => self.receipt(same, Write::Nothing),
        };
        Notice { telling: None, reason, receipt }
    }

    /// It has it no more. Of a document that is gone, or is kept and not wanted, that is implied.
    fn delete(
        &self,
        document: Option<Vec<u8>>,
        values: Vec<(String, String)>,
        reason: String,
        is_implied: bool,
    ) -> Notice {
        let has_nothing = Write::put(&Holding::default());
        let same = if is_implied { Write::Delete } else { has_nothing.clone() };
        let Event { id, kind, extensions, time, .. } = self.event;
        // By the id of the entry alone a revision may have been told before, the answer to which was lost.
        let id = if kind == DELETED { id.clone() } else { format!("{id}-delete") };
        let told = self.has.told.as_ref().map(|told| &told.born);
        let incarnation = told.or_else(|| extensions.get(INCARNATION)).cloned().unwrap_or_default();
        Notice {
            telling: Some(Telling {
                id,
                action: Action::Delete,
                document,
                updated: *time,
                incarnation,
                values,
            }),
            reason,
            receipt: self.receipt(same, has_nothing),
        }
    }
}

/// Whether an earlier revision of a document may wait for a subscriber, though the newest does not: who is told of each change is told
/// of those that it wants.
fn may_wait(follower: &Follower, current: Option<&StoredDocument>) -> bool {
    current.is_some() && follower.every && follower.wish == Wish::Changes
}

/// Whether an entry was decided before its subscriber had its filter. If its document is gone, who is told of the end was decided by the
/// filter before: what the present one takes from the entry nobody would take back.
fn is_overtaken(follower: &Follower, event: &Event) -> bool {
    // Entries of earlier versions do not say it.
    let generation: Option<u64> = event.extensions.get(GENERATION).and_then(|text| text.parse().ok());
    generation.is_some_and(|generation| generation < follower.newest())
}

fn revision_attribute(event: &Event) -> Option<Revision> {
    event.extensions.get(REVISION).and_then(|text| Revision::from_text(text))
}

/// The document that a log's entry is about.
fn revision_of(event: &Event, data: &[u8]) -> Option<StoredDocument> {
    Some(StoredDocument {
        url: event.subject.clone()?,
        state: DocumentState::Present,
        revision: revision_attribute(event)?,
        born: event.extensions.get(INCARNATION)?.clone(),
        entry: event.id.clone(),
        generation: 0,
        updated: event.time,
        content: data.to_vec(),
    })
}
