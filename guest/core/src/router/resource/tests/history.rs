//! Random histories: at their end each subscriber has exactly what exists.

use super::*;
use proptest::prelude::*;

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
