//! Reading a subscription.

use super::{batch, endpoint, policy, resource, source, start};
use crate::config::{
    AccessToken, DeliveryConfig, DeliveryMode, OnPluginError, PluginUse, StartPoint, SubscriptionConfig,
    TOKEN_HINT, WhenRemoved, token_problem, topic_of,
};
use crate::flow::is_flow_name;
use crate::node::{Node, Table};

pub(super) const KEYS: &[&str] = &[
    "id",
    "sources",
    "filter",
    "resource",
    "revisions",
    "backfill",
    "notification",
    "plugins",
    "mode",
    "flow",
    "tokens",
    "endpoint",
    "delivery",
    "start",
    "when_removed",
];

/// Tokens of a subscriber: one is in use, others are on the way out.
pub const MOST_TOKENS: usize = 10;

/// Whoever wants more than this many sources wants all of them and a filter.
const MOST_SOURCES: usize = 1000;

/// A subscription, if nothing is wrong with what it has of the known keys. Whether its sources exist and its filter compiles is not looked at.
pub(super) fn read(node: &Node<'_>) -> Option<SubscriptionConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let id = table.require("id").and_then(|node| source::name(&node));
    let sources = table.get("sources").and_then(|node| sources(&node)).unwrap_or_default();
    let filter = table.get("filter").and_then(|node| filter(&node));
    let is_of_resource = table.get("resource").is_some();
    let plugins = table.get("plugins").and_then(|node| plugins(&node)).unwrap_or_default();
    let flow = table.get("flow").and_then(|node| flow(&node));
    let mode = match (table.get("mode"), table.get("flow")) {
        (Some(node), _) => mode(&node),
        (None, Some(_)) => Some(DeliveryMode::Function),
        (None, None) => Some(DeliveryMode::default()),
    };
    if let Some(node) = table.get("flow").filter(|_| !matches!(mode, Some(DeliveryMode::Function) | None)) {
        let hint = "leave `flow` out, or the mode";
        node.report_with_hint("each event starts a flow, and the mode has it go elsewhere", hint);
    }
    let tokens_are_given = table.get("tokens").is_some();
    let tokens = table.get("tokens").and_then(|node| tokens(&node)).unwrap_or_default();
    let endpoint = match mode {
        _ if is_of_resource => None,
        Some(DeliveryMode::Push) => table.require("endpoint"),
        Some(DeliveryMode::Passive | DeliveryMode::Stream | DeliveryMode::Function) | None => {
            table.get("endpoint")
        }
    };
    match mode {
        _ if is_of_resource => {}
        Some(DeliveryMode::Passive) => reachable(&table),
        Some(DeliveryMode::Stream) => readable(&table),
        Some(DeliveryMode::Function) => called(&table),
        Some(DeliveryMode::Push) | None => {}
    }
    let is_read = tokens_are_given || matches!(mode, Some(DeliveryMode::Passive | DeliveryMode::Stream));
    if let Some(node) = table.get("plugins").filter(|_| is_read || is_of_resource) {
        let hint = "leave them out, or have it sent to an endpoint without tokens and without a resource";
        node.report_with_hint("plugins judge what is sent, and readers would get all of it", hint);
    }
    if !is_of_resource && endpoint.is_none() && mode != Some(DeliveryMode::Stream) {
        unsent(&table);
    }
    let (notification, endpoint) = match resource::notification(&table) {
        Some((notification, endpoint)) => (Some(Box::new(notification)), Some(endpoint)),
        None => (None, endpoint.and_then(|node| endpoint::read(&node))),
    };
    if !is_of_resource {
        resource::only_of_a_resource(&table);
    }
    let delivery = table.get("delivery").and_then(|node| policy::read(&node)).unwrap_or_default();
    if delivery.transform.is_some()
        && endpoint.as_ref().is_some_and(|endpoint| endpoint.templates.data.is_some())
    {
        let hint = "leave out one of the two";
        node.report_with_hint("`endpoint.data` and `delivery.transform` both say what is sent", hint);
    }
    if let Some(endpoint) = &endpoint {
        batch::review_endpoint(&table, &delivery, endpoint);
    }
    if let Some(node) = table
        .get("delivery")
        .filter(|_| delivery.batch.is_some() && mode.is_some_and(|mode| mode != DeliveryMode::Push))
    {
        let hint = "leave `batch` out, or have it pushed: messages that are leased come as many at a time as is asked for";
        node.report_with_hint("only what is pushed goes in batches", hint);
    }
    let start = table.get("start").map_or(Some(StartPoint::Now), |node| start::start(&node));
    let when_removed = table.get("when_removed").and_then(|node| when_removed(&node)).unwrap_or_default();
    if node.problem_count() != before {
        return None;
    }
    let delivery = DeliveryConfig { mode: mode?, ..delivery };
    let start = start?;
    Some(SubscriptionConfig {
        id: id?,
        sources,
        filter,
        plugins,
        endpoint,
        tokens,
        notification,
        flow: flow.map(Into::into),
        delivery,
        start,
        when_removed,
    })
}

fn mode(node: &Node<'_>) -> Option<DeliveryMode> {
    match node.string()? {
        "push" => Some(DeliveryMode::Push),
        "passive" => Some(DeliveryMode::Passive),
        "stream" => Some(DeliveryMode::Stream),
        "function" => Some(DeliveryMode::Function),
        _ => {
            node.report("must be \"push\", \"passive\", \"stream\" or \"function\"");
            None
        }
    }
}

fn flow<'a>(node: &Node<'a>) -> Option<&'a str> {
    let name = node.string()?;
    if !is_flow_name(name) {
        node.report("must be 1 to 40 of `a-z A-Z 0-9 . _ -`");
        return None;
    }
    Some(name)
}

/// Reports a passive subscription that nobody could ever get anything from.
fn reachable(table: &Table<'_>) {
    if table.get("tokens").is_none() && table.get("endpoint").is_none() {
        let hint = "give tokens for the subscriber, or an endpoint for sending on demand";
        table.report_missing("tokens", "missing key of a passive subscription", hint);
    }
}

/// Reports what is said of requests where none are made: a lease gives events as CloudEvents, whatever is asked for here.
fn unsent(subscription: &Table<'_>) {
    let Some(delivery) = subscription.get("delivery").filter(|node| node.value().is_object()) else { return };
    for (key, value) in delivery.members().into_iter().flatten() {
        if policy::SENT.contains(&key) {
            value.report_with_hint(
                "says what is sent, and there is no endpoint to send to",
                "leave the key out",
            );
        }
    }
}

/// Reports a stream that nobody could read, and what would have no effect on it.
fn readable(table: &Table<'_>) {
    if table.get("tokens").is_none() {
        table.report_missing("tokens", "missing key of a stream", "give tokens for its readers");
    }
    for key in ["endpoint", "delivery", "start"] {
        if let Some(node) = table.get(key) {
            let hint = "leave it out, or choose another mode";
            node.report_with_hint("a stream is read and delivers nothing", hint);
        }
    }
}

/// Plugins that a subscription uses, and what it says to one of them.
const MOST_PLUGINS: usize = 8;
const LONGEST_CONFIG: usize = 64 * 1024;

fn plugins(node: &Node<'_>) -> Option<Vec<PluginUse>> {
    let items = node.items_up_to(MOST_PLUGINS)?;
    Some(items.filter_map(|item| plugin(&item)).collect())
}

fn plugin(node: &Node<'_>) -> Option<PluginUse> {
    let table = node.table(&["name", "config", "on_error"])?;
    let name = table.require("name").and_then(|node| source::name(&node));
    let config = table.get("config").map_or_else(|| "null".to_owned(), |node| node.value().to_string());
    if config.len() > LONGEST_CONFIG
        && let Some(node) = table.get("config")
    {
        node.report(format!("is {} bytes long as JSON; at most {LONGEST_CONFIG} are taken", config.len()));
    }
    let on_error = table.get("on_error").map_or(Some(OnPluginError::default()), |node| {
        let word = node.string()?;
        match word {
            "discard" => Some(OnPluginError::Discard),
            "hold" => Some(OnPluginError::Hold),
            _ => {
                node.report("must be \"discard\" or \"hold\"");
                None
            }
        }
    });
    Some(PluginUse { name: name?, config, on_error: on_error? })
}

/// Reports an endpoint of what is taken by a function or starts a flow.
fn called(table: &Table<'_>) {
    let Some(node) = table.get("endpoint") else { return };
    match table.get("flow") {
        Some(_) => node.report_with_hint("each event starts a flow", "leave it out, or `flow`"),
        None => node
            .report_with_hint("a function takes what is delivered", "leave it out, or choose another mode"),
    }
}

pub(super) fn tokens(node: &Node<'_>) -> Option<Vec<AccessToken>> {
    let items = node.items_up_to(MOST_TOKENS)?;
    if items.len() == 0 {
        node.report_with_hint("names no token", "leave the key out if nobody is to lease or to read");
        return None;
    }
    Some(items.filter_map(|item| token(&item)).collect())
}

/// A token that can stand in an `Authorization` field and cannot be guessed, or its hash.
fn token(node: &Node<'_>) -> Option<AccessToken> {
    let text = node.text()?;
    if let Some(problem) = token_problem(text) {
        node.report_with_hint(problem, TOKEN_HINT);
        return None;
    }
    match AccessToken::parse(text) {
        Ok(token) => Some(token),
        Err(error) => {
            node.report(error.to_string());
            None
        }
    }
}

fn when_removed(node: &Node<'_>) -> Option<WhenRemoved> {
    match node.string()? {
        "end" => Some(WhenRemoved::End),
        "wait" => Some(WhenRemoved::Wait),
        _ => {
            node.report("must be \"end\" or \"wait\"");
            None
        }
    }
}

fn sources(node: &Node<'_>) -> Option<Vec<String>> {
    let items = node.items_up_to(MOST_SOURCES)?;
    if items.len() == 0 {
        node.report_with_hint("names no source", "leave the key out to listen to all sources");
        return None;
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let topic = item.value().as_str().filter(|text| topic_of(text).is_some());
        let Some(name) = topic.map(str::to_owned).or_else(|| source::name(&item)) else { continue };
        if names.contains(&name) {
            item.report(format!("{name:?} is named twice"));
        }
        names.push(name);
    }
    Some(names)
}

fn filter(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if text.trim().is_empty() {
        node.report_with_hint("must not be empty", "leave the key out to match every event");
        return None;
    }
    Some(text.to_owned())
}
