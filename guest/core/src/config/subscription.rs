//! Who wants which events, and where they go.

use super::{
    AccessToken, DeliveryConfig, EndpointTemplates, EndpointUrl, NotificationConfig, Secret, SignatureStyle,
    SigningKeyConfig, StartPoint,
};
use std::time::Duration;

/// A subscription, valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionConfig {
    /// Its id: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub id: String,
    /// The sources that it listens to; empty means all of them.
    pub sources: Vec<String>,
    /// A CEL expression; without one every event of the sources matches.
    pub filter: Option<String>,
    /// What says of each event that the filter wants whether it is delivered, in this order; all of them have to agree.
    pub plugins: Vec<PluginUse>,
    /// Where its events go. A passive subscription may do without: its subscriber leases them; and a stream has none.
    pub endpoint: Option<EndpointConfig>,
    /// The flow of the program that each of its events starts one of, in the place of a function.
    pub flow: Option<Box<str>>,
    /// What its subscriber shows in order to lease or to read; several while one is rotated. Without any nobody can.
    pub tokens: Vec<AccessToken>,
    /// The resource whose documents it is told of, and how; it gets no other events then.
    pub notification: Option<Box<NotificationConfig>>,
    /// How they are delivered.
    pub delivery: DeliveryConfig,
    /// From where in the log on it gets events, when it is new; once it is there, this says nothing any more.
    pub start: StartPoint,
    /// What becomes of its open deliveries when it is removed.
    pub when_removed: WhenRemoved,
}

/// A plugin, as a subscription uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginUse {
    /// The plugin's name.
    pub name: String,
    /// What the subscription says to it, as JSON.
    pub config: String,
    /// What becomes of a delivery that it cannot say anything about.
    pub on_error: OnPluginError,
}

/// What becomes of a delivery whose plugin fails: it is not sent, either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPluginError {
    /// It ends discarded.
    #[default]
    Discard,
    /// It ends dead, from where it is released by hand.
    Hold,
}

/// What becomes of a subscription's open deliveries when it is removed: deleted, or no longer in the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenRemoved {
    /// They end, with that as their reason.
    #[default]
    End,
    /// They wait for a subscription of that id.
    Wait,
}

/// Where deliveries go.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointConfig {
    /// Where requests go, with something in the place of what depends on the event.
    pub url: EndpointUrl,
    /// What of the URL and of the header fields depends on the event.
    pub templates: EndpointTemplates,
    /// The method; `POST` by default.
    pub method: String,
    /// Header fields to add.
    pub headers: Vec<(String, Secret)>,
    /// How requests are signed.
    pub signature: SignatureStyle,
    /// What signs them, all at once while one is rotated; none means unsigned.
    pub secrets: Vec<SigningKeyConfig>,
    /// How long the old key signs along when another one takes its place.
    pub rotation_overlap: Duration,
    /// Whether private, loopback and link-local addresses may be called.
    pub allow_private: bool,
    /// Networks that may be called although they are private, in CIDR notation.
    pub allow_networks: Vec<String>,
    /// Whether a public address may be called without TLS.
    pub allow_http: bool,
    /// Ports that may be called although nobody takes webhooks there as a rule.
    pub allow_ports: Vec<u16>,
    /// Whom it is taken for, and what it is shown.
    pub tls: EndpointTls,
}

impl EndpointConfig {
    /// One at this URL, with all else as it is by default.
    #[must_use]
    pub fn new(url: impl Into<EndpointUrl>) -> Self {
        Self {
            url: url.into(),
            templates: EndpointTemplates::default(),
            method: "POST".to_owned(),
            headers: Vec::new(),
            signature: SignatureStyle::default(),
            secrets: Vec::new(),
            rotation_overlap: SignatureStyle::OVERLAP,
            allow_private: false,
            allow_networks: Vec::new(),
            allow_http: false,
            allow_ports: Vec::new(),
            tls: EndpointTls::default(),
        }
    }
}

/// TLS with one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointTls {
    /// The authorities that its certificate may be from (PEM), in the place of those that all others are held to.
    pub roots: Option<String>,
    /// What shows the endpoint who calls.
    pub client: Option<ClientCertificate>,
}

/// A certificate that is shown to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those that lead to its authority (PEM).
    pub chain: String,
    /// Its key (PEM).
    pub key: Secret,
}
