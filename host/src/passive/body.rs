//! What subscribers ask for, as it is described: see [`super::request`] for how it is read.

use utoipa::ToSchema;

/// How many messages, for how long, and how long to wait for one. Every member may be left out, and the whole body too.
#[derive(ToSchema)]
#[schema(as = Lease)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct LeaseBody {
    /// How many messages at most.
    #[schema(required = false, minimum = 1, maximum = 100, default = 10)]
    max: u64,
    /// How long they are leased, from `1s` to `12h`.
    #[schema(required = false, default = "30s")]
    lease: String,
    /// How long to wait for the first one, up to `1m`; not at all by default.
    #[schema(required = false, default = "0s")]
    wait: String,
    /// How data is written: `plain`, or `base64` for all of it.
    #[schema(required = false, default = "plain")]
    data: String,
}

/// Leases by their tokens.
#[derive(ToSchema)]
#[schema(as = Acknowledgement)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct AckBody {
    /// The tokens of the leases.
    #[schema(min_items = 1, max_items = 1000)]
    tokens: Vec<String>,
}

/// Leases by their tokens, and what is to happen to the messages.
#[derive(ToSchema)]
#[schema(as = Return)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct NackBody {
    /// The tokens of the leases.
    #[schema(min_items = 1, max_items = 1000)]
    tokens: Vec<String>,
    /// When the messages come again, up to `7d` from now; left out, as the subscription's retry policy says.
    #[schema(required = false)]
    delay: String,
    /// Whether they do not come again at all.
    #[schema(required = false, default = false)]
    dead: bool,
    /// Why, for whoever looks at the attempts.
    #[schema(required = false, max_length = 1024)]
    reason: String,
}

/// Leases by their tokens, and how long they go on.
#[derive(ToSchema)]
#[schema(as = Extension)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct ExtendBody {
    /// The tokens of the leases.
    #[schema(min_items = 1, max_items = 1000)]
    tokens: Vec<String>,
    /// How long they go on from now, from `1s` to `12h`.
    #[schema(required = false, default = "30s")]
    lease: String,
}
