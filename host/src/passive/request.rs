//! What subscribers ask for. All problems of a body are told at once, each with its place.

use crate::delivery::{MessageToken, Returned, Wanted};
use crate::web::ProblemDetails;
use anglerfish_core::attempt::DataForm;
use anglerfish_core::config::{Node, Problems, Table};
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Messages of one answer.
const MOST_MESSAGES: u64 = 100;
const MESSAGES: u64 = 10;
/// Tokens of one request.
const MOST_TOKENS: usize = 1000;
/// How long messages are leased to whoever does not say, and how long they may be.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const LEASES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(12);
/// Proxies cut what is silent for longer.
const WAITS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);
const DELAYS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24 * 7);
const LONGEST_REASON: usize = 1024;

/// A token as it was sent, so that the answer can name it, and what it is; what is none is as stale as one of long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedToken {
    pub(super) text: String,
    pub(super) token: Option<MessageToken>,
}

/// Reads a body: everything that is wrong with it, or what it says.
fn read<T>(
    body: &Value,
    keys: &[&'static str],
    read: impl FnOnce(&Table<'_>) -> Option<T>,
) -> Result<T, ProblemDetails> {
    let problems = Problems::default();
    let node = Node::root(body, "", &problems);
    let found = node.table(keys).and_then(|table| read(&table));
    let problems = problems.into_vec();
    found.filter(|_| problems.is_empty()).ok_or_else(|| ProblemDetails::invalid(&problems))
}

pub(super) fn lease(body: Option<Value>) -> Result<(Wanted, DataForm), ProblemDetails> {
    read(&body.unwrap_or_else(|| json!({})), &["max", "lease", "wait", "data"], |table| {
        let max = table.get("max").map_or(Some(MESSAGES), |node| node.integer(1..=MOST_MESSAGES));
        let lease = table.get("lease").map_or(Some(LEASE), |node| node.duration(LEASES));
        let wait = table.get("wait").map_or(Some(Duration::ZERO), |node| node.duration(WAITS));
        let form = table.get("data").map_or(Some(DataForm::Plain), |node| form(&node));
        Some((Wanted { max: usize::try_from(max?).ok()?, lease: lease?, wait: wait? }, form?))
    })
}

pub(super) fn acknowledge(body: &Value) -> Result<Vec<NamedToken>, ProblemDetails> {
    read(body, &["tokens"], tokens)
}

pub(super) fn give_back(body: &Value) -> Result<(Vec<NamedToken>, Returned), ProblemDetails> {
    read(body, &["tokens", "delay", "dead", "reason"], |table| {
        let (tokens, returned) = (tokens(table), returned(table));
        Some((tokens?, returned))
    })
}

/// How messages are given back: `delay`, `dead` and `reason`. What is wrong with them is reported, and then what they say
/// does not count.
pub(crate) fn returned(table: &Table<'_>) -> Returned {
    let delay = table.get("delay").and_then(|node| node.duration(DELAYS));
    let is_dead = table.get("dead").and_then(|node| node.boolean()).unwrap_or_default();
    if let Some(node) = table.get("delay").filter(|_| is_dead) {
        node.report("what is dead does not come again: give either \"delay\" or \"dead\"");
    }
    let reason = table.get("reason").and_then(|node| node.text_up_to(LONGEST_REASON).map(str::to_owned));
    Returned { delay, is_dead, reason }
}

pub(super) fn extend(body: &Value) -> Result<(Vec<NamedToken>, Duration), ProblemDetails> {
    read(body, &["tokens", "lease"], |table| {
        let tokens = tokens(table);
        let lease = table.get("lease").map_or(Some(LEASE), |node| node.duration(LEASES));
        Some((tokens?, lease?))
    })
}

fn form(node: &Node<'_>) -> Option<DataForm> {
    match node.string()? {
        "plain" => Some(DataForm::Plain),
        "base64" => Some(DataForm::Base64),
        _ => {
            node.report("must be \"plain\" or \"base64\"");
            None
        }
    }
}

fn tokens(table: &Table<'_>) -> Option<Vec<NamedToken>> {
    let node = table.require("tokens")?;
    let items = node.items_up_to(MOST_TOKENS)?;
    if items.len() == 0 {
        node.report("names no lease");
        return None;
    }
    let named = items.filter_map(|item| {
        let text = item.text_up_to(64)?;
        Some(NamedToken { text: text.to_owned(), token: MessageToken::parse(text) })
    });
    Some(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_the_documented_defaults() {
        let (wanted, form) = lease(None).unwrap();
        assert_eq!((wanted.max, wanted.lease, wanted.wait), (10, LEASE, Duration::ZERO));
        assert_eq!(form, DataForm::Plain);
        let (wanted, form) =
            lease(Some(json!({"max": 1, "lease": "2m", "wait": "20s", "data": "base64"}))).unwrap();
        assert_eq!(
            (wanted.max, wanted.lease, wanted.wait),
            (1, Duration::from_mins(2), Duration::from_secs(20))
        );
        assert_eq!(form, DataForm::Base64);
    }

    #[test]
    fn what_is_beyond_its_bounds_or_unknown_is_refused() {
        for body in [
            json!({"max": 0}),
            json!({"max": 101}),
            json!({"max": "1"}),
            json!({"lease": "999ms"}),
            json!({"lease": "13h"}),
            json!({"lease": 30}),
            json!({"wait": "61s"}),
            json!({"data": "json"}),
            json!({"maximum": 1}),
        ] {
            let problem = lease(Some(body.clone())).unwrap_err();
            assert_eq!(problem.code(), "invalid-document", "{body}");
        }
        for body in [
            json!({}),
            json!({"tokens": []}),
            json!({"tokens": "a"}),
            json!({"tokens": [1]}),
            json!({"tokens": vec!["a"; 1001]}),
            json!({"tokens": ["a"], "delay": "8d"}),
            json!({"tokens": ["a"], "delay": "1s", "dead": true}),
            json!({"tokens": ["a"], "reason": "x".repeat(1025)}),
        ] {
            assert_eq!(give_back(&body).unwrap_err().code(), "invalid-document", "{body}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_one_is_named_all_the_same() {
        let named =
            acknowledge(&json!({"tokens": ["nonsense", "0123456789abcdef0123456789abcdef"]})).unwrap();
        assert_eq!((named[0].text.as_str(), named[0].token), ("nonsense", None));
        assert!(named[1].token.is_some());
    }
}
