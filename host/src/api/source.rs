//! `/v1/sources`: where requests come in.

use super::body::JsonText;
use super::cursor::Listing;
use super::query::{NoParameters, Query, Segment};
use super::schema::SourceBody;
use super::{Api, ProblemDetails};
use crate::source::{Source, SourceError};
use crate::subscription::Origin;
use crate::web::DocumentProblem;
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Where requests come in.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Source)]
pub(super) struct SourceDocument {
    name: String,
    origin: Origin,
    /// When it was last written through the API.
    #[schema(required, format = DateTime)]
    updated: Option<String>,
    /// Why it cannot be used as it is stored, and takes no requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<DocumentProblem>,
    /// What is odd about it, though it can be used. Told when it is written, and when it is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<DocumentProblem>,
    /// The path that requests are sent to.
    path: String,
    /// The provider, `custom`, or `none`; `null` if it cannot be used.
    #[schema(required)]
    scheme: Option<String>,
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
    /// What was written through the API, without what must not be shown; `null` of one of the configuration file.
    #[schema(required)]
    source: Option<Value>,
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
    let mut items: Vec<_> = api.sources.list().iter().map(|source| SourceDocument::from(&**source)).collect();
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
    let Some(source) = api.sources.get(&name) else { return Err(SourceError::Unknown(name).into()) };
    Ok(Answer(complete(&api, &source).await?))
}

/// The source with what came with its handshakes.
async fn complete(api: &Api, source: &Source) -> Result<SourceDocument, ProblemDetails> {
    let mut shown = [SourceDocument::from(source)];
    add_copies(api, &mut shown).await?;
    let [shown] = shown;
    Ok(shown)
}

/// Replaces a source, or creates it.
///
/// The document need not repeat the name. Requests are taken in there as soon as this is answered.
#[utoipa::path(
    put, path = "/v1/sources/{name}", operation_id = "replaceSource", tag = "sources",
    params(("name" = String, Path, description = "The source's name.")),
    request_body = SourceBody,
    responses(
        (status = 200, description = "It is replaced.", body = SourceDocument),
        (
            status = 201, description = "It is created and takes requests.", body = SourceDocument,
            headers(("Location" = String, description = "Its address."))
        ),
        (status = 409, description = "It comes from the configuration file: `source-from-file`."),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
        (status = 507, description = "The routing table is full (`server.memory_limit`): `table-full`."),
    )
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    let (source, new) = api.sources.put(name, document, api.now()).await?;
    let shown = Answer(complete(&api, &source).await?);
    if !new {
        return Ok(shown.into_response());
    }
    // The characters of a name need no escape in a path.
    let location = [(LOCATION, format!("/v1/sources/{}", source.name))];
    Ok((StatusCode::CREATED, location, shown).into_response())
}

/// Deletes a source.
///
/// What came in through it stays in the log and is delivered.
#[utoipa::path(
    delete, path = "/v1/sources/{name}", operation_id = "deleteSource", tag = "sources",
    params(("name" = String, Path, description = "The source's name.")),
    responses(
        (status = 204, description = "It is gone: requests to it are refused."),
        (status = 404, description = "There is no such source: `unknown-source`."),
        (
            status = 409,
            description = "It comes from the configuration file: `source-from-file`, or a subscription names it: \
                `source-in-use`."
        ),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<StatusCode, ProblemDetails> {
    api.sources.delete(name).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<&Source> for SourceDocument {
    fn from(source: &Source) -> Self {
        let verification = source.config().map(|config| &config.verification);
        let secrets = verification.map(|verification| verification.secrets.iter().enumerate());
        let secrets = secrets.into_iter().flatten().map(|(index, secret)| SecretDocument {
            name: secret.label.clone().unwrap_or_else(|| index.to_string()),
            not_before: secret.not_before.and_then(UnixMillis::rfc3339),
            not_after: secret.not_after.and_then(UnixMillis::rfc3339),
        });
        let parameters = verification.map(|verification| verification.parameters.keys().cloned().collect());
        Self {
            name: source.name.clone(),
            origin: source.origin,
            updated: source.updated.and_then(UnixMillis::rfc3339),
            problems: source.problems.iter().cloned().map(DocumentProblem::from).collect(),
            warnings: source.warnings().into_iter().map(DocumentProblem::from).collect(),
            path: format!("/in/{}", source.name),
            scheme: verification.map(|verification| verification.scheme.clone()),
            public_url: verification.and_then(|verification| verification.public_url.clone()),
            secrets: secrets.collect(),
            parameters: parameters.unwrap_or_default(),
            to_copy: Vec::new(),
            source: source.shown(),
        }
    }
}
