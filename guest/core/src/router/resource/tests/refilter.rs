//! A subscriber that has another filter from now on.

use super::*;

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
