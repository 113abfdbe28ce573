//! A routing table that was packed: who starts anew reads of it what one event needs.
//!
//! Where each filter is filed stands in it as the whole table has filed it, and each subscription as the configuration has it. So a
//! filter is parsed when an event comes that it may want, and no other is; whoever asks for more than a decision has the whole table
//! loaded first.

use super::document::{RoutingDocument, RoutingSubscription};
use super::filters::Filters;
use super::render::Rendering;
use super::table::Router;
use crate::problem::Problem;
use anglerfish_filter::pack::{Catalogue, Reader, Section, Writer, open, seal};
use anglerfish_filter::table::{RuleKey, Table};

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

impl Router {
    /// Builds the table from a configuration document, and packs it.
    ///
    /// # Errors
    ///
    /// Every problem of the document at once, each with its path.
    pub fn pack(document: &[u8]) -> Result<Vec<u8>, Vec<Problem>> {
        let router = Self::load(document)?;
        let broken = |error: serde_json::Error| vec![Problem::new("", error.to_string())];
        let mut head: RoutingDocument = serde_json::from_slice(document).map_err(broken)?;
        let (head_subscriptions, mut subscriptions): (Vec<_>, Vec<_>) =
            head.subscription.into_iter().partition(|subscription| subscription.interest.is_some());
        head.subscription = head_subscriptions;
        subscriptions.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        let texts =
            subscriptions.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>().map_err(broken)?;
        let mut places = vec![u32::MAX; subscriptions.len()];
        for (place, subscription) in (0..).zip(&subscriptions) {
            let known = router.filters.key(&subscription.id).and_then(|key| places.get_mut(key.0 as usize));
            known.into_iter().for_each(|known| *known = place);
        }
        let place = |key: RuleKey| places.get(key.0 as usize).copied().unwrap_or(u32::MAX);
        let mut all = Writer::default();
        all.bytes(&serde_json::to_vec(&head).map_err(broken)?);
        all.bytes(&router.filters.table().pack(&place));
        let ids = subscriptions.iter().map(|subscription| subscription.id.as_str());
        all.bytes(&Catalogue::write(ids.zip(texts.iter().map(Vec::as_slice))));
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
