//! Taking requests in from a server of the program's own.

use crate::ingress::Ingress;
use crate::server::{Gate, Peer};
use axum::extract::{ConnectInfo, OriginalUri};
use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// Answers requests as `POST /in/{source}` of the gateway does: verified, decided, on disk before they are answered.
///
/// It is a [`tower_service::Service`] over any body, for any server. With axum:
///
/// ```
/// # fn app(gateway: &anglerfish::Anglerfish) -> axum::Router {
/// axum::Router::new()
///     // `/hooks/in/{source}`, for every source that there is
///     .nest_service("/hooks", gateway.ingress())
///     // one source, at any path
///     .route_service("/github", gateway.ingress().for_source("github"))
/// # }
/// ```
///
/// Some providers sign the URL that they call. Below `nest` and `nest_service` of axum the path that was asked for is known;
/// other routers that take a part of the path away have to be told of: [`IngressService::below`].
///
/// Who the sender is, is taken from `axum::extract::ConnectInfo<SocketAddr>` where the server gives it
/// (`into_make_service_with_connect_info`). Where it is not known, `X-Forwarded-*` fields do not count.
///
/// Limits of the gateway hold here too: for bodies (`server.body_limit`, `server.body_timeout`, `server.body_memory`) and for
/// requests under way (`server.max_requests`). Those of connections and of heads are the server's own.
#[derive(Clone)]
pub struct IngressService {
    ingress: Arc<Ingress>,
    gate: Gate,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// `/in/{source}` behind this prefix, which the path has or has not.
    Below(Arc<str>),
    /// `/in/{source}` of one source, whatever the path says.
    Source(Arc<str>),
}

impl IngressService {
    pub(super) fn new(ingress: Arc<Ingress>, gate: Gate) -> Self {
        Self { ingress, gate, place: Place::Below("".into()) }
    }

    /// The same below this path (`/hooks`), which is still in front of the path of requests.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.place = Place::Below(prefix.trim_end_matches('/').into());
        self
    }

    /// The same for one source, whatever the path of requests is. A name that no source has is answered 404.
    #[must_use]
    pub fn for_source(mut self, name: &str) -> Self {
        self.place = Place::Source(format!("/in/{name}").into());
        self
    }

    /// The path within the gateway.
    fn inner(&self, path: &str) -> String {
        match &self.place {
            Place::Source(inner) => inner.to_string(),
            Place::Below(prefix) => {
                let inner = path.strip_prefix(&**prefix).filter(|inner| inner.starts_with('/'));
                inner.unwrap_or(path).to_owned()
            }
        }
    }
}

impl<B> Service<Request<B>> for IngressService
where
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let inner = self.inner(request.uri().path());
        if let Some(OriginalUri(original)) = request.extensions_mut().remove() {
            *request.uri_mut() = original;
        }
        let peer = peer(&request);
        let request = request.map(|body| {
            // Most bodies have their data as it is needed: that is no copy.
            let whole = |mut data: B::Data| data.copy_to_bytes(data.remaining());
            Box::pin(body.map_frame(move |frame| frame.map_data(whole)))
        });
        let (ingress, gate) = (Arc::clone(&self.ingress), self.gate.clone());
        Box::pin(async move {
            let handle = |request| async move { ingress.handle_as(request, peer, &inner).await };
            Ok(gate.pass(request, handle).await)
        })
    }
}

/// Who sent a request, as far as that is known.
fn peer<B>(request: &Request<B>) -> SocketAddr {
    let extensions = request.extensions();
    let told = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    told.or_else(|| extensions.get::<Peer>().map(|Peer(peer)| *peer))
        .unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into())
}

impl fmt::Debug for IngressService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IngressService").field("place", &self.place).finish_non_exhaustive()
    }
}
