//! `/v1/sources`: where requests come in.

use super::cursor::Listing;
use super::query::{NoParameters, Query, Segment};
use super::{Api, ProblemDetails};
use anglerfish_core::config::{Document, SourceConfig};
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use std::sync::{Arc, PoisonError, RwLock};
use utoipa::ToSchema;

/// The sources of a running gateway, without their secrets. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<RwLock<Vec<SourceDocument>>>);

impl Sources {
    /// Those of a configuration.
    #[must_use]
    pub fn new(document: &Document) -> Self {
        let sources = Self::default();
        sources.replace(document);
        sources
    }

    /// Shows those of another configuration from now on.
    pub fn replace(&self, document: &Document) {
        let mut shown: Vec<_> =
            document.sources.iter().map(|(_, source)| SourceDocument::from(source)).collect();
        shown.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    fn all(&self) -> Vec<SourceDocument> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where requests come in.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Source)]
pub(super) struct SourceDocument {
    name: String,
    /// The path that requests are sent to.
    path: String,
    /// The provider, `custom`, or `none`.
    scheme: String,
    /// The URL that the provider was given, where the configuration says it.
    #[schema(required)]
    public_url: Option<String>,
    /// The secrets that verify, without their values.
    secrets: Vec<SecretDocument>,
    /// The names of the parameters that are set.
    parameters: Vec<String>,
    /// What came with handshakes and an operator must copy into the provider's page or the configuration: of each name every
    /// different value, oldest first, at most 10. A stranger can send one, too; the first is never displaced.
    to_copy: Vec<CopyDocument>,
}

/// A value that came with a handshake.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceCopy)]
pub(super) struct CopyDocument {
    /// What the provider calls it.
    name: String,
    /// The value.
    value: String,
    /// When it came.
    #[schema(required, format = DateTime)]
    seen: Option<String>,
}

/// More values than any provider's handshakes bring.
const MOST_COPIES: usize = 100;

/// What came with the handshakes of these sources: the keys that decisions wrote for it, `copy/{source}/{name}`.
async fn add_copies(api: &Api, sources: &mut [SourceDocument]) -> Result<(), ProblemDetails> {
    for source in sources {
        let prefix = format!("copy/{}/", source.name);
        for (key, value) in api.store.keys(&prefix, MOST_COPIES).await? {
            let value = String::from_utf8_lossy(&value).into_owned();
            let Some(name) = key.strip_prefix(&prefix) else { continue };
            for (seen, value) in value.lines().filter_map(|line| line.split_once(' ')) {
                let seen = seen.parse().ok().and_then(|millis| UnixMillis(millis).rfc3339());
                source.to_copy.push(CopyDocument { name: name.to_owned(), value: value.to_owned(), seen });
            }
        }
    }
    Ok(())
}

/// A secret, without its value.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceSecret)]
pub(super) struct SecretDocument {
    /// Its label, or its position from 0, as explanations name it.
    name: String,
    /// It counts from then on.
    #[schema(required, format = DateTime)]
    not_before: Option<String>,
    /// It counts before then.
    #[schema(required, format = DateTime)]
    not_after: Option<String>,
}

/// Lists the sources by name.
#[utoipa::path(
    get, path = "/v1/sources", operation_id = "listSources", tag = "sources",
    responses((status = 200, description = "All of them.", body = Listing<SourceDocument>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Listing<SourceDocument>>, ProblemDetails> {
    let mut items = api.sources.all();
    add_copies(&api, &mut items).await?;
    Ok(Answer(Listing { items, next: None }))
}

/// Shows a source.
#[utoipa::path(
    get, path = "/v1/sources/{name}", operation_id = "showSource", tag = "sources",
    params(("name" = String, Path, description = "The source's name.")),
    responses(
        (status = 200, description = "The source.", body = SourceDocument),
        (status = 404, description = "There is no such source: `unknown-source`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<SourceDocument>, ProblemDetails> {
    let found = api.sources.all().into_iter().find(|source| source.name == name);
    let unknown = || ProblemDetails::not_found("unknown-source", format!("there is no source `{name}`"));
    let mut found = [found.ok_or_else(unknown)?];
    add_copies(&api, &mut found).await?;
    let [found] = found;
    Ok(Answer(found))
}

impl From<&SourceConfig> for SourceDocument {
    fn from(source: &SourceConfig) -> Self {
        let verification = &source.verification;
        let secrets = verification.secrets.iter().enumerate().map(|(index, secret)| SecretDocument {
            name: secret.label.clone().unwrap_or_else(|| index.to_string()),
            not_before: secret.not_before.and_then(UnixMillis::rfc3339),
            not_after: secret.not_after.and_then(UnixMillis::rfc3339),
        });
        Self {
            name: source.name.clone(),
            path: format!("/in/{}", source.name),
            scheme: verification.scheme.clone(),
            public_url: verification.public_url.clone(),
            secrets: secrets.collect(),
            parameters: verification.parameters.keys().cloned().collect(),
            to_copy: Vec::new(),
        }
    }
}
