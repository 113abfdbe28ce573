//! A walk over a JSON value that collects every problem instead of stopping at the first.

use super::path::{item_path, key_path};
use super::suggestion::nearest;
use crate::problem::Problem;
use bytesize::ByteSize;
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How many problems are told one by one: a document of a megabyte can have a hundred thousand, and nobody reads more.
const MOST: usize = 200;

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Problems {
    kept: RefCell<Vec<Problem>>,
    count: Cell<usize>,
}

impl Problems {
    /// Adds one.
    pub fn push(&self, problem: Problem) {
        self.count.set(self.count.get().saturating_add(1));
        let mut kept = self.kept.borrow_mut();
        if kept.len() < MOST {
            kept.push(problem);
        }
    }

    /// Whether further ones are only counted.
    fn is_full(&self) -> bool {
        self.count.get() >= MOST
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// All of them, in the order found; of very many the first ones, and how many more there are.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        let (mut kept, count) = (self.kept.into_inner(), self.count.get());
        if count > kept.len() {
            let more = count - kept.len();
            kept.push(Problem::new("", format!("there are {more} more problems")));
        }
        kept
    }
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root(&'a str),
    Key(&'a str),
    Item(usize),
}

/// One value of the document, with its place. Methods that read it report a problem and give `None` when it is not what
/// they expect.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    value: &'a Value,
    parent: Option<&'a Node<'a>>,
    step: Step<'a>,
    problems: &'a Problems,
}

/// A table of which every key is known.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    node: &'a Node<'a>,
    members: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    /// The value at `path`, which is where the walk begins.
    #[must_use]
    pub fn root(value: &'a Value, path: &'a str, problems: &'a Problems) -> Self {
        Self { value, parent: None, step: Step::Root(path), problems }
    }

    /// The value itself.
    #[must_use]
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Where it stands in the document.
    #[must_use]
    pub fn path(&self) -> String {
        let parent = self.parent.map(Node::path).unwrap_or_default();
        match self.step {
            Step::Root(path) => path.to_owned(),
            Step::Key(key) => key_path(&parent, key),
            Step::Item(index) => item_path(&parent, index),
        }
    }

    /// Reports a problem of this value. The message must not quote what could be a secret.
    pub fn report(&self, message: impl Into<String>) {
        self.problems.push(Problem::new(self.path(), message));
    }

    /// Reports a problem with what would help.
    pub fn report_with_hint(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(self.path(), message).with_hint(hint));
    }

    /// How many problems there are, to see later whether reading this value added some.
    #[must_use]
    pub fn problem_count(&self) -> usize {
        self.problems.count()
    }

    fn expected(&self, what: &str) {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a fraction",
            Value::Number(_) => "an integer",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a table",
        };
        self.report(format!("expected {what}, found {found}"));
    }

    /// A table that has no other keys than these.
    pub fn table(&'a self, keys: &[&'static str]) -> Option<Table<'a>> {
        let Value::Object(members) = self.value else {
            self.expected("a table");
            return None;
        };
        for key in members.keys().filter(|key| !keys.contains(&key.as_str())) {
            if self.problems.is_full() {
                // Looking for near names costs more than counting.
                self.problems.push(Problem::new("", "unknown key"));
                continue;
            }
            let problem = Problem::new(key_path(&self.path(), key), "unknown key");
            self.problems.push(match nearest(key, keys.iter().copied()) {
                Some(near) => problem.with_hint(format!("did you mean {near:?}?")),
                None => problem.with_hint(format!("the keys here are {}", keys.join(", "))),
            });
        }
        Some(Table { node: self, members })
    }

    /// A table with any keys: its members.
    pub fn members(&'a self) -> Option<impl Iterator<Item = (&'a str, Node<'a>)>> {
        let Value::Object(members) = self.value else {
            self.expected("a table");
            return None;
        };
        Some(members.iter().map(|(key, value)| (key.as_str(), self.child(value, Step::Key(key)))))
    }

    /// A list: its elements.
    pub fn items(&'a self) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        let Value::Array(items) = self.value else {
            self.expected("a list");
            return None;
        };
        Some(items.iter().enumerate().map(|(index, value)| self.child(value, Step::Item(index))))
    }

    /// Another value, as if it stood at a key of this table.
    #[must_use]
    pub fn beside(&'a self, key: &'a str, value: &'a Value) -> Node<'a> {
        self.child(value, Step::Key(key))
    }

    fn child(&'a self, value: &'a Value, step: Step<'a>) -> Node<'a> {
        Node { value, parent: Some(self), step, problems: self.problems }
    }

    /// A string.
    pub fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected("a string");
        }
        text
    }

    /// A string that is not empty.
    pub fn text(&self) -> Option<&'a str> {
        let text = self.string()?;
        if text.is_empty() {
            self.report("must not be empty");
            return None;
        }
        Some(text)
    }

    /// A list of no more than `most` elements.
    pub fn items_up_to(&'a self, most: usize) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        let items = self.items()?;
        if items.len() > most {
            self.report(format!("has {} elements; at most {most} are taken", items.len()));
            return None;
        }
        Some(items)
    }

    /// A table with any keys, no more than `most`: its members.
    pub fn members_up_to(&'a self, most: usize) -> Option<impl Iterator<Item = (&'a str, Node<'a>)>> {
        let count = self.value.as_object().map_or(0, Map::len);
        if count > most {
            self.report(format!("has {count} members; at most {most} are taken"));
            return None;
        }
        self.members()
    }

    /// A string that is not empty and no longer than `most` bytes.
    pub fn text_up_to(&self, most: usize) -> Option<&'a str> {
        let text = self.text()?;
        if text.len() > most {
            self.report(format!("is {} bytes long; at most {most} are taken", text.len()));
            return None;
        }
        Some(text)
    }

    /// A list of strings that are not empty; each of the others is reported.
    pub fn texts(&'a self) -> Option<Vec<String>> {
        Some(self.items()?.filter_map(|item| item.text().map(str::to_owned)).collect())
    }

    /// A list of strings that are not empty. Each of the others is reported and stands as an empty text, so that the rest keep
    /// their places.
    pub fn texts_in_place(&'a self) -> Option<Vec<String>> {
        Some(self.items()?.map(|item| item.text().unwrap_or_default().to_owned()).collect())
    }

    /// A boolean.
    pub fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.expected("true or false");
        }
        value
    }

    /// An integer within bounds.
    pub fn integer(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        // An integer that no 64 bits hold is read as a float, and is out of any bounds.
        let is_huge = self
            .value
            .as_f64()
            .is_some_and(|value| self.value.is_f64() && value.abs() >= 9_223_372_036_854_775_808.0);
        if !self.value.is_i64() && !self.value.is_u64() && !is_huge {
            self.expected("an integer");
            return None;
        }
        let value = self.value.as_u64().filter(|value| bounds.contains(value));
        if value.is_none() {
            self.report(format!("must be from {} to {}", bounds.start(), bounds.end()));
        }
        value
    }

    /// A number within bounds.
    pub fn number(&self, bounds: RangeInclusive<f64>) -> Option<f64> {
        let Some(value) = self.value.as_f64() else {
            self.expected("a number");
            return None;
        };
        if !bounds.contains(&value) {
            self.report(format!("must be from {} to {}", bounds.start(), bounds.end()));
            return None;
        }
        Some(value)
    }

    /// A number of bytes within bounds, with or without a unit: `4096`, `"1MiB"`.
    pub fn size(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let size = match self.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok().map(|size: ByteSize| size.as_u64()),
            _ => None,
        };
        let Some(size) = size else {
            self.report_with_hint("not a size", "write bytes, or a number with a unit such as \"1MiB\"");
            return None;
        };
        if !bounds.contains(&size) {
            self.report(format!("must be from {} to {}", ByteSize(*bounds.start()), ByteSize(*bounds.end())));
            return None;
        }
        Some(size)
    }

    /// A duration within bounds, as text with units: `15s`, `5m`, `1h30m`, `250ms`.
    pub fn duration(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        if let Value::Number(number) = self.value {
            self.report_with_hint("a duration needs a unit", format!("write \"{number}s\" for seconds"));
            return None;
        }
        let Some(text) = self.value.as_str() else {
            self.expected("a duration such as \"15s\"");
            return None;
        };
        let Ok(value) = humantime::parse_duration(text) else {
            let hint = "write a number with a unit, such as \"250ms\", \"15s\", \"5m\" or \"1h30m\"";
            self.report_with_hint("not a duration", hint);
            return None;
        };
        if !bounds.contains(&value) {
            self.report(format!("must be from {} to {}", bound(*bounds.start()), bound(*bounds.end())));
            return None;
        }
        Some(value)
    }
}

/// A duration as somebody would write it. Months and years are means, which nobody has in mind who reads of `365days`.
fn bound(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match (duration.as_secs() / DAY, duration.subsec_nanos()) {
        (1, 0) if duration.as_secs().is_multiple_of(DAY) => "1day".to_owned(),
        (days @ 2.., 0) if duration.as_secs().is_multiple_of(DAY) => format!("{days}days"),
        _ => humantime::format_duration(duration).to_string(),
    }
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &'static str) -> Option<Node<'a>> {
        let value = self.members.get(key)?;
        Some(self.node.child(value, Step::Key(key)))
    }

    /// Reports something about a key that is not there.
    pub fn report_missing(&self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::new(key_path(&self.node.path(), key), message);
        self.node.problems.push(problem.with_hint(hint));
    }

    /// The value of a key that must be there.
    pub fn require(&self, key: &'static str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            self.node.problems.push(Problem::new(key_path(&self.node.path(), key), "missing key"));
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(value: &Value, read: impl FnOnce(&Node<'_>)) -> Vec<String> {
        let problems = Problems::default();
        read(&Node::root(value, "", &problems));
        problems.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_has_its_path() {
        let found = problems(&json!({"a": [{"b": 1}, {"b": "x", "c.d": 2}]}), |root| {
            let table = root.table(&["a", "z"]).unwrap();
            assert!(table.require("z").is_none());
            let list = table.get("a").unwrap();
            for item in list.items().unwrap() {
                item.table(&["b"]).unwrap().get("b").unwrap().string();
            }
        });
        assert_eq!(
            found,
            ["z: missing key", "a[0].b: expected a string, found an integer", "a[1].\"c.d\": unknown key"]
        );
    }

    #[test]
    fn a_mistyped_key_is_named_with_its_nearest() {
        let problems = Problems::default();
        let value = json!({"timout": 1});
        Node::root(&value, "delivery", &problems).table(&["timeout", "retry"]);
        let hints: Vec<_> = problems.into_vec().into_iter().map(|problem| problem.hint).collect();
        assert_eq!(hints, [Some("did you mean \"timeout\"?".to_owned())]);
    }

    #[test]
    fn durations_have_units_and_bounds() {
        let second = Duration::from_secs(1);
        let bounds = || second..=second * 7200;
        let read = |value: Value| {
            let problems = Problems::default();
            let duration = Node::root(&value, "timeout", &problems).duration(bounds());
            assert_eq!(duration.is_none(), problems.count() == 1, "{value}");
            duration
        };
        assert_eq!(read(json!("15s")), Some(second * 15));
        assert_eq!(read(json!("1h30m")), Some(second * 5400));
        for bad in [json!(15), json!("15"), json!("999ms"), json!("3h"), json!("-1s"), json!(""), json!(null)]
        {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn bounds_are_told_as_they_are_written() {
        let second = Duration::from_secs(1);
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(10), "10ms"),
            (second * 90, "1m 30s"),
            (second * 86_400, "1day"),
            (second * 86_400 * 365, "365days"),
            (second * 86_401, "1day 1s"),
        ] {
            assert_eq!(bound(duration), text);
        }
    }

    #[test]
    fn very_many_problems_are_counted_and_the_first_ones_told() {
        let members: Map<String, Value> = (0..5000).map(|n| (format!("k{n:04}"), Value::Null)).collect();
        let found = problems(&Value::Object(members), |root| {
            root.table(&["a"]);
            assert_eq!(root.problem_count(), 5000);
        });
        assert_eq!(found.len(), MOST + 1);
        assert_eq!(
            (found[0].as_str(), found[MOST].as_str()),
            ("k0000: unknown key", "there are 4800 more problems")
        );
    }

    #[test]
    fn lists_tables_and_texts_keep_to_their_bounds() {
        let found = problems(&json!({"l": [1, 2, 3], "t": {"a": 1, "b": 2}, "s": "four"}), |root| {
            let table = root.table(&["l", "t", "s"]).unwrap();
            let (list, members, text) =
                (table.get("l").unwrap(), table.get("t").unwrap(), table.get("s").unwrap());
            assert!(list.items_up_to(3).is_some() && members.members_up_to(2).is_some());
            assert_eq!(text.text_up_to(4), Some("four"));
            assert!(list.items_up_to(2).is_none() && members.members_up_to(1).is_none());
            assert_eq!(text.text_up_to(3), None);
        });
        assert_eq!(
            found,
            [
                "l: has 3 elements; at most 2 are taken",
                "t: has 2 members; at most 1 are taken",
                "s: is 4 bytes long; at most 3 are taken"
            ]
        );
    }

    #[test]
    fn integers_keep_to_their_bounds() {
        let read = |value: Value| {
            let problems = Problems::default();
            Node::root(&value, "n", &problems).integer(1..=1000)
        };
        assert_eq!(read(json!(1000)), Some(1000));
        for bad in [json!(0), json!(1001), json!(-1), json!(1.5), json!("1"), json!(u64::MAX)] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }
}
