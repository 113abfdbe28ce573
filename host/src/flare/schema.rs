//! The form of what is read and answered, for the description of the API. What is read is checked by hand, in the order and with
//! the words of the service; a test holds the answers against these.

use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Which part of a listing it is, and how long the listing is.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct Page {
    #[schema(minimum = 0)]
    limit: i64,
    #[schema(minimum = 0)]
    offset: i64,
    total: usize,
}

/// Which field of a document says how new it is.
#[derive(ToSchema)]
#[schema(as = Change)]
#[expect(dead_code, reason = "it only describes what is read and answered")]
pub(super) struct ChangeShape {
    /// Its name, at the top of the document.
    field: String,
    /// How its dates are written, as Go writes the reference date: `2006-01-02T15:04:05Z07:00`. Without it, it is an integer.
    #[schema(required = false)]
    format: String,
}

/// A pattern of documents whose changes are told.
#[derive(ToSchema)]
#[schema(as = NewResource)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct NewResource {
    /// An absolute `http` or `https` URL with wildcards such as `{id}`, each alone between two slashes.
    endpoint: String,
    #[schema(inline = false)]
    change: ChangeShape,
}

/// A resource.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resource)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ResourceShape {
    id: String,
    endpoint: String,
    change: ChangeShape,
    #[schema(format = DateTime)]
    #[serde(rename = "createdAt")]
    created_at: String,
}

/// The resources, in the order in which they were made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resources)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ResourceList {
    pagination: Page,
    resources: Vec<ResourceShape>,
}

/// Where notifications go.
#[derive(ToSchema)]
#[schema(as = Target)]
#[expect(dead_code, reason = "it only describes what is read and answered")]
pub(super) struct TargetShape {
    /// An absolute `http` or `https` URL. `{id}` stands for what the document has in the place of that wildcard.
    #[schema(required = false)]
    url: String,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    #[schema(required = false)]
    method: String,
    /// Header fields, each with its values. Values of those that look like credentials are shown as `…`.
    #[schema(required = false)]
    headers: BTreeMap<String, Vec<String>>,
}

/// Where notifications go, and where those of an action go that is another.
#[derive(ToSchema)]
#[schema(as = Endpoint)]
#[expect(dead_code, reason = "it only describes what is read and answered")]
pub(super) struct EndpointShape {
    /// As of a target.
    #[schema(required = false)]
    url: String,
    /// As of a target.
    #[schema(required = false)]
    method: String,
    /// As of a target.
    #[schema(required = false)]
    headers: BTreeMap<String, Vec<String>>,
    /// By `create`, `update` and `delete`.
    #[schema(required = false)]
    actions: BTreeMap<String, TargetShape>,
}

/// Which statuses end a notification.
#[derive(ToSchema)]
#[schema(as = Delivery)]
#[expect(dead_code, reason = "it only describes what is read and answered")]
pub(super) struct DeliveryShape {
    /// Those that mean that the subscriber has it.
    #[schema(min_items = 1)]
    success: Vec<u16>,
    /// Those that mean that it shall not be tried again.
    discard: Vec<u16>,
}

/// What is sent.
#[derive(ToSchema)]
#[schema(as = Content)]
#[expect(dead_code, reason = "it only describes what is read and answered")]
pub(super) struct ContentShape {
    /// Whether the document is sent; it is unless that is said.
    #[schema(required = false, default = true)]
    document: bool,
    /// Whether it stands in an envelope; it does unless that is said.
    #[schema(required = false, default = true)]
    envelope: bool,
}

/// Who is told of a resource's documents, and how.
#[derive(ToSchema)]
#[schema(as = NewSubscription)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct NewSubscription {
    endpoint: EndpointShape,
    delivery: DeliveryShape,
    #[schema(required = false)]
    content: ContentShape,
    /// What stands in the envelope besides: truth values, numbers, texts, and lists of them.
    #[schema(required = false)]
    data: BTreeMap<String, Value>,
    /// A CEL expression: which documents, or which changes it wants. Not Flare's.
    #[schema(required = false)]
    filter: String,
    /// `last` or `all`. Not Flare's.
    #[schema(required = false)]
    revisions: String,
    /// Whether it is told of everything that exists. Not Flare's.
    #[schema(required = false)]
    backfill: bool,
}

/// A subscription.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Subscription)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct SubscriptionShape {
    id: String,
    endpoint: EndpointShape,
    delivery: DeliveryShape,
    content: ContentShape,
    #[schema(required = false)]
    data: BTreeMap<String, Value>,
    #[schema(required = false)]
    filter: String,
    #[schema(required = false)]
    revisions: String,
    #[schema(required = false)]
    backfill: bool,
    #[schema(format = DateTime)]
    #[serde(rename = "createdAt")]
    created_at: String,
}

/// The subscriptions of a resource, in the order in which they were made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Subscriptions)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct SubscriptionList {
    pagination: Page,
    subscriptions: Vec<SubscriptionShape>,
}

/// A document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Document)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct DocumentShape {
    /// Its URL.
    id: String,
    #[schema(format = DateTime)]
    #[serde(rename = "updatedAt")]
    updated_at: String,
    /// What was put.
    #[schema(value_type = Object)]
    content: Value,
}

/// A document, without its content.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DocumentSummary)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct DocumentSummary {
    /// Its URL.
    id: String,
    revision: String,
    #[schema(format = DateTime)]
    #[serde(rename = "updatedAt")]
    updated_at: String,
}

/// What documents there are.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Documents)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct DocumentList {
    documents: Vec<DocumentSummary>,
    /// The `after` of the next part; `null` at the end.
    #[schema(required)]
    next: Option<String>,
}

/// What a subscription would be told of a document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Explanation)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ExplanationShape {
    /// Its URL.
    document: String,
    /// `create`, `update` or `delete`; `null` for nothing.
    #[schema(required)]
    action: Option<String>,
    /// Why, in a sentence.
    reason: String,
}

/// Which service answers.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Service)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ServiceShape {
    /// The name that clients of the original look for the runtime under.
    go: String,
    version: String,
}

/// What is wrong.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ErrorShape {
    error: ErrorDetails,
}

/// What is wrong.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) struct ErrorDetails {
    title: String,
    /// Where there is more to say.
    #[schema(required = false)]
    detail: String,
    /// Of addresses that there are not, or not with this method.
    #[schema(required = false)]
    status: u16,
}
