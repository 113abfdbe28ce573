//! Signs a request as a provider would, by the very definition that verifies it.

use crate::problem::Problem;
use crate::request::{Header, Request, UnixMillis};
use crate::verify::{SigningKeys, UnsignedRequest, Verification, VerificationConfig, Verifier};

/// A request to be signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignInput<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The full URL, as the receiver will see it.
    pub url: &'a str,
    /// Header fields that are sent as well; a field that the provider sets is replaced.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
    /// The event's identifier, for providers that send one beside the body.
    pub id: &'a str,
    /// When the request is made.
    pub timestamp: UnixMillis,
    /// The event's type, for providers that send it beside the body.
    pub kind: Option<&'a str>,
}

/// A signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The URL to send to; some providers add to its query.
    pub url: String,
    /// All header fields to send.
    pub headers: Vec<(String, String)>,
    /// The body to send; some providers put the signature into it.
    pub body: Vec<u8>,
}

/// Why a request could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The scheme or its secret is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Problem>),
    /// The provider alone has the key that signs.
    #[error("scheme `{0}` cannot be signed with what verifies it")]
    Asymmetric(&'static str),
    /// The scheme wants something that the request does not have.
    #[error("{0}")]
    Unfit(String),
}

/// Signs a request with the first secret of a configuration.
///
/// # Errors
///
/// If the configuration is wrong, the scheme is asymmetric, or the request lacks what the scheme wants to sign.
pub fn sign(config: &VerificationConfig, input: &SignInput<'_>) -> Result<Signed, SignError> {
    let verifier = Verifier::try_new("", config).map_err(SignError::Configuration)?;
    if verifier.variants() == 0 {
        let headers = input.headers.to_vec();
        return Ok(Signed { url: input.url.to_owned(), headers, body: input.body.to_vec() });
    }
    sign_by(&verifier, input, SigningKeys::First)
}

/// Signs a request in the first variant in which that can be done.
pub(super) fn sign_by(
    verifier: &Verifier,
    input: &SignInput<'_>,
    by: SigningKeys,
) -> Result<Signed, SignError> {
    let unsigned = UnsignedRequest {
        method: input.method,
        url: input.url,
        headers: input.headers,
        body: input.body,
        id: input.id,
        timestamp: input.timestamp,
        kind: input.kind,
    };
    let mut reason = None;
    for variant in 0..verifier.variants() {
        match verifier.fill(variant, &unsigned, by) {
            Ok(Some((url, headers, body))) => {
                let signed = Signed { url, headers, body };
                match check(verifier, input, &signed) {
                    Ok(()) => return Ok(signed),
                    Err(unfit) => reason.get_or_insert(unfit),
                };
            }
            Ok(None) => {}
            Err(unfit) => {
                reason.get_or_insert(unfit);
            }
        }
    }
    Err(reason.map_or(SignError::Asymmetric(verifier.scheme()), SignError::Unfit))
}

/// Whether the receiver would accept it: a request that lacks what the scheme covers must not look signed.
fn check(verifier: &Verifier, input: &SignInput<'_>, signed: &Signed) -> Result<(), String> {
    let headers =
        { &signed.headers }.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let request = Request {
        id: "",
        source: "",
        method: input.method,
        url: &signed.url,
        headers,
        body: &signed.body,
        received: input.timestamp,
        added_prefix: "",
        fetched: Vec::new(),
    };
    match verifier.verify(&request) {
        Verification::Verified(_) | Verification::Answered(_) => Ok(()),
        Verification::Rejected(rejection) => Err(rejection.reason),
        Verification::Fetch(_) => Err("the scheme asks the provider's host".to_owned()),
    }
}
