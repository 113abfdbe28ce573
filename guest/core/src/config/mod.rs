//! The parts of the configuration that the pure core knows: sources with their verification, subscriptions with their
//! endpoints and delivery policies, and the one reader that makes them from a document.
//!
//! The TOML file, the bodies of the management API and what the component is given to load are the same document in
//! the same words, so they are read by the same code.

mod access_token;
mod api;
mod batch;
mod content;
mod data;
mod delivery;
mod endpoint_url;
mod flow;
mod ordering;
mod read;
mod reference;
mod resource;
mod retry;
mod secret_place;
mod source;
mod start;
mod status;
mod subscription;
mod template;
mod topic;

pub use crate::node::{Node, Problems, Table, is_name, is_within, item_path, key_path, nearest, overlap};
pub use crate::secret::Secret;
pub use crate::sign::{SignatureStyle, SigningKeyConfig};
pub use access_token::{AccessToken, ParseHashError, TOKEN_HINT, token_problem};
pub use api::{ApiConfig, CallPolicy};
pub use batch::BatchConfig;
pub use content::{ContentMode, ForwardHeaders};
pub use data::{DataKind, DataPiece, DataTemplate, ValuePlace};
pub use delivery::{DeliveryConfig, DeliveryMode};
pub use endpoint_url::{EndpointUrl, is_token};
pub use flow::{BacklogConfig, BreakerConfig, BreakerTrip, Overflow, RateConfig};
pub use ordering::OrderingConfig;
pub use read::is_header_value;
pub use read::{
    CALL_METHODS, CALL_POLICY_KEYS, Document, LONGEST_OVERLAP, MOST_SECRETS, MOST_TOKENS, read_api,
    read_call_policy, read_call_url, read_delivery, read_document, read_endpoint, read_rate, read_resource,
    read_source, read_start, read_subscription,
};
pub(crate) use read::{LONGEST_URL, MOST_HEADER_BYTES, MOST_HEADERS, is_reserved_header};
pub use reference::{is_reference, refuse_references};
pub use resource::{ActionConfig, ActionHeaders, NotificationConfig, ResourceConfig};
pub use retry::{BackoffConfig, Growth, RetryCauses, RetryConfig, Schedule};
pub use secret_place::{
    API_SECRETS, CONFIGURATION_SECRETS, SOURCE_SECRETS, SUBSCRIPTION_SECRETS, SecretKind, SecretPlace,
    TOPIC_SECRETS, for_each_secret,
};
pub use source::{OPERATIONAL_SOURCE, SourceConfig, is_built_in};
pub use start::StartPoint;
pub use status::{ParseStatusError, StatusSet};
pub use subscription::{
    ClientCertificate, EndpointConfig, EndpointTls, OnPluginError, PluginUse, SubscriptionConfig, WhenRemoved,
};
pub use template::{EndpointTemplates, Piece, Template};
pub use topic::{TOPIC_PREFIX, TopicConfig, TopicPattern, is_topic_name, topic_of};
