//! Who is told of what, one case after another.

use super::*;

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
fn what_is_told_has_the_id_of_the_entry_whose_content_it_is() {
    let mut world = World::new(None);
    world.subscribe("a", Some("new.q > 0"), false);
    let ids = |world: &mut World, waiting: &Waiting| {
        let telling = world.notice(waiting).telling.unwrap();
        (telling.action, telling.id, telling.incarnation)
    };
    let known = |action, id: &str| (action, id.to_owned(), "c1".to_owned());
    world.put("{\"v\": 1, \"q\": 1}");
    let first = world.waiting[0].clone();
    assert_eq!(ids(&mut world, &first), known(Action::Create, "c1"));
    // Its answer is lost, and it is tried again when there is a newer one.
    world.doubt(&first);
    world.put("{\"v\": 2, \"q\": 1}");
    assert_eq!(ids(&mut world, &first), known(Action::Create, "c2"));
    let second = world.waiting[1].clone();
    assert_eq!(ids(&mut world, &second), known(Action::Create, "c2"));
    // Kept by a version that did not note the entry, it has that of the delivery.
    let mut earlier =
        crate::resource::StoredDocument::decoded(&world.keys.0["document/items/http://h/items/1"]).unwrap();
    earlier.entry.clear();
    let noted = world.keys.0.insert("document/items/http://h/items/1".into(), earlier.encoded()).unwrap();
    assert_eq!(ids(&mut world, &first), known(Action::Create, "c1"));
    world.keys.0.insert("document/items/http://h/items/1".into(), noted);
    // It leaves the filter: that is no revision which was told by the entry's id.
    world.put("{\"v\": 3, \"q\": 0}");
    assert_eq!(ids(&mut world, &first), known(Action::Delete, "c1-delete"));
    world.put("{\"v\": 4, \"q\": 1}");
    world.change(URL, None);
    let end = world.waiting.last().unwrap().clone();
    assert_eq!(ids(&mut world, &end), known(Action::Delete, "c5"));
    // One that is told anew is another telling.
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    world.deliver();
    world.announce("a", URL, true);
    let again = world.waiting[0].clone();
    assert_eq!(ids(&mut world, &again), known(Action::Create, "c2"));
}

#[test]
fn the_event_that_tells_is_that_of_the_revision_that_is_told() {
    let mut world = World::new(None);
    world.subscribe("a", None, false);
    world.put("{\"v\": 1}");
    let first = world.waiting.remove(0);
    world.put("{\"v\": 2}");
    let notification = crate::config::NotificationConfig {
        resource: "items".into(),
        every: false,
        backfill: false,
        envelope: true,
        document: true,
        cloudevent: true,
        data: serde_json::Map::new(),
        has_url: true,
        actions: Vec::new(),
    };
    let telling = world.notice(&first).telling.unwrap();
    let (event, data) = crate::attempt::telling_event(&notification, &first.1, &telling).unwrap();
    assert_eq!(data, b"{\"v\": 2}");
    assert_eq!((event.id.as_str(), event.time.0, event.kind.as_str()), ("c2", world.now, "document.create"));
    let extension = |name: &str| event.extensions.get(name).map(String::as_str);
    assert_eq!((extension(REVISION), extension(INCARNATION)), (Some("2"), Some("c1")));
}

#[test]
fn who_was_told_without_a_filter_is_told_with_a_document_that_the_new_one_does_not_want_it() {
    for every in [false, true] {
        let mut world = World::new(None);
        world.subscribe("a", None, every);
        world.put("{\"v\": 1, \"q\": 1}");
        world.deliver();
        world.put("{\"v\": 2, \"q\": 2}");
        let given_up = world.waiting.remove(0);
        world.refilter_for("a", Some("new.q < 1"), &[(2, None)], every);
        world.announce_for("a", URL, Announcement::Refiltered);
        assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 2, \"q\": 2}")], "{every}");
        // The same where it is gone by then.
        let mut world = World::new(None);
        world.subscribe("a", None, false);
        world.put("{\"v\": 1, \"q\": 1}");
        world.deliver();
        world.put("{\"v\": 2, \"q\": 2}");
        world.waiting.clear();
        world.refilter("a", Some("new.q < 1"), &[]);
        world.change(URL, None);
        world.waiting = vec![given_up];
        assert_eq!(world.deliver(), [told("a", Action::Delete, "{\"v\": 2, \"q\": 2}")]);
    }
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
