use super::*;
use crate::decision::{AcceptedEvent, DocumentDecision};
use crate::request::UnixMillis;
use crate::resource::{Action, DocumentUrl};
use crate::router::{Router, RoutingDocument};
use crate::state::Keys;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Default, Clone)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Keys for Memory {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.0.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.0.remove(key);
        Ok(())
    }
}

/// A delivery that waits: the subscriber, the log's entry and its data.
type Waiting = (String, crate::event::Event, Vec<u8>);

/// A router with one resource, its state, and the deliveries that it made.
struct World {
    router: Router,
    keys: Memory,
    waiting: Vec<Waiting>,
    generation: u64,
    count: u64,
    now: u64,
}

const URL: &str = "http://h/items/1";

impl World {
    fn new(tombstones: Option<u64>) -> Self {
        let resource = RoutingResource {
            id: "items".into(),
            endpoint: "http://h/items/{id}".into(),
            field: "v".into(),
            format: None,
            tombstones,
        };
        let document = RoutingDocument { resource: vec![resource], ..RoutingDocument::default() };
        let router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        Self { router, keys: Memory::default(), waiting: Vec::new(), generation: 0, count: 0, now: 1000 }
    }

    fn subscribe(&mut self, id: &str, filter: Option<&str>, every: bool) {
        self.generation += 1;
        let interest = RoutingInterest {
            resource: "items".into(),
            generation: self.generation,
            every,
            ..RoutingInterest::default()
        };
        let subscription = serde_json::json!({"id": id, "filter": filter, "interest": interest});
        self.router.put_subscription(subscription.to_string().as_bytes()).unwrap();
    }

    fn change(&mut self, url: &str, body: Option<&str>) -> DocumentDecision {
        self.count += 1;
        self.now += 1;
        let change = DocumentChange {
            id: &format!("c{}", self.count),
            url,
            body: body.map(str::as_bytes),
            received: UnixMillis(self.now),
        };
        let decision = self.router.change_document(&change, &mut self.keys);
        if let DocumentDecision::Accept(accepted) = &decision {
            self.enqueue(accepted, body);
        }
        decision
    }

    fn enqueue(&mut self, accepted: &AcceptedEvent, body: Option<&str>) {
        let data = accepted.data.clone().or_else(|| body.map(|body| body.as_bytes().to_vec()));
        for intent in &accepted.intents {
            let data = data.clone().unwrap_or_default();
            self.waiting.push((intent.subscription.clone(), accepted.event.clone(), data));
        }
    }

    /// Gives a subscriber another filter, which has looked at no document yet.
    fn refilter(&mut self, id: &str, filter: Option<&str>, former: &[(u64, Option<&str>)]) {
        self.refilter_for(id, filter, former, false);
    }

    fn refilter_for(&mut self, id: &str, filter: Option<&str>, former: &[(u64, Option<&str>)], every: bool) {
        self.generation += 1;
        let filter_since = self.generation;
        let former = former
            .iter()
            .map(|(until, filter)| FormerFilter { until: *until, filter: filter.map(str::to_owned) });
        let interest = RoutingInterest {
            resource: "items".into(),
            generation: 1,
            every,
            filter_since,
            former: former.collect(),
        };
        let subscription = serde_json::json!({"id": id, "filter": filter, "interest": interest});
        self.router.put_subscription(subscription.to_string().as_bytes()).unwrap();
    }

    fn put(&mut self, body: &str) -> DocumentDecision {
        self.change(URL, Some(body))
    }

    fn announce(&mut self, id: &str, url: &str, lost: bool) {
        self.announce_for(id, url, if lost { Announcement::Lost } else { Announcement::Missed });
    }

    fn announce_for(&mut self, id: &str, url: &str, why: Announcement) {
        self.count += 1;
        let name = format!("c{}", self.count);
        let change = DocumentChange { id: &name, url, body: None, received: UnixMillis(self.now) };
        match self.router.announce_document(id, &change, why, &mut self.keys) {
            DocumentDecision::Accept(accepted) => self.enqueue(&accepted, None),
            DocumentDecision::Ignore => {}
            other => panic!("{other:?}"),
        }
    }

    fn notice(&mut self, waiting: &Waiting) -> Notice {
        self.notice_of(waiting, false)
    }

    fn notice_of(&mut self, waiting: &Waiting, outlived: bool) -> Notice {
        let (id, event, data) = waiting;
        let before = self.keys.0.clone();
        let notice =
            self.router.document_notice(id, (event, data.as_slice()), outlived, &mut self.keys).unwrap();
        assert_eq!(self.keys.0, before, "a notice writes nothing");
        notice
    }

    fn acknowledge(&mut self, waiting: &Waiting, notice: &Notice) {
        let url = waiting.1.subject.as_deref().unwrap();
        if !notice.receipt.is_empty() {
            self.router.acknowledge_document(&waiting.0, url, &notice.receipt, &mut self.keys).unwrap();
        }
    }

    /// An attempt of it was begun, and nobody knows what came of it.
    fn doubt(&mut self, waiting: &Waiting) {
        self.router.doubt_document(&waiting.0, &waiting.1, &waiting.2, &mut self.keys).unwrap();
    }

    /// Runs all deliveries; what each subscriber was told.
    fn deliver(&mut self) -> Vec<(String, Action, String)> {
        let mut told = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let notice = self.notice(&waiting);
            if let Some(telling) = &notice.telling {
                let document = telling.document.clone().unwrap_or_default();
                told.push((waiting.0.clone(), telling.action, String::from_utf8(document).unwrap()));
            }
            self.acknowledge(&waiting, &notice);
        }
        told
    }

    fn holdings(&self) -> usize {
        self.keys.0.keys().filter(|key| key.starts_with("holding/")).count()
    }
}

fn told(id: &str, action: Action, document: &str) -> (String, Action, String) {
    (id.to_owned(), action, document.to_owned())
}

#[test]
fn a_subscriber_is_told_once_of_each_revision_and_nothing_more_is_kept_of_it() {
    let mut world = World::new(None);
    assert_eq!(world.put("{\"v\": 1}"), DocumentDecision::Ignore, "nobody subscribes");
    assert!(world.keys.0.is_empty());
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 1}")]);
    assert_eq!(world.put("{\"v\": 1, \"x\": 2}"), DocumentDecision::Ignore);
    assert_eq!(world.put("{\"v\": 0}"), DocumentDecision::Ignore);
    world.put("{\"v\": 2}");
    assert_eq!(world.deliver(), [told("a", Action::Update, "{\"v\": 2}")]);
    assert_eq!(world.holdings(), 0);
    world.change(URL, None);
    assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 2}")]);
    assert_eq!(world.change(URL, None), DocumentDecision::Ignore);
    assert!(world.keys.0.is_empty());
    world.put("{\"v\": 1}");
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 1}")], "older than the deleted one");
}

#[test]
fn a_burst_collapses_to_the_newest_or_is_told_in_order() {
    let mut world = World::new(None);
    world.subscribe("last", None, false);
    world.subscribe("all", None, true);
    for version in 1..=3 {
        world.put(&format!("{{\"v\": {version}}}"));
    }
    let found = world.deliver();
    let of = |id: &str| -> Vec<_> {
        found.iter().filter(|told| told.0 == id).map(|told| (told.1, told.2.as_str())).collect()
    };
    assert_eq!(of("last"), [(Action::Create, "{\"v\": 3}")]);
    let expected =
        [(Action::Create, "{\"v\": 1}"), (Action::Update, "{\"v\": 2}"), (Action::Update, "{\"v\": 3}")];
    assert_eq!(of("all"), expected);
    assert_eq!(world.holdings(), 0);
}

#[test]
fn who_comes_later_gets_a_document_at_its_next_put_though_that_is_no_news_to_others() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 5}");
    world.deliver();
    world.subscribe("b", None, false);
    world.put("{\"v\": 4}");
    assert_eq!(world.deliver(), [told("b", Action::Create, "{\"v\": 5}")]);
    assert_eq!(world.put("{\"v\": 5}"), DocumentDecision::Ignore);
    world.subscribe("c", None, false);
    world.change(URL, None);
    let deleted = world.deliver();
    assert_eq!(deleted.len(), 2, "c has not got it: {deleted:?}");
}

#[test]
fn a_record_moves_only_when_the_subscriber_has_it() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    let first = world.waiting.remove(0);
    assert_eq!(world.notice(&first).telling.unwrap().action, Action::Create);
    // It failed; a newer one comes, and the same delivery tells that one.
    world.put("{\"v\": 2}");
    let notice = world.notice(&first);
    let telling = notice.telling.clone().unwrap();
    assert_eq!((telling.action, telling.document.unwrap()), (Action::Create, b"{\"v\": 2}".to_vec()));
    // A third one comes while that is on its way.
    world.put("{\"v\": 3}");
    world.acknowledge(&first, &notice);
    assert_eq!(world.deliver(), [told("a", Action::Update, "{\"v\": 3}")]);
    assert_eq!(world.holdings(), 0);
}

#[test]
fn what_was_never_told_needs_no_delete() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    world.change(URL, None);
    assert_eq!(world.deliver(), []);
    assert!(world.keys.0.is_empty(), "{:?}", world.keys.0.keys());
}

#[test]
fn who_may_have_a_document_is_told_of_its_end() {
    for every in [false, true] {
        for filter in [None, Some("new.q > 0"), Some("old == null || old.q != new.q")] {
            let mut world = World::new(None);
            world.subscribe("a", filter, every);
            world.put("{\"v\": 1, \"q\": 1}");
            let first = world.waiting[0].clone();
            world.notice(&first);
            world.doubt(&first);
            world.change(URL, None);
            let found = world.deliver();
            assert_eq!(
                found.last(),
                Some(&told("a", Action::Delete, "{\"v\": 1, \"q\": 1}")),
                "{filter:?} {every}"
            );
            assert_eq!(found.iter().filter(|told| told.1 == Action::Delete).count(), 1);
            assert!(world.keys.0.is_empty(), "{:?}", world.keys.0);
        }
    }
}

#[test]
fn a_document_that_leaves_a_filter_is_told_to_who_may_have_it() {
    let mut world = World::new(None);
    world.subscribe("a", Some("new.q > 0"), false);
    world.put("{\"v\": 1, \"q\": 1}");
    let first = world.waiting.remove(0);
    world.doubt(&first);
    world.put("{\"v\": 2, \"q\": 0}");
    assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 1, \"q\": 1}")]);
    assert_eq!(world.holdings(), 0);
}

#[test]
fn who_asked_to_be_told_anew_is_told_of_an_end_that_comes_first() {
    for filter in [None, Some("new.q > 0"), Some("old == null || old.q != new.q")] {
        let mut world = World::new(None);
        world.subscribe("a", filter, false);
        world.put("{\"v\": 1, \"q\": 1}");
        world.deliver();
        world.announce("a", URL, true);
        world.change(URL, None);
        assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 1, \"q\": 1}")], "{filter:?}");
    }
}

#[test]
fn what_is_sent_again_by_hand_never_goes_back() {
    for filter in [None, Some("old == null || old.q != new.q")] {
        let mut world = World::new(None);
        world.subscribe("a", filter, true);
        world.put("{\"v\": 3, \"q\": 1}");
        let dead = world.waiting.remove(0);
        world.change(URL, None);
        let ended = world.waiting.remove(0);
        world.put("{\"v\": 9, \"q\": 2}");
        assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 9, \"q\": 2}")]);
        world.waiting = vec![dead, ended];
        assert_eq!(world.deliver(), []);
    }
}

#[test]
fn what_is_tried_again_behind_later_revisions_is_told_to_nobody_though_each_is_told_of_all() {
    for filter in [None, Some("new.v != 2"), Some("old == null || old.v < new.v")] {
        let mut world = World::new(None);
        world.subscribe("a", filter, true);
        world.put("{\"v\": 1}");
        let first = world.waiting.remove(0);
        world.put("{\"v\": 2}");
        world.put("{\"v\": 3}");
        let told = world.deliver();
        assert_eq!(told.last().unwrap().2, "{\"v\": 3}", "{filter:?}");
        assert_eq!(world.notice_of(&first, true).telling, None, "{filter:?}");
        world.change(URL, None);
        assert_eq!(world.deliver(), [self::told("a", Action::Delete, "{\"v\": 3}")], "{filter:?}");
        assert_eq!(world.notice_of(&first, true).telling, None, "it is gone: {filter:?}");
        world.put("{\"v\": 1}");
        world.deliver();
        assert_eq!(world.notice_of(&first, true).telling, None, "it is another one: {filter:?}");
    }
}

#[test]
fn what_is_tried_again_and_was_followed_by_nothing_that_was_told_is_told_as_it_was() {
    let mut world = World::new(None);
    world.subscribe("a", None, true);
    world.put("{\"v\": 1}");
    world.put("{\"v\": 2}");
    world.change(URL, None);
    let all = [
        told("a", Action::Create, "{\"v\": 1}"),
        told("a", Action::Update, "{\"v\": 2}"),
        told("a", Action::Delete, "{\"v\": 2}"),
    ];
    assert_eq!(world.deliver(), all);
    assert!(world.keys.0.is_empty());
}

#[test]
fn revisions_of_a_document_that_is_gone_are_not_told_by_another_filter_that_would_not_tell_its_end() {
    let mut world = World::new(None);
    world.subscribe("a", Some("new.q > 0"), true);
    world.put("{\"v\": 1, \"q\": 1}");
    let first = world.waiting.remove(0);
    let notice = world.notice(&first);
    world.acknowledge(&first, &notice);
    world.put("{\"v\": 2, \"q\": 2}");
    world.put("{\"v\": 3, \"q\": 0}");
    // Nobody has it by this filter, so that nothing tells of its end.
    world.change(URL, None);
    assert_eq!(world.waiting.len(), 2);
    world.refilter_for("a", Some("new.q != 1"), &[(2, Some("new.q > 0"))], true);
    let told = world.deliver();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1, Action::Delete);
    assert!(world.keys.0.is_empty(), "{:?}", world.keys.0.keys());
    // What comes from now on is told by the new one, each.
    world.put("{\"v\": 4, \"q\": 0}");
    world.put("{\"v\": 5, \"q\": 2}");
    world.change(URL, None);
    let actions: Vec<Action> = world.deliver().into_iter().map(|told| told.1).collect();
    assert_eq!(actions, [Action::Create, Action::Update, Action::Delete]);
}

#[test]
fn who_compares_and_was_away_is_told_of_what_it_has_never_had() {
    let body = |version: u32, count: u32| format!("{{\"v\": {version}, \"q\": {count}}}");
    let mut world = World::new(None);
    world.subscribe("a", Some("old == null || old.q != new.q"), false);
    for (version, count) in [(1, 0), (2, 1), (3, 0), (4, 0)] {
        world.put(&body(version, count));
    }
    assert_eq!(world.deliver(), [told("a", Action::Create, &body(4, 0))]);
    world.change(URL, None);
    world.put(&body(1, 0));
    assert_eq!(world.deliver(), [told("a", Action::Create, &body(1, 0))], "another document");
}

#[test]
fn a_document_that_is_made_anew_while_its_end_is_on_its_way_is_a_new_one() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 9}");
    world.deliver();
    world.change(URL, None);
    world.put("{\"v\": 1}");
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 1}")]);
    assert_eq!(world.holdings(), 0);
}

#[test]
fn a_tombstone_keeps_older_revisions_out_for_its_time() {
    let mut world = World::new(Some(1000));
    world.subscribe("a", None, false);
    world.put("{\"v\": 5}");
    world.change(URL, None);
    world.deliver();
    assert_eq!(world.put("{\"v\": 5}"), DocumentDecision::Ignore);
    assert_eq!(world.put("{\"v\": 4}"), DocumentDecision::Ignore);
    let mut later = World { keys: world.keys.clone(), now: world.now + 2000, ..World::new(Some(1000)) };
    later.subscribe("a", None, false);
    later.put("{\"v\": 4}");
    assert_eq!(later.deliver(), [told("a", Action::Create, "{\"v\": 4}")]);
    world.put("{\"v\": 6}");
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 6}")], "strictly newer is news");
}

#[test]
fn a_document_enters_and_leaves_a_filter() {
    for filter in ["message.q > 0", "new.q > 0"] {
        let mut world = World::new(None);
        world.subscribe("a", Some(filter), false);
        world.put("{\"v\": 1, \"q\": 0}");
        assert_eq!(world.deliver(), []);
        world.put("{\"v\": 2, \"q\": 5}");
        assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 2, \"q\": 5}")]);
        world.put("{\"v\": 3, \"q\": 6}");
        assert_eq!(world.deliver(), [told("a", Action::Update, "{\"v\": 3, \"q\": 6}")]);
        world.put("{\"v\": 4, \"q\": 0}");
        assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 3, \"q\": 6}")], "what it has");
        world.put("{\"v\": 5, \"q\": 0}");
        world.change(URL, None);
        assert_eq!(world.deliver(), []);
        assert_eq!(world.holdings(), 0);
    }
}

#[test]
fn what_enters_and_leaves_before_it_is_told_is_never_told() {
    let mut world = World::new(None);
    world.subscribe("a", Some("new.q > 0"), false);
    world.put("{\"v\": 1, \"q\": 1}");
    world.put("{\"v\": 2, \"q\": 0}");
    assert_eq!(world.deliver(), []);
    assert_eq!(world.holdings(), 0);
    // A filter that fails wants nothing, so what it had it has no more.
    world.put("{\"v\": 3, \"q\": 1}");
    world.deliver();
    let DocumentDecision::Accept(accepted) = world.put("{\"v\": 4}") else { panic!() };
    assert_eq!(accepted.failures.len(), 1);
    assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 3, \"q\": 1}")]);
}

#[test]
fn a_filter_compares_what_comes_with_what_its_subscriber_has() {
    let mut world = World::new(None);
    world.subscribe("a", Some("old.stock.q == 0 && new.stock.q > 0"), false);
    let body = |version: u32, count: u32| format!("{{\"v\": {version}, \"stock\": {{\"q\": {count}}}}}");
    let DocumentDecision::Accept(first) = world.put(&body(1, 0)) else { panic!() };
    assert_eq!((first.intents.len(), first.failures.len()), (0, 0), "there is nothing to compare with");
    world.put(&body(2, 5));
    assert_eq!(world.deliver(), [told("a", Action::Create, &body(2, 5))]);
    world.put(&body(3, 7));
    world.put(&body(4, 0));
    assert_eq!(world.deliver(), []);
    world.put(&body(5, 1));
    assert_eq!(world.deliver(), [told("a", Action::Update, &body(5, 1))]);
    // While it cannot be reached: in stock, sold, in stock again is one piece of news.
    world.put(&body(6, 0));
    world.put(&body(7, 1));
    world.put(&body(8, 2));
    assert_eq!(world.deliver(), [told("a", Action::Update, &body(8, 2))]);
    world.change(URL, None);
    assert_eq!(world.deliver(), [told("a", Action::Delete, &body(8, 2))]);
    assert_eq!(world.holdings(), 0);
}

#[test]
fn a_filter_that_names_old_needs_a_resource() {
    let mut world = World::new(None);
    let ordinary = br#"{"id": "x", "filter": "old.q == 0"}"#;
    let problems = world.router.put_subscription(ordinary).unwrap_err();
    assert!(problems[0].message.contains("unknown variable old"), "{problems:?}");
    let other = br#"{"id": "x", "interest": {"resource": "none", "generation": 1, "every": false}}"#;
    assert!(world.router.put_subscription(other).is_err());
}

#[test]
fn a_filter_that_names_what_depends_on_what_its_subscriber_has_is_refused() {
    let mut world = World::new(None);
    for (filter, named) in [
        ("event.type == 'document.created'", "no event.type in it"),
        ("new.q > 0 && event.source == 'x'", "no event.source in it"),
        ("event['id'] == 'x'", "no event.id in it"),
        ("has(event.extensions.revision)", "no event.extensions in it"),
        ("event.time < now", "no event.time in it"),
        ("headers['x'] == 'y'", "unknown variable headers"),
        ("source == 'items'", "unknown variable source"),
    ] {
        let interest = serde_json::json!({"resource": "items", "generation": 1, "every": false});
        let subscription = serde_json::json!({"id": "x", "filter": filter, "interest": interest});
        let problems = world.router.put_subscription(subscription.to_string().as_bytes()).unwrap_err();
        assert!(problems[0].message.contains(named), "{filter}: {problems:?}");
        assert_eq!(problems[0].path, "filter");
    }
    world.subscribe("a", Some("event.subject.endsWith('/1') && new.q > 0"), false);
    world.put("{\"v\": 1, \"q\": 1}");
    world.change("http://h/items/2", Some("{\"v\": 1, \"q\": 1}"));
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 1, \"q\": 1}")]);
}

#[test]
fn a_filter_that_fails_on_what_is_no_news_is_told_of_once() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    world.subscribe("late", Some("new.none > 1"), false);
    let DocumentDecision::Accept(accepted) = world.put("{\"v\": 1}") else { panic!("it is silent") };
    let failed: Vec<_> = accepted.failures.iter().map(|failure| failure.subscription.as_str()).collect();
    assert_eq!((failed, accepted.intents.len()), (vec!["late"], 0));
    assert!(matches!(world.put("{\"v\": 1}"), DocumentDecision::Ignore));
}

#[test]
fn all_that_exists_is_told_once_to_who_asks_for_it() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    for number in 1..=3 {
        world.change(&format!("http://h/items/{number}"), Some("{\"v\": 1}"));
    }
    world.deliver();
    world.subscribe("b", None, false);
    world.change("http://h/items/2", Some("{\"v\": 2}"));
    for number in 1..=3 {
        world.announce("b", &format!("http://h/items/{number}"), false);
    }
    let of_b = world.deliver().into_iter().filter(|told| told.0 == "b").count();
    assert_eq!(of_b, 3, "the second one was told by its change");
    // What it lost it is told again.
    world.announce("a", URL, true);
    assert_eq!(world.deliver(), [told("a", Action::Create, "{\"v\": 1}")]);
    world.change(URL, Some("{\"v\": 2}"));
    assert_eq!(world.deliver().len(), 2);
}

#[test]
fn who_was_told_of_what_was_there_before_is_told_of_its_end_too() {
    for filter in [None, Some("new.q > 0")] {
        let mut world = World::new(None);
        world.subscribe("a", None, false);
        world.put("{\"v\": 1, \"q\": 1}");
        world.change("http://h/items/2", Some("{\"v\": 1, \"q\": 1}"));
        world.deliver();
        world.subscribe("b", filter, false);
        world.announce("b", URL, false);
        world.announce("b", "http://h/items/2", false);
        assert_eq!(world.deliver().len(), 2);
        world.change(URL, None);
        let ended = world.deliver();
        assert_eq!(
            ended.iter().filter(|told| told.0 == "b" && told.1 == Action::Delete).count(),
            1,
            "{ended:?}"
        );
        if filter.is_some() {
            world.change("http://h/items/2", Some("{\"v\": 2, \"q\": 0}"));
            let left = world.deliver();
            assert!(left.contains(&told("b", Action::Delete, "{\"v\": 1, \"q\": 1}")), "{left:?}");
        }
    }
}

#[test]
fn a_document_stays_with_the_resource_that_has_it_until_that_is_gone() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    world.deliver();
    let special = br#"{"id": "special", "endpoint": "http://h/{kind}/1", "field": "v"}"#;
    world.router.put_resource(special).unwrap();
    world.put("{\"v\": 2}");
    assert_eq!(world.deliver(), [told("a", Action::Update, "{\"v\": 2}")]);
    assert!(world.router.delete_resource("items").is_err(), "it has a subscription");
    world.router.delete_subscription("a");
    world.router.delete_resource("items").unwrap();
    assert_eq!(world.put("{\"v\": 3}"), DocumentDecision::Ignore, "nobody follows the other one");
}

#[test]
fn bad_documents_are_refused_in_the_words_of_the_service() {
    let mut world = World::new(None);
    let refused = |decision: DocumentDecision| match decision {
        DocumentDecision::Reject(rejection) => (rejection.status, rejection.title, rejection.detail),
        other => panic!("{other:?}"),
    };
    let text = |status: u16, title: &str, detail: &str| (status, title.to_owned(), detail.to_owned());
    let search = "error during resource search";
    let missing = "could not found a resource for this uri 'http://documents/123'";
    assert_eq!(refused(world.change("http://documents/123", Some(""))), text(404, search, missing));
    let query = "should not have query string 'key=value'";
    assert_eq!(refused(world.change("http://h/items/1%3Fkey=value", None)), text(400, "invalid id", query));
    assert_eq!(world.put(""), DocumentDecision::Ignore, "nobody subscribes, so nobody looks");
    world.subscribe("a", None, false);
    assert_eq!(refused(world.put("")), text(400, "invalid body", "error during body unmarshal: EOF"));
    assert_eq!(refused(world.put("{}")), text(400, "invalid body", "data type not supported"));
    assert!(world.keys.0.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Put {
        document: u8,
        version: u8,
        quantity: u8,
    },
    Delete {
        document: u8,
    },
    /// Runs the first delivery of a subscriber; it may fail, or a change come in between.
    Run {
        subscriber: u8,
        end: End,
        between: Option<(u8, u8, u8)>,
    },
    /// A subscriber asks to be told of a document anew; it may have lost it.
    Resync {
        subscriber: u8,
        document: u8,
        lost: bool,
    },
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Taken,
    Refused,
    /// Its answer is lost; the subscriber may have acted.
    Lost {
        acted: bool,
    },
}

/// Who subscribes: the id, the filter, and whether every revision is told.
const SUBSCRIBERS: [(&str, Option<&str>, bool); 6] = [
    ("a", None, false),
    ("f", Some("new.q > 0"), false),
    ("e", None, true),
    ("fe", Some("new.q > 0"), true),
    ("c", Some("old == null || old.q != new.q"), false),
    ("ce", Some("old == null || old.q != new.q"), true),
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let put = || (0_u8..2, 0_u8..12, 0_u8..3);
    let end = prop_oneof![
        3 => Just(End::Taken),
        1 => Just(End::Refused),
        1 => any::<bool>().prop_map(|acted| End::Lost { acted }),
    ];
    let step = prop_oneof![
        6 => put().prop_map(|(document, version, quantity)| Step::Put { document, version, quantity }),
        2 => (0_u8..2).prop_map(|document| Step::Delete { document }),
        10 => (0_u8..6, end, prop::option::of(put())).prop_map(|(subscriber, end, between)| {
            Step::Run { subscriber, end, between }
        }),
        1 => (0_u8..6, 0_u8..2, any::<bool>())
            .prop_map(|(subscriber, document, lost)| Step::Resync { subscriber, document, lost }),
    ];
    prop::collection::vec(step, 0..80)
}

fn body(version: u64, quantity: u8) -> String {
    format!("{{\"v\": {version}, \"q\": {quantity}}}")
}

/// The subscribers, and what really is with them.
struct Played {
    world: World,
    exists: BTreeMap<String, String>,
    have: BTreeMap<(String, String), String>,
    /// Of which nobody knows whether the subscriber has it: it may be told of an end twice, or of one of what it has not.
    doubtful: std::collections::BTreeSet<(String, String)>,
}

impl Played {
    fn put(&mut self, document: u8, version: u8, quantity: u8) {
        let url = format!("http://h/items/{document}");
        let text = body(version.into(), quantity);
        if matches!(self.world.change(&url, Some(&text)), DocumentDecision::Accept(_)) {
            self.exists.insert(url, text);
        }
    }

    fn run(&mut self, id: &str, end: End, between: Option<(u8, u8, u8)>) -> bool {
        let Some(at) = self.world.waiting.iter().position(|waiting| waiting.0 == id) else { return false };
        let waiting = self.world.waiting[at].clone();
        let notice = self.world.notice(&waiting);
        if let Some((document, version, quantity)) = between {
            self.put(document, version, quantity);
        }
        if let Some(telling) = &notice.telling {
            let key = (waiting.0.clone(), waiting.1.subject.clone().unwrap());
            let document = String::from_utf8(telling.document.clone().unwrap_or_default()).unwrap();
            if matches!(end, End::Taken | End::Lost { acted: true }) {
                let is_doubtful = self.doubtful.contains(&key);
                let had = match telling.action {
                    Action::Create => self.have.insert(key.clone(), document).or(Some(String::new())),
                    Action::Update => self.have.insert(key.clone(), document),
                    Action::Delete => self.have.remove(&key),
                };
                assert!(had.is_some() || is_doubtful, "{:?} of what {id} has not", telling.action);
            }
            match end {
                End::Taken => drop(self.doubtful.remove(&key)),
                End::Refused => return true,
                End::Lost { .. } => {
                    self.doubtful.insert(key);
                    self.world.doubt(&waiting);
                    return true;
                }
            }
        }
        self.world.acknowledge(&waiting, &notice);
        self.world.waiting.remove(at);
        true
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Put { document, version, quantity } => self.put(document, version, quantity),
            Step::Delete { document } => {
                let url = format!("http://h/items/{document}");
                self.world.change(&url, None);
                self.exists.remove(&url);
            }
            Step::Run { subscriber, end, between } => {
                self.run(SUBSCRIBERS[usize::from(subscriber)].0, end, between);
            }
            Step::Resync { subscriber, document, lost } => {
                let (id, url) =
                    (SUBSCRIBERS[usize::from(subscriber)].0, format!("http://h/items/{document}"));
                // Who has lost what is not there any more is told of its end, if anybody is.
                let key = (id.to_owned(), url.clone());
                self.doubtful.insert(key.clone());
                if lost && self.exists.contains_key(&url) {
                    self.have.remove(&key);
                }
                self.world.announce(id, &url, true);
            }
        }
    }
}

/// What a subscriber compares: all of a document, or what its filter looks at.
fn seen<'a>(filter: Option<&str>, text: &'a str) -> &'a str {
    match filter {
        Some(filter) if filter.contains("old") => text.split_once("\"q\"").unwrap().1,
        _ => text,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    /// Whatever happens, at the end each subscriber has exactly what exists and its filter wants; it never updates or deletes
    /// what it is known not to have.
    #[test]
    fn each_subscriber_ends_with_exactly_what_exists(steps in steps(), tombstones in prop::option::of(Just(5_u64))) {
        let world = World::new(tombstones);
        let mut played = Played { world, exists: BTreeMap::new(), have: BTreeMap::new(), doubtful: Default::default() };
        for (id, filter, every) in SUBSCRIBERS {
            played.world.subscribe(id, filter, every);
        }
        for step in &steps {
            played.step(step);
        }
        for (id, ..) in SUBSCRIBERS {
            while played.run(id, End::Taken, None) {}
        }
        for (id, filter, _) in SUBSCRIBERS {
            let expected: BTreeMap<&str, &str> = played.exists.iter()
                .filter(|(_, text)| filter != Some("new.q > 0") || !text.contains("\"q\": 0"))
                .map(|(url, text)| (url.as_str(), seen(filter, text))).collect();
            let found: BTreeMap<&str, &str> = played.have.iter()
                .filter(|((subscriber, _), _)| subscriber == id)
                .map(|((_, url), text)| (url.as_str(), seen(filter, text))).collect();
            prop_assert_eq!(found, expected, "{}", id);
        }
        let left = played.world.keys.0.keys().filter(|key| key.starts_with("holding/") && !key.starts_with("holding/c"));
        prop_assert_eq!(left.count(), 0, "{:?}", played.world.keys.0.keys());
    }

    /// Who is told of every revision is told the same, however late.
    #[test]
    fn every_revision_is_told_in_order_however_late(
        changes in prop::collection::vec((prop::option::weighted(0.8, 0_u8..3), any::<bool>()), 0..12),
    ) {
        let subscribers = [
            ("e", None), ("fe", Some("new.q > 0")), ("ce", Some("old == null || old.q != new.q")),
            ("se", Some("old.q == 0 && new.q > 0")),
        ];
        let mut world = World::new(None);
        for (id, filter) in subscribers {
            world.subscribe(id, filter, true);
        }
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        let (mut version, mut before) = (0, None::<(String, u8)>);
        let mut has: BTreeMap<&str, String> = BTreeMap::new();
        for (change, runs) in changes {
            version += 1;
            let now = change.map(|quantity| (body(version, quantity), quantity));
            world.change(URL, now.as_ref().map(|now| now.0.as_str()));
            for (id, _) in subscribers {
                let old = before.as_ref().map(|before| before.1);
                let wants = now.as_ref().is_some_and(|(_, quantity)| match id {
                    "e" => true,
                    "fe" => *quantity > 0,
                    "ce" => old != Some(*quantity),
                    _ => old == Some(0) && *quantity > 0,
                });
                match &now {
                    Some((text, _)) if wants => {
                        let action = if has.insert(id, text.clone()).is_some() { Action::Update } else { Action::Create };
                        expected.push(told(id, action, text));
                    }
                    Some(_) if id == "fe" => if let Some(had) = has.remove(id) {
                        expected.push(told(id, Action::Delete, &had));
                    },
                    None => if has.remove(id).is_some() {
                        expected.push(told(id, Action::Delete, &before.as_ref().unwrap().0));
                    },
                    Some(_) => {}
                }
            }
            before = now;
            if runs {
                found.extend(world.deliver());
            }
        }
        found.extend(world.deliver());
        for (id, _) in subscribers {
            let of = |told: &[(String, Action, String)]| -> Vec<_> {
                told.iter().filter(|told| told.0 == id).cloned().collect()
            };
            prop_assert_eq!(of(&found), of(&expected));
        }
    }

    #[test]
    fn a_url_is_looked_up_whatever_it_is(path in "\\PC{0,40}") {
        let mut world = World::new(None);
        world.subscribe("a", None, false);
        world.change(&path, Some("{\"v\": 1}"));
        let _ = DocumentUrl::from_path(&path);
    }
}

/// Two documents, one of either quantity, that `a` was told of as its filter says.
fn two_documents(filter: Option<&str>) -> World {
    let mut world = World::new(None);
    world.subscribe("a", filter, false);
    world.change("http://h/items/0", Some("{\"v\": 1, \"q\": 0}"));
    world.change("http://h/items/1", Some("{\"v\": 1, \"q\": 1}"));
    world.deliver();
    world
}

/// All documents are looked at by the new filter, and what comes of it is told.
fn refiltered(world: &mut World) -> Vec<(Action, String)> {
    for number in 0..2 {
        world.announce_for("a", &format!("http://h/items/{number}"), Announcement::Refiltered);
    }
    world.deliver().into_iter().map(|(_, action, document)| (action, document)).collect()
}

const NONE: &str = "{\"v\": 1, \"q\": 0}";
const ONE: &str = "{\"v\": 1, \"q\": 1}";

#[test]
fn what_another_filter_does_not_want_is_taken_back_and_what_it_wants_is_told() {
    let mut world = two_documents(Some("new.q == 0"));
    world.refilter("a", Some("new.q == 1"), &[(2, Some("new.q == 0"))]);
    let told = refiltered(&mut world);
    assert_eq!(told, [(Action::Delete, NONE.to_owned()), (Action::Create, ONE.to_owned())]);
    assert_eq!(refiltered(&mut world), [], "nothing twice");
    // Its filter is none from now on, as it was before, and no document was told of in between.
    world.refilter("a", None, &[(2, Some("new.q == 0")), (3, Some("new.q == 1"))]);
    assert_eq!(refiltered(&mut world), [(Action::Create, NONE.to_owned())]);
}

#[test]
fn what_is_put_once_more_is_looked_at_by_the_new_filter_though_it_is_no_news() {
    let mut world = two_documents(None);
    world.refilter("a", Some("new.q == 1"), &[(2, None)]);
    world.change("http://h/items/1", Some(ONE));
    assert_eq!(world.deliver(), [], "it has it, and wants it");
    world.change("http://h/items/0", Some(NONE));
    assert_eq!(world.deliver(), [told("a", Action::Delete, NONE)]);
    assert_eq!(refiltered(&mut world), []);
    world.change("http://h/items/0", None);
    assert_eq!(world.deliver(), [], "it has it no more");
}

#[test]
fn an_answer_that_comes_after_another_filter_says_what_the_subscriber_has() {
    let mut world = two_documents(Some("new.q == 1"));
    world.change("http://h/items/0", Some("{\"v\": 2, \"q\": 1}"));
    let waiting = world.waiting.pop().unwrap();
    let notice = world.notice(&waiting);
    world.refilter("a", Some("new.q == 0"), &[(2, Some("new.q == 1"))]);
    world.acknowledge(&waiting, &notice);
    let taken_back = refiltered(&mut world);
    assert_eq!(
        taken_back,
        [(Action::Delete, "{\"v\": 2, \"q\": 1}".to_owned()), (Action::Delete, ONE.to_owned())]
    );
}

#[test]
fn who_compares_from_now_on_is_told_the_end_of_what_it_has() {
    let mut world = two_documents(None);
    world.refilter("a", Some("new.q > 5 && old.q < 5"), &[(2, None)]);
    assert_eq!(refiltered(&mut world), [], "a filter is no change of a document");
    world.change("http://h/items/0", Some("{\"v\": 2, \"q\": 9}"));
    assert_eq!(world.deliver(), [told("a", Action::Update, "{\"v\": 2, \"q\": 9}")]);
    world.change("http://h/items/1", None);
    assert_eq!(world.deliver(), [told("a", Action::Delete, ONE)]);
}
