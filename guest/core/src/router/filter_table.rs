//! Filters of some subscriptions, apart from the routing table that a shell decides with.

use super::decide::lazily;
use super::document::RoutingSubscription;
use super::filters::{FilterInput, Filters, filter_problems};
use crate::decision::Routing;
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::problem::Problem;
use crate::request::{Header, UnixMillis};
use std::cell::LazyCell;

/// Filters of some subscriptions. It says of an event of the log what [`Router::route`](super::Router::route) says of it, for those
/// that are in here, but for the order of deliveries: there are none. Whoever reads the log needs no verification, no state, and
/// not all the other subscriptions.
#[derive(Default)]
pub struct FilterTable {
    filters: Filters,
}

/// An event of the log, as filters see it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedEvent<'a> {
    /// Its attributes.
    pub event: &'a Event,
    /// The header fields that were kept of the request that carried it.
    pub headers: &'a [Header<'a>],
    /// Its data.
    pub data: &'a [u8],
    /// When it was received, which is what filters take for the present.
    pub received: UnixMillis,
    /// The fields of its source's forms that hold JSON, besides `payload`.
    pub json_fields: &'a [String],
}

impl FilterTable {
    /// Adds or replaces a subscription. Whether its sources exist is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong with the filter; all is as it was.
    pub fn put(&mut self, subscription: &RoutingSubscription) -> Result<(), Vec<Problem>> {
        let RoutingSubscription { id, sources, filter, .. } = subscription;
        self.filters.put(id, sources, filter.as_deref()).map_err(|error| filter_problems(error, ""))
    }

    /// Removes a subscription; an unknown id is no error.
    pub fn remove(&mut self, id: &str) {
        self.filters.remove(id);
    }

    /// Who wants an event.
    pub fn route(&mut self, logged: LoggedEvent<'_>) -> Routing {
        let LoggedEvent { event, headers, data, received, json_fields } = logged;
        let message = Message::new(ReceivedBody::of_event(event, headers, data), json_fields);
        let (table, selection) = self.filters.open();
        let mut body = lazily(table, &message);
        let input = FilterInput { event, headers, now: received };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body), message.json());
        Routing { intents, failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OrderingConfig;

    fn wanting(table: &mut FilterTable, source: &str, data: &[u8]) -> Vec<String> {
        let event = Event { id: "1".into(), source: source.into(), kind: "t".into(), ..Event::default() };
        let logged = LoggedEvent {
            event: &event,
            headers: &[],
            data,
            received: UnixMillis(0),
            json_fields: &["state".to_owned()],
        };
        let mut ids: Vec<String> =
            table.route(logged).intents.into_iter().map(|intent| intent.subscription).collect();
        ids.sort();
        ids
    }

    fn subscription(id: &str, sources: &[&str], filter: Option<&str>) -> RoutingSubscription {
        RoutingSubscription {
            id: id.to_owned(),
            sources: sources.iter().map(ToString::to_string).collect(),
            filter: filter.map(str::to_owned),
            ordering: OrderingConfig::None,
            render: crate::router::RenderConfig::default(),
            interest: None,
        }
    }

    #[test]
    fn says_who_wants_an_event_as_sources_and_filters_have_it() {
        let mut table = FilterTable::default();
        table.put(&subscription("all", &[], None)).unwrap();
        table.put(&subscription("shop", &["shop"], None)).unwrap();
        table.put(&subscription("paid", &[], Some("message.paid == true"))).unwrap();
        assert_eq!(wanting(&mut table, "shop", b"{\"paid\":true}"), ["all", "paid", "shop"]);
        assert_eq!(wanting(&mut table, "other", b"{\"paid\":false}"), ["all"]);
        table.remove("all");
        table.put(&subscription("paid", &[], Some("message.paid == false"))).unwrap();
        assert_eq!(wanting(&mut table, "other", b"{\"paid\":false}"), ["paid"]);
        assert_eq!(wanting(&mut table, "other", b"not json"), Vec::<String>::new());
    }

    #[test]
    fn a_filter_that_does_not_compile_changes_nothing() {
        let mut table = FilterTable::default();
        table.put(&subscription("a", &[], Some("message.a == 1"))).unwrap();
        assert!(table.put(&subscription("a", &[], Some("message.a =="))).is_err());
        assert_eq!(wanting(&mut table, "shop", b"{\"a\":1}"), ["a"]);
    }
}
