//! A routing table that was packed: who starts anew reads of it what one event needs.
//!
//! Where each filter is filed stands in it as the whole table has filed it, and each subscription as the configuration has it. So a
//! filter is parsed when an event comes that it may want, and no other is; whoever asks for more than a decision has the whole table
//! loaded first.

use super::document::{RoutingDocument, RoutingSubscription};
use super::filters::Filters;
use super::render::Rendering;
use super::table::{Router, parse};
use crate::problem::Problem;
use anglerfish_filter::pack::{Catalogue, Reader, Section, Writer, open, seal};
use anglerfish_filter::table::{RuleKey, Table};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What is packed: another number where it is read in another way, or means something else.
const NAME: &str = concat!("anglerfish routing 1 ", env!("CARGO_PKG_VERSION"));

/// Subscriptions by id, as the configuration has them. The number of a filter's key is its place here.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Sources, resources and who is told of documents.
    head: Section,
    subscriptions: Section,
}

impl Packed {
    fn catalogue(&self) -> Option<Catalogue<'_>> {
        Catalogue::read(self.subscriptions.bytes())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.catalogue().map_or(0, |catalogue| catalogue.len())
    }

    /// The one whose filter has a key.
    pub(super) fn of_key(&self, key: RuleKey) -> Option<RoutingSubscription> {
        serde_json::from_slice(self.catalogue()?.get(key.0 as usize)?.1).ok()
    }

    /// The one of an id.
    fn find(&self, id: &str) -> Option<RoutingSubscription> {
        serde_json::from_slice(self.catalogue()?.find(id)?).ok()
    }

    /// The configuration that was packed, its subscriptions in another order.
    fn document(&self) -> Option<RoutingDocument> {
        let mut document: RoutingDocument = serde_json::from_slice(self.head.bytes()).ok()?;
        let catalogue = self.catalogue()?;
        for place in 0..catalogue.len() {
            document.subscription.push(serde_json::from_slice(catalogue.get(place)?.1).ok()?);
        }
        Some(document)
    }
}

/// The parts of a document as they are written: what is packed is what was read, and no type is written as JSON for it.
#[derive(Deserialize)]
struct Texts<'a> {
    #[serde(borrow)]
    source: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    subscription: Vec<&'a RawValue>,
}

fn write_list(out: &mut String, texts: &[&RawValue]) {
    for (number, text) in texts.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(text.get());
    }
}

impl Router {
    /// Builds the table from a configuration document, and packs it.
    ///
    /// # Errors
    ///
    /// Every problem of the document at once, each with its path.
    pub fn pack(document: &[u8]) -> Result<Vec<u8>, Vec<Problem>> {
        let router = Self::load(document)?;
        let texts: Texts<'_> = parse(document)?;
        let read: RoutingDocument = parse(document)?;
        let (mut ordinary, mut of_resources) = (Vec::new(), Vec::new());
        for (subscription, text) in read.subscription.iter().zip(&texts.subscription) {
            let list = if subscription.interest.is_none() { &mut ordinary } else { &mut of_resources };
            list.push(*text);
        }
        // Keys are given in the order of the document.
        let mut places = vec![u32::MAX; ordinary.len()];
        let mut ids = Vec::with_capacity(ordinary.len());
        for (place, (id, key)) in (0..).zip(router.filters.keys()) {
            if let (Some(known), Some(text)) = (places.get_mut(key.0 as usize), ordinary.get(key.0 as usize))
            {
                *known = place;
                ids.push((id, text.get().as_bytes()));
            }
        }
        let place = |key: RuleKey| places.get(key.0 as usize).copied().unwrap_or(u32::MAX);
        let mut head = String::from("{\"source\":[");
        write_list(&mut head, &texts.source);
        head.push_str("],\"resource\":[");
        write_list(&mut head, &texts.resource);
        head.push_str("],\"subscription\":[");
        write_list(&mut head, &of_resources);
        head.push_str("]}");
        let mut all = Writer::default();
        all.bytes(head.as_bytes());
        all.bytes(&router.filters.table().pack(&place));
        all.bytes(&Catalogue::write(ids.into_iter()));
        Ok(seal(NAME, &all.finish()))
    }

    /// Takes a table that [`Router::pack`] of the same version packed. It decides as the table does that was packed.
    ///
    /// # Errors
    ///
    /// Why it is not taken: it is of another version, or damaged. Then the configuration is to be loaded.
    pub fn load_packed(packed: Vec<u8>) -> Result<Self, String> {
        let content = open(NAME, &packed)?;
        let section = Section::new(packed).part(content);
        let read = || {
            let section = section?;
            let mut reader = Reader::new(section.bytes());
            let (head, table, subscriptions) = (reader.range()?, reader.range()?, reader.range()?);
            let table = Table::unpack(&section.part(table)?)?;
            Some((table, Packed { head: section.part(head)?, subscriptions: section.part(subscriptions)? }))
        };
        let unreadable = || "it cannot be read".to_owned();
        let (table, packed) = read().ok_or_else(unreadable)?;
        let head: RoutingDocument = serde_json::from_slice(packed.head.bytes()).map_err(|_| unreadable())?;
        Self::of(head, Filters::packed(table, packed)).map_err(|_| "its sources cannot be used".to_owned())
    }

    /// Loads all of a table that was packed, for whoever asks for more than a decision.
    ///
    /// # Errors
    ///
    /// What is packed cannot be loaded.
    pub(super) fn load_all(&mut self) -> Result<(), Vec<Problem>> {
        let Some(packed) = self.filters.is_packed() else { return Ok(()) };
        let unreadable = || vec![Problem::new("", "the packed table cannot be read")];
        *self = Self::of(packed.document().ok_or_else(unreadable)?, Filters::default())?;
        Ok(())
    }

    /// What a subscription makes of its events, if it makes anything.
    pub(super) fn rendering(&mut self, id: &str) -> Option<&Rendering> {
        if let Some(packed) = self.filters.is_packed()
            && !self.renderings.contains_key(id)
            && let Some(subscription) = packed.find(id)
            && let Ok(Some(rendering)) = Rendering::compile(&subscription.render, "")
        {
            self.renderings.insert(id.to_owned(), rendering);
        }
        self.renderings.get(id)
    }
}
