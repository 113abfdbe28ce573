//! `/resources/{id}/subscriptions`.

use super::body::{self, mistyped};
use super::fault::Fault;
use super::pagination::{Pagination, parameter};
use super::resource;
use super::router::{Answer, Flare, created, json_answer, seconds};
use super::schema::{ExplanationShape, NewSubscription, SubscriptionList, SubscriptionShape};
use crate::clock;
use crate::document::ChangeError;
use crate::store::{StoreError, StoredFollower};
use crate::subscription::Subscription;
use anglerfish_core::config::StatusSet;
use anglerfish_core::resource::{Action, DocumentUrl, Part, REVISION, ResourcePattern, parts};
use axum::response::IntoResponse;
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const PARSE: &str = "error during body parse";
const CREATE: &str = "error during subscription create";
const SEARCH: &str = "error during subscription search";
const DELETE: &str = "error during subscription delete";

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What is another for an action, or is for all.
#[derive(Debug, Clone, Default)]
struct Target {
    url: String,
    method: String,
    headers: Option<Map<String, Value>>,
}

/// A subscription as a client writes it.
#[derive(Debug, Clone)]
struct Written {
    main: Target,
    actions: BTreeMap<Action, Target>,
    success: Vec<Value>,
    discard: Vec<Value>,
    document: bool,
    envelope: bool,
    data: Map<String, Value>,
    /// What this service has beside: which documents it wants, which revisions, and whether what was there before.
    more: Map<String, Value>,
}

/// Members that the original does not know; they mean what they mean in the configuration.
const MORE: [&str; 3] = ["filter", "revisions", "backfill"];

/// Lists the subscriptions of a resource, in the order in which they were made.
#[utoipa::path(
    get, path = "/resources/{resource}/subscriptions", operation_id = "listSubscriptions", tag = "subscriptions",
    params(
        ("resource" = String, Path, description = "The resource's id."),
        ("limit" = Option<i64>, Query, description = "How many at most; 30 if it is not said.", minimum = 0),
        ("offset" = Option<i64>, Query, description = "How many come before; 0 if it is not said.", minimum = 0),
    ),
    responses((status = 200, description = "A part of the listing.", body = SubscriptionList))
)]
pub(super) async fn list(flare: &Flare, resource: &str, query: Option<&str>) -> Result<Answer, Fault> {
    let pagination = Pagination::read(query)?;
    let total = flare.store.count_followers(resource).await.map_err(unavailable)?;
    let page = of_resource(flare, resource, pagination.offset(), pagination.limit()).await?;
    let shown: Vec<Value> = page.iter().map(|(entry, follower)| shown(entry, follower)).collect();
    let answer = json!({"pagination": pagination.shown(total), "subscriptions": shown});
    Ok(json_answer(StatusCode::OK, &answer))
}

/// Shows a subscription.
#[utoipa::path(
    get, path = "/resources/{resource}/subscriptions/{id}", operation_id = "showSubscription",
    tag = "subscriptions", params(("resource" = String, Path, description = "The resource's id."), ("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "The subscription.", body = SubscriptionShape),
        (status = 404, description = "The resource has no such subscription."),
    )
)]
pub(super) async fn show(flare: &Flare, resource: &str, id: &str) -> Result<Answer, Fault> {
    let (entry, follower) = find(flare, resource, id, SEARCH).await?;
    Ok(json_answer(StatusCode::OK, &shown(&entry, &follower)))
}

/// Deletes a subscription, its deliveries, and what is known of what it has.
#[utoipa::path(
    delete, path = "/resources/{resource}/subscriptions/{id}", operation_id = "deleteSubscription",
    tag = "subscriptions", params(("resource" = String, Path, description = "The resource's id."), ("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "The resource has no such subscription."),
        (status = 409, description = "It comes from the configuration file."),
    )
)]
pub(super) async fn delete(flare: &Flare, resource: &str, id: &str) -> Result<Answer, Fault> {
    find(flare, resource, id, DELETE).await?;
    let deleted = flare.subscriptions.delete(id.to_owned(), flare.documents.now()).await;
    deleted.map_err(|error| Fault::of_subscription(DELETE, &error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Tells a subscription that has lost its data everything that exists, in small steps.
#[utoipa::path(
    post, path = "/resources/{resource}/subscriptions/{id}/resync", operation_id = "resyncSubscription",
    tag = "subscriptions", params(("resource" = String, Path, description = "The resource's id."), ("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 202, description = "It is noted, and done from now on."),
        (status = 404, description = "The resource has no such subscription."),
    )
)]
pub(super) async fn resync(flare: &Flare, resource: &str, id: &str) -> Result<Answer, Fault> {
    find(flare, resource, id, SEARCH).await?;
    flare.documents.resync(id).await.map_err(Fault::of_change)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Says what a subscription would be told of a document now, and why not.
#[utoipa::path(
    get, path = "/resources/{resource}/subscriptions/{id}/explain", operation_id = "explainDocument",
    tag = "subscriptions",
    params(
        ("resource" = String, Path, description = "The resource's id."), ("id" = String, Path, description = "The subscription's id."),
        ("document" = String, Query, description = "The document's own URL."),
    ),
    responses(
        (status = 200, description = "What it would be told.", body = ExplanationShape),
        (status = 404, description = "The resource has no such subscription."),
    )
)]
pub(super) async fn explain(
    flare: &Flare,
    resource: &str,
    id: &str,
    query: Option<&str>,
) -> Result<Answer, Fault> {
    find(flare, resource, id, SEARCH).await?;
    let url = parameter(query, "document").unwrap_or_default();
    let url = DocumentUrl::parse(&url).map_err(|error| Fault::bad("invalid id", error.to_string()))?;
    if !flare.documents.resources().of(&url).iter().any(|id| id == resource) {
        let detail = format!("'{url}' is no document of the resource '{resource}'");
        return Err(Fault::bad("invalid id", detail));
    }
    let notice = flare.documents.explain(id, resource, url.as_str()).await.map_err(Fault::of_change)?;
    let action = notice.telling.map(|telling| telling.action.word());
    let answer = json!({"document": url.as_str(), "action": action, "reason": notice.reason});
    Ok(json_answer(StatusCode::OK, &answer))
}

/// Makes a subscription.
#[utoipa::path(
    post, path = "/resources/{resource}/subscriptions", operation_id = "createSubscription", tag = "subscriptions",
    params(("resource" = String, Path, description = "The resource's id.")), request_body = NewSubscription,
    responses(
        (
            status = 201, description = "It is made.", body = SubscriptionShape,
            headers(("Location" = String, description = "Its address."))
        ),
        (status = 404, description = "There is no such resource."),
        (status = 409, description = "Another subscription of the resource has one of its URLs."),
    )
)]
pub(super) async fn create(flare: &Flare, resource: &str, bytes: &[u8]) -> Result<Answer, Fault> {
    let entry = resource::find(flare, resource)?;
    let written = read(&body::object(bytes)?, &entry.config.pattern)?;
    // Two that come at once must not both be the first with a URL.
    let mut table = flare.urls.lock().await;
    if let Some((id, url)) = table.taken(&flare.subscriptions, resource, &written.urls()) {
        let detail = format!("already exists a subscription '{id}' with the endpoint.URL '{url}'");
        return Err(Fault::conflict(CREATE, detail));
    }
    let id = clock::uuid();
    let document = written.document(&id, resource).to_string();
    let made = flare.subscriptions.create(document, flare.documents.now()).await;
    let made = made.map_err(|error| Fault::of_subscription(CREATE, &error))?;
    table.add(&flare.subscriptions, &made);
    drop(table);
    let (entry, follower) = find(flare, resource, &made.id, SEARCH).await?;
    Ok(created(&shown(&entry, &follower), &format!("/resources/{resource}/subscriptions/{id}")))
}

type Followed = (Arc<Subscription>, StoredFollower);

fn unavailable(error: StoreError) -> Fault {
    Fault::of_change(ChangeError::Store(error))
}

/// A part of the subscriptions of a resource, in the order in which they were made.
async fn of_resource(
    flare: &Flare,
    resource: &str,
    offset: usize,
    limit: usize,
) -> Result<Vec<Followed>, Fault> {
    let followers = flare.store.followers_of(resource, offset, limit).await.map_err(unavailable)?;
    let entries = followers.into_iter();
    Ok(entries
        .filter_map(|follower| Some((flare.subscriptions.get(&follower.subscription)?, follower)))
        .collect())
}

async fn find(flare: &Flare, resource: &str, id: &str, title: &str) -> Result<Followed, Fault> {
    let follower = flare.store.follower(id).await.map_err(unavailable)?;
    let of_resource = follower.filter(|follower| follower.resource == resource);
    let found = of_resource.and_then(|follower| Some((flare.subscriptions.get(id)?, follower)));
    found.ok_or_else(|| {
        Fault::not_found(title, format!("subscription '{id}' at resource '{resource}', not found"))
    })
}

/// Header fields of these names are shown without their values: who reads a subscription need not be who may send.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey"]
        .iter()
        .any(|word| name.contains(word))
}

fn shown(entry: &Subscription, follower: &StoredFollower) -> Value {
    let whole = entry.document();
    let hidden;
    // Its writer is no producer, and hides from whoever reads it what the management API hides.
    let document = if is_own(whole) {
        whole
    } else {
        hidden = entry.shown();
        &hidden
    };
    let target = |place: &Value| {
        let mut target = Map::new();
        for key in ["url", "method"] {
            if let Some(value) = place.get(key) {
                target.insert(key.to_owned(), value.clone());
            }
        }
        let headers = place.get("headers").and_then(Value::as_object).filter(|headers| !headers.is_empty());
        if let Some(headers) = headers {
            let list = |name: &str, value: &Value| match value {
                _ if is_credential(name) => json!(["…"]),
                Value::Array(_) => value.clone(),
                one => json!([one]),
            };
            let headers: Map<String, Value> =
                headers.iter().map(|(name, value)| (name.clone(), list(name, value))).collect();
            target.insert("headers".to_owned(), headers.into());
        }
        target
    };
    let null = Value::Null;
    let endpoint = document.get("endpoint").unwrap_or(&null);
    let mut shown_endpoint = target(endpoint);
    let actions = endpoint.get("actions").and_then(Value::as_object).into_iter().flatten();
    let actions: Map<String, Value> =
        actions.map(|(action, own)| (action.clone(), target(own).into())).collect();
    if !actions.is_empty() {
        shown_endpoint.insert("actions".to_owned(), actions.into());
    }
    let list = |key: &str, default: &Value| {
        document.pointer(&format!("/delivery/{key}")).map_or_else(|| default.clone(), integers)
    };
    // What counts where a subscription of the file or of the management API says nothing.
    let taken = json!([200, 201, 202, 203, 204, 205, 206, 207, 208, 226]);
    let flag = |key: &str| document.pointer(&format!("/notification/{key}")).cloned().unwrap_or(json!(true));
    let shown = json!({
        "id": entry.id,
        "endpoint": shown_endpoint,
        "delivery": {"success": list("success", &taken), "discard": list("discard", &json!([]))},
        "content": {"document": flag("document"), "envelope": flag("envelope")},
        "createdAt": seconds(follower.created),
    });
    let shown = with(shown, "data", document.pointer("/notification/data").cloned());
    MORE.iter().fold(shown, |shown, key| with(shown, key, document.get(*key).cloned()))
}

/// How what is not delivered is tried again: for days, since the service never gave up.
fn retry() -> Value {
    json!({"backoff": "exponential", "first": "1s", "max_delay": "10m", "max_attempts": 1000})
}

/// Whether a subscription was written here, as [`Written::document`] writes it, rather than in the file or through the management API.
fn is_own(document: &Value) -> bool {
    document.pointer("/delivery/retry") == Some(&retry())
        && document.pointer("/delivery/disable_on") == Some(&json!([]))
        && document.pointer("/endpoint/allow_http") == Some(&Value::Bool(true))
}

/// A list of statuses as the service's clients know them: classes and ranges one by one.
fn integers(list: &Value) -> Value {
    let items = list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice);
    let each = items.iter().flat_map(|item| match item.as_str().map(str::parse::<StatusSet>) {
        Some(Ok(set)) => {
            (200..=599).filter(|status| set.contains(*status)).map(Value::from).collect::<Vec<_>>()
        }
        Some(Err(_)) => Vec::new(),
        None => vec![item.clone()],
    });
    each.collect()
}

/// An object with one more member, if there is a value for it.
fn with(mut object: Value, key: &str, value: Option<Value>) -> Value {
    if let (Some(members), Some(value)) = (object.as_object_mut(), value) {
        members.insert(key.to_owned(), value);
    }
    object
}

impl Written {
    fn urls(&self) -> Vec<String> {
        let all = std::iter::once(&self.main).chain(self.actions.values());
        all.map(|target| target.url.clone()).filter(|url| !url.is_empty()).collect()
    }

    /// The subscription as a document of the configuration.
    fn document(&self, id: &str, resource: &str) -> Value {
        let mut endpoint = self.main.document();
        // Who takes notifications without TLS is named by its subscriber here, not by an operator.
        endpoint.insert("allow_http".to_owned(), true.into());
        if !self.actions.is_empty() {
            let actions: Map<String, Value> = { self.actions.iter() }
                .map(|(action, own)| (action.word().to_owned(), own.document().into()))
                .collect();
            endpoint.insert("actions".to_owned(), actions.into());
        }
        let notification = json!({"document": self.document, "envelope": self.envelope});
        let data = (!self.data.is_empty()).then(|| Value::from(self.data.clone()));
        let document = json!({
            "id": id,
            "resource": resource,
            "endpoint": endpoint,
            "delivery": {
                "success": self.success,
                "discard": self.discard,
                "timeout": "10s",
                "disable_on": [],
                "disable_after": false,
                "retry": retry(),
            },
            "notification": with(notification, "data", data),
        });
        self.more.iter().fold(document, |document, (key, value)| with(document, key, Some(value.clone())))
    }
}

impl Target {
    fn document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        for (key, text) in [("url", &self.url), ("method", &self.method)] {
            if !text.is_empty() {
                document.insert(key.to_owned(), text.as_str().into());
            }
        }
        if let Some(headers) = &self.headers {
            document.insert("headers".to_owned(), headers.clone().into());
        }
        document
    }
}

fn invalid(detail: String) -> Fault {
    Fault::bad(PARSE, format!("invalid body content: {detail}"))
}

/// Reads a subscription; the first thing that is wrong is told, in the order of the service.
fn read(members: &Map<String, Value>, pattern: &ResourcePattern) -> Result<Written, Fault> {
    let endpoint = body::table(members, "endpoint", "endpoint")?;
    let main = target(&endpoint, "endpoint")?;
    let mut actions = BTreeMap::new();
    for (word, own) in body::table(&endpoint, "actions", "endpoint.actions")? {
        let Some(action) = Action::of(&word) else {
            return Err(invalid(format!("invalid endpoint: unknown action 'endpoint.actions.{word}'")));
        };
        let path = format!("endpoint.actions.{word}");
        let own = match &own {
            Value::Object(own) => target(own, &path)?,
            Value::Null => Target::default(),
            other => return Err(mistyped(&path, other, "an object")),
        };
        actions.insert(action, own);
    }
    let delivery = body::table(members, "delivery", "delivery")?;
    let success = statuses(&delivery, "success")?;
    let discard = statuses(&delivery, "discard")?;
    let content = body::table(members, "content", "content")?;
    let document = body::flag(&content, "document", "content.document", true)?;
    let envelope = body::flag(&content, "envelope", "content.envelope", true)?;
    let data = body::table(members, "data", "data")?;
    let more = MORE.iter().filter_map(|key| Some(((*key).to_owned(), members.get(*key)?.clone())));
    let more = more.filter(|(_, value)| !value.is_null()).collect();
    let written = Written { main, actions, success, discard, document, envelope, data, more };
    escapes(&written.main.url)?;
    presence(&written)?;
    wildcards(&written, pattern)?;
    methods(&written)?;
    lists(&written)?;
    check_data(&written, pattern)?;
    syntax(&written)?;
    Ok(written)
}

fn target(members: &Map<String, Value>, path: &str) -> Result<Target, Fault> {
    let url = body::text(members, "url", &format!("{path}.url"))?.unwrap_or_default();
    let method = body::text(members, "method", &format!("{path}.method"))?.unwrap_or_default();
    let headers = body::table(members, "headers", &format!("{path}.headers"))?;
    for (name, values) in &headers {
        let is_text = |value: &Value| value.is_string();
        let fits = is_text(values) || values.as_array().is_some_and(|values| values.iter().all(is_text));
        if !fits {
            return Err(mistyped(&format!("{path}.headers.{name}"), values, "an array of strings"));
        }
        if HeaderName::try_from(name).is_err() {
            return Err(invalid(format!("invalid endpoint: '{name}' is not the name of a header field")));
        }
    }
    // A list of one is one: only then wildcards can stand in it.
    let one = |value: Value| match value.as_array().map(Vec::as_slice) {
        Some([only]) => only.clone(),
        _ => value,
    };
    let headers: Map<String, Value> = headers.into_iter().map(|(name, value)| (name, one(value))).collect();
    let headers = (!headers.is_empty()).then_some(headers);
    Ok(Target { url, method: method.to_uppercase(), headers })
}

fn statuses(delivery: &Map<String, Value>, key: &str) -> Result<Vec<Value>, Fault> {
    let path = format!("delivery.{key}");
    match delivery.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => match items.iter().find(|item| !item.is_i64() && !item.is_u64()) {
            Some(other) => Err(mistyped(&path, other, "an integer")),
            None => Ok(items.clone()),
        },
        Some(other) => Err(mistyped(&path, other, "an array of integers")),
    }
}

/// Refuses escapes that are none.
fn escapes(url: &str) -> Result<(), Fault> {
    let mut rest = url;
    while let Some((_, behind)) = rest.split_once('%') {
        let digits: String = behind.chars().take(2).collect();
        if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let escape = format!("%{digits}");
            let detail = format!("error during endpoint.url unescape: invalid URL escape {escape:?}");
            return Err(Fault::bad(PARSE, format!("error during content unescape: {detail}")));
        }
        rest = behind;
    }
    Ok(())
}

fn presence(written: &Written) -> Result<(), Fault> {
    if !written.main.url.is_empty() {
        return Ok(());
    }
    if written.actions.is_empty() {
        return Err(invalid("invalid endpoint: 'endpoint.url' not found".to_owned()));
    }
    let missing = Action::ALL
        .into_iter()
        .find(|action| written.actions.get(action).is_none_or(|own| own.url.is_empty()));
    match missing {
        Some(action) => Err(invalid(format!(
            "invalid endpoint: 'endpoint.url' not found while the 'endpoint.actions.{}.url' is not present",
            action.word()
        ))),
        None => Ok(()),
    }
}

fn wildcards(written: &Written, pattern: &ResourcePattern) -> Result<(), Fault> {
    let of_actions = written.actions.iter().map(|(action, own)| (action.word(), own));
    for (place, target) in std::iter::once(("url", &written.main)).chain(of_actions) {
        let place = if place == "url" { place.to_owned() } else { format!("{place}.url") };
        let found = parts(&target.url)
            .map_err(|error| invalid(format!("invalid endpoint: invalid wildcard: {error}")))?;
        for part in found {
            let Part::Wildcard(name) = part else { continue };
            if name == REVISION {
                let reserved = "invalid endpoint: invalid wildcard: 'revision' is a reserved wildcard";
                return Err(invalid(reserved.to_owned()));
            }
            if !pattern.wildcards().any(|known| known == name) {
                return Err(invalid(format!(
                    "invalid endpoint: endpoint.{place} has a wildcard '{name}' that is not at the resource"
                )));
            }
        }
        for (name, value) in target.headers.iter().flatten() {
            let each = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let texts = each.iter().filter_map(Value::as_str);
            for part in texts.filter_map(|text| parts(text).ok()).flatten() {
                let Part::Wildcard(wildcard) = part else { continue };
                if wildcard != REVISION && !pattern.wildcards().any(|known| known == wildcard) {
                    return Err(invalid(format!(
                        "invalid endpoint: the header field '{name}' has a wildcard '{wildcard}' that is not at the \
                         resource"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn methods(written: &Written) -> Result<(), Fault> {
    let is_known = |method: &str| method.is_empty() || METHODS.contains(&method);
    let method = &written.main.method;
    if !is_known(method) {
        return Err(invalid(format!("invalid method: invalid endpoint.Method '{method}'")));
    }
    for (action, own) in &written.actions {
        if !is_known(&own.method) {
            let (action, method) = (action.word(), &own.method);
            return Err(invalid(format!("invalid method: invalid endpoint.{action}.Method '{method}'")));
        }
    }
    if !method.is_empty() {
        return Ok(());
    }
    if let Some((action, _)) = written.actions.iter().find(|(_, own)| own.method.is_empty()) {
        return Err(invalid(format!(
            "invalid method: 'endpoint.method' not found while the 'endpoint.actions.{}.Method' is not present",
            action.word()
        )));
    }
    // Without a method of its own each of the actions needs one, also those that are not named.
    if written.actions.len() < Action::ALL.len() {
        return Err(invalid("invalid method: 'endpoint.method' not found".to_owned()));
    }
    Ok(())
}

fn lists(written: &Written) -> Result<(), Fault> {
    for (list, name) in [(&written.success, "Success"), (&written.discard, "Discard")] {
        if list.is_empty() {
            return Err(invalid(format!("missing delivery.{name}")));
        }
    }
    Ok(())
}

fn check_data(written: &Written, pattern: &ResourcePattern) -> Result<(), Fault> {
    if written.data.is_empty() {
        return Ok(());
    }
    if !written.envelope {
        return Err(invalid("could not have data while content.envelope is false".to_owned()));
    }
    let is_plain = |value: &Value| value.is_boolean() || value.is_number() || value.is_string();
    for (key, value) in &written.data {
        let fits = match value {
            Value::Array(items) => items.iter().all(is_plain),
            value => is_plain(value),
        };
        if !fits {
            return Err(invalid(format!("invalid data content at key '{key}'")));
        }
        let Some(text) = value.as_str() else { continue };
        let found =
            parts(text).map_err(|error| invalid(format!("data.'{key}' has an invalid wildcard: {error}")))?;
        for part in found {
            if let Part::Wildcard(name) = part
                && name != REVISION
                && !pattern.wildcards().any(|known| known == name)
            {
                return Err(invalid(format!(
                    "data.'{key}' has a wildcard '{name}' that is not at the resource"
                )));
            }
        }
    }
    Ok(())
}

/// Whether the URLs are absolute, and none of their hosts depends on a document.
fn syntax(written: &Written) -> Result<(), Fault> {
    for url in written.urls() {
        let lower = url.to_ascii_lowercase();
        let rest = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            None | Some("") => {
                let detail = format!("'{url}' is not an absolute http or https url");
                return Err(Fault::bad("invalid subscription", detail));
            }
            Some(host) if host.contains('{') => {
                let detail = format!("the host of '{url}' must not have a wildcard");
                return Err(Fault::bad("invalid subscription", detail));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
