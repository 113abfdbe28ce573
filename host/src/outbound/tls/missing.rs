//! What stands in the place of TLS where it was not built in.

use super::{EndpointTlsError, UNSPOKEN};
use anglerfish_core::config::EndpointTls;
use futures_util::future::{BoxFuture, FutureExt, ready};
use http::Uri;
use http::uri::Scheme;
use std::error::Error;
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;

/// One certificate of an authority: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {}

/// Why TLS cannot be spoken at all: that is no error here.
#[derive(Debug)]
pub enum TlsError {}

impl fmt::Display for TlsError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Error for TlsError {}

/// A URL asks for TLS.
#[derive(Debug, thiserror::Error)]
#[error("tls: {UNSPOKEN}")]
struct Unspoken;

/// What TLS would be spoken by.
#[derive(Debug, Clone, Copy)]
pub struct Tls;

/// Whom everything that leaves would trust.
#[derive(Debug)]
pub(in crate::outbound) struct Authorities;

impl Authorities {
    pub(in crate::outbound) fn try_new(_: Option<Vec<Root>>, _: Vec<Root>) -> Result<Self, TlsError> {
        Ok(Self)
    }

    pub(in crate::outbound) fn tls(&self) -> Tls {
        Tls
    }

    pub(in crate::outbound) fn endpoint(&self, tls: &EndpointTls) -> Result<Tls, EndpointTlsError> {
        endpoint(tls)
    }
}

fn endpoint(tls: &EndpointTls) -> Result<Tls, EndpointTlsError> {
    match (&tls.roots, &tls.client) {
        (None, None) => Ok(Tls),
        (Some(_), _) => Err(EndpointTlsError::new("roots", UNSPOKEN)),
        (None, Some(_)) => Err(EndpointTlsError::new("certificate", UNSPOKEN)),
    }
}

/// What of TLS with an endpoint cannot be used, with its key: all of it.
pub(in crate::outbound) fn problem(tls: &EndpointTls) -> Option<(&'static str, String)> {
    endpoint(tls).err().map(|error| (error.key(), error.to_string()))
}

/// Authorities are of no use.
pub(in crate::outbound) fn read_roots(_: &str) -> Result<Vec<Root>, String> {
    Err(UNSPOKEN.to_owned())
}

/// Whether a host is a name that a certificate can be for. Nobody asks.
pub(in crate::outbound) fn is_server_name(_: &str) -> bool {
    true
}

/// What an error of TLS says, if it is one.
pub(in crate::outbound) fn words(error: &(dyn Error + 'static)) -> Option<String> {
    error.is::<Unspoken>().then(|| Unspoken.to_string())
}

/// Whether an error of TLS says nothing about whom was called.
pub(in crate::outbound) fn is_local(error: &(dyn Error + 'static)) -> Option<bool> {
    error.is::<Unspoken>().then_some(false)
}

/// Connections of `C`, where the URL does not ask for TLS.
#[derive(Debug, Clone)]
pub(crate) struct Connector<C>(C);

/// Connects where the URL does not ask for TLS.
pub(crate) fn over<C>(connector: C, _: Tls) -> Connector<C> {
    Connector(connector)
}

impl<C> Service<Uri> for Connector<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
    C::Response: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return ready(Err(Unspoken.into())).boxed();
        }
        let connected = self.0.call(uri);
        async move { connected.await.map_err(Into::into) }.boxed()
    }
}
