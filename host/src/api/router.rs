//! The addresses of the management API.

use super::{
    Configuration, Presence, activity, call, callback, config, delivery, event, explain, flow, health, job,
    kept, openapi, publish, reader, rejection, request, resource, schedule, sending, source, status,
    subscription, telling, trial,
};
use crate::bulk::Jobs;
use crate::call::Calls;
use crate::callback::Callbacks;
use crate::clock::WallClock;
use crate::document::Documents;
use crate::flow::Flows;
use crate::plugin::Plugins;
use crate::publish::Publisher;
use crate::rejection::{Explainer, Rejections};
use crate::source::Sources;
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::telemetry::{Readiness, Scrape};
use crate::web::{Access, not_stored, unknown_address, unknown_method};
use anglerfish_core::request::UnixMillis;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use std::fmt;
use std::sync::Arc;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// What the management API looks at and changes. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The log and the deliveries.
    pub store: Arc<dyn Store>,
    /// The subscriptions.
    pub subscriptions: Subscriptions,
    /// The sources.
    pub sources: Sources,
    /// What events are published with.
    pub publisher: Publisher,
    /// Who reads streams.
    pub readers: Arc<dyn Presence>,
    /// What was refused lately.
    pub rejections: Rejections,
    /// What judges events in front of endpoints.
    pub plugins: Plugins,
    /// What would be decided about a request.
    pub explainer: Arc<dyn Explainer>,
    /// What holds the gateway back.
    pub readiness: Readiness,
    /// The metrics.
    pub scrape: Arc<Scrape>,
    /// The clock of the gateway.
    pub clock: WallClock,
    /// Work on many deliveries.
    pub jobs: Jobs,
    /// Requests to other systems' APIs.
    pub calls: Calls,
    /// Addresses that programs await.
    pub callbacks: Callbacks,
    /// The documents, and their resources.
    pub documents: Documents,
    /// Functions of the program that survive.
    pub flows: Flows,
    /// The API that requests go to which are made at `/request`, if there is that address.
    pub requests: Option<String>,
    /// What reads the configuration again.
    pub configuration: Arc<dyn Configuration>,
}

impl fmt::Debug for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }
}

/// The addresses for everybody. Whoever watches a process seldom has its token, and these say nothing about what the
/// gateway holds.
pub(super) fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(health::live)).routes(routes!(health::ready))
}

/// All other addresses.
pub(super) fn guarded() -> OpenApiRouter<Api> {
    let one_subscription = routes!(subscription::show, subscription::replace, subscription::delete);
    OpenApiRouter::default()
        .routes(routes!(health::metrics))
        .routes(routes!(openapi::serve))
        .routes(routes!(status::show))
        .routes(routes!(config::status))
        .routes(routes!(config::reload))
        .routes(routes!(event::list, publish::publish))
        .routes(routes!(event::show))
        .routes(routes!(event::data))
        .routes(routes!(explain::explain))
        .routes(routes!(activity::show))
        .routes(routes!(event::replay))
        .routes(routes!(delivery::list))
        .routes(routes!(delivery::show))
        .routes(routes!(delivery::retry))
        .routes(routes!(job::list, job::create))
        .routes(routes!(job::show))
        .routes(routes!(job::cancel))
        .routes(routes!(call::list, call::create))
        .routes(routes!(call::show))
        .routes(routes!(call::cancel))
        .routes(routes!(call::retry))
        .routes(routes!(call::apis))
        .routes(routes!(call::configure))
        .routes(routes!(call::resume))
        .routes(routes!(callback::list, callback::hold))
        .routes(routes!(callback::show))
        .routes(routes!(callback::cancel))
        .routes(routes!(callback::next))
        .routes(routes!(callback::stream))
        .routes(routes!(callback::ack))
        .routes(routes!(flow::list, flow::start))
        .routes(routes!(flow::show))
        .routes(routes!(flow::cancel))
        .routes(routes!(flow::retry))
        .routes(routes!(request::show, request::create))
        .routes(routes!(source::list))
        .routes(routes!(source::show, source::replace, source::delete))
        .routes(routes!(resource::list, resource::create))
        .routes(routes!(resource::show, resource::replace, resource::delete))
        .routes(routes!(resource::documents))
        .routes(routes!(resource::subscriptions))
        .routes(routes!(kept::show, kept::put, kept::delete))
        .routes(routes!(telling::resync))
        .routes(routes!(telling::explain))
        .routes(routes!(reader::list))
        .routes(routes!(rejection::list))
        .routes(routes!(rejection::show))
        .routes(routes!(rejection::explain))
        .routes(routes!(subscription::list, subscription::create))
        .routes(routes!(subscription::pause))
        .routes(routes!(subscription::rotate))
        .routes(routes!(subscription::rotate_token))
        .routes(routes!(subscription::resume))
        .routes(routes!(sending::send))
        .routes(routes!(schedule::show))
        .routes(routes!(schedule::compute))
        // A POST is only for `test`; an address of its own would hide a subscription of that name.
        .routes(one_subscription.map(|methods| methods.post(trial::test).fallback(trial::unknown_method)))
}

/// The management API. `/live` and `/ready` are open, all else is behind `access`.
pub fn router(api: Api, access: Access) -> Router {
    let guarded = Router::from(guarded())
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(access, guard));
    Router::from(open())
        .method_not_allowed_fallback(unknown_method)
        .merge(guarded)
        .layer(middleware::map_response(not_stored))
        .with_state(api)
}

/// Lets a request through or answers it.
async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
