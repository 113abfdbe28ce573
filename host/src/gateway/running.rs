//! A gateway that runs, and how it ends.

use super::builder::Handles;
use super::{BuiltGateway, GatewayBuilder, GatewayError, Reloader, retention};
use crate::call::{CallError, Calls, NewCall};
use crate::callback::Callbacks;
use crate::clock::WallClock;
use crate::delivery::Deliveries;
use crate::flow::Flows;
use crate::gateway::Config;
use crate::ingress::{Fetcher, Ingress};
use crate::server::{Ending, Gate, Listener, Peer, RequestBody};
use crate::store::{Store, StoredCall};
use crate::stream::{StompListener, StreamOut, Streams};
use crate::supervision::Supervisor;
use crate::telemetry::Readiness;
use axum::Router;
use http::Request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// What is kept of the time for stopping for those who come last: giving back, the management API, the store.
const LAST: Duration = Duration::from_secs(2);

/// How much of that is the store's.
const CLOSING: Duration = Duration::from_millis(500);

/// How long the store may take to close where there is no time at all: as long as one that nothing is wrong with needs.
const MOMENT: Duration = Duration::from_millis(100);

/// A running gateway. Dropping it ends it at once; [`Gateway::shutdown`] lets what is under way end.
pub struct Gateway {
    ingress_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    out_address: Option<SocketAddr>,
    stomp_address: Option<SocketAddr>,
    shutdown_timeout: watch::Receiver<Duration>,
    readiness: Readiness,
    reloader: Reloader,
    handles: Handles,
    parts: Option<Parts>,
}

/// What runs.
struct Parts {
    store: Arc<dyn Store>,
    deliveries: Deliveries,
    streams: Streams,
    calls: Calls,
    callbacks: Callbacks,
    flows: Flows,
    gate: Gate,
    ingress: Option<Part>,
    admin: Option<Part>,
    out: Option<Part>,
    stomp: Option<Part>,
    producers: Option<Part>,
    backfill: JoinHandle<()>,
    operational: JoinHandle<()>,
    attendance: Option<JoinHandle<()>>,
    jobs: JoinHandle<()>,
    calling: JoinHandle<()>,
    retention: JoinHandle<()>,
    stop_retention: CancellationToken,
}

/// One listener.
struct Part {
    ending: Ending,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Builds a gateway and lets it run. When it returns, requests are taken in and deliveries that wait go on.
    ///
    /// # Errors
    ///
    /// Like [`GatewayBuilder::build`].
    pub async fn start(config: Config) -> Result<Self, GatewayError> {
        Ok(GatewayBuilder::new(config).build().await?.start())
    }

    /// The same with documents which decisions ask for from a fetcher of the caller's.
    ///
    /// # Errors
    ///
    /// Like [`GatewayBuilder::build`].
    pub async fn start_with(config: Config, documents: Arc<dyn Fetcher>) -> Result<Self, GatewayError> {
        Ok(GatewayBuilder::new(config).documents(documents).build().await?.start())
    }

    pub(super) fn run(built: BuiltGateway) -> Self {
        let BuiltGateway {
            ingress,
            admin,
            out,
            handles,
            stomp,
            documents,
            producers,
            supervisor,
            readiness,
            store,
            deliveries,
            streams,
            operational,
            attendance,
            jobs,
            calls,
            reloader,
            retention,
            shutdown_timeout,
            clock,
        } = built;
        let address = |listener: &Option<Arc<Listener>>| listener.as_ref().map(|listener| listener.address());
        let (ingress_address, admin_address, out_address) =
            (address(&ingress), address(&admin), address(&out));
        // Nothing can fail any more: a start that fails makes no attempt.
        deliveries.start();
        streams.start(&supervisor);
        let operational = supervisor.spawn("operational events", move || operational.clone().run());
        let attendance =
            attendance.map(|events| supervisor.spawn("reader events", move || events.clone().run()));
        let jobs = supervisor.spawn("jobs", move || jobs.clone().run());
        let caller = calls.clone();
        let calling = supervisor.spawn("calls", move || caller.clone().run());
        let callbacks = handles.callbacks.clone();
        // It ends by itself, and nothing waits for it.
        drop(supervisor.spawn("a look at callbacks", move || {
            let callbacks = callbacks.clone();
            async move { callbacks.tell_of_unusable().await }
        }));
        let ingress = ingress.map(|listener| Part::take_in(listener, &handles.ingress, &supervisor));
        let serve =
            |name, router: &Router, listener| Part::serve(name, listener, router.clone(), &supervisor);
        let admin = admin.map(|listener| serve("management API", &handles.api, listener));
        let out = out.map(|listener| serve("listener of subscribers", &handles.out, listener));
        let stomp_address = stomp.as_ref().map(|(listener, _)| listener.address());
        let stomp = stomp.map(|(listener, out)| Part::serve_stomp(listener, out, &supervisor));
        let backfill = supervisor.spawn("backfill", move || documents.clone().backfill());
        let producers = producers
            .map(|(listener, router)| Part::serve("listener of documents", listener, router, &supervisor));
        let stop_retention = CancellationToken::new();
        let retention = spawn_retention(&supervisor, &store, retention, clock, &stop_retention);
        Self {
            ingress_address,
            admin_address,
            out_address,
            stomp_address,
            shutdown_timeout,
            readiness,
            reloader,
            parts: Some(Parts {
                store,
                deliveries,
                streams,
                calls,
                callbacks: handles.callbacks.clone(),
                flows: handles.flows.clone(),
                gate: handles.gate.clone(),
                ingress,
                admin,
                out,
                stomp,
                producers,
                backfill,
                operational,
                attendance,
                jobs,
                calling,
                retention,
                stop_retention,
            }),
            handles,
        }
    }

    /// Where events are taken in, if the gateway listens for them.
    #[must_use]
    pub fn ingress_address(&self) -> Option<SocketAddr> {
        self.ingress_address
    }

    /// Where the management API listens, if it does.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Where the subscribers of passive subscriptions come, if anywhere.
    #[must_use]
    pub fn out_address(&self) -> Option<SocketAddr> {
        self.out_address
    }

    /// What holds it back.
    pub(crate) fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// What a program that it is part of uses of it.
    pub(crate) fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Makes a request to an API of the configuration and waits for how it ends, however long that takes: it is on disk
    /// before it is attempted, and goes on after a restart. With a key the same call may be made again then, and gets the same
    /// answer. Dropping this ends the waiting, not the request.
    ///
    /// # Errors
    ///
    /// It cannot be sent, another request has its key, or it cannot be written down.
    pub async fn call(&self, call: NewCall) -> Result<StoredCall, CallError> {
        self.handles.calls.call(call).await
    }

    /// The calls, to be made without waiting, looked at, cancelled and opened again.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.handles.calls.clone()
    }

    /// Where STOMP is spoken over TCP, if anywhere.
    #[must_use]
    pub fn stomp_address(&self) -> Option<SocketAddr> {
        self.stomp_address
    }

    /// The callbacks: addresses to be handed to others, and awaited.
    #[must_use]
    pub fn callbacks(&self) -> Callbacks {
        self.handles.callbacks.clone()
    }

    /// The flows: functions of the program that survive.
    #[must_use]
    pub fn flows(&self) -> Flows {
        self.handles.flows.clone()
    }

    /// Reads its configuration again when it is told to.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Stops taking requests in, lets those under way and the running attempts end within the configured time, and
    /// closes the store. What was accepted and not delivered goes on at the next start.
    ///
    /// The configured time is for all of it together. Who has not ended by then is broken off.
    pub async fn shutdown(mut self) {
        let _stopping = self.readiness.latch("the gateway is stopping");
        let Some(parts) = self.parts.take() else { return };
        let time = *self.shutdown_timeout.borrow();
        let end = Instant::now() + time;
        let last = LAST.min(time / 4);
        parts.shutdown(end - last, end).await;
    }

    /// Runs until `told` is there, then stops like [`Gateway::shutdown`].
    pub async fn run_until(self, told: impl Future<Output = ()>) {
        told.await;
        self.shutdown().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.abort();
        }
    }
}

impl Parts {
    async fn shutdown(mut self, first: Instant, end: Instant) {
        self.stop_retention.cancel();
        self.callbacks.stop();
        self.calls.leave();
        // Senders and attempts side by side: what is accepted from now on is delivered after the next start.
        let attempts = self.deliveries.shutdown(first.saturating_duration_since(Instant::now()));
        let out = async {
            // Who waits for a message is answered at once, and who reads is told where to go on.
            self.streams.stop();
            for part in [&mut self.out, &mut self.stomp].into_iter().flatten() {
                part.end(first).await;
            }
        };
        let senders = async {
            if let Some(ingress) = &mut self.ingress {
                ingress.end(first).await;
            }
        };
        let producers = async {
            if let Some(producers) = &mut self.producers {
                producers.end(first).await;
            }
        };
        let mounted = self.gate.close(first);
        let calls = async {
            // What a flow has begun is noted before the calls end.
            self.flows.shutdown(first).await;
            self.calls.shutdown(first).await;
        };
        let ((), (), (), (), (), attempts) =
            tokio::join!(senders, mounted, out, producers, calls, timeout_at(end, attempts));
        if attempts.is_err() {
            tracing::error!("the deliveries did not end in time; they go on at the next start");
        }
        // The management API tells of the stop until now.
        if let Some(admin) = &mut self.admin {
            admin.end(end - CLOSING.min((end - first) / 4)).await;
        }
        self.retention.abort();
        self.operational.abort();
        if let Some(attendance) = &self.attendance {
            attendance.abort();
        }
        self.jobs.abort();
        self.calling.abort();
        self.backfill.abort();
        let end = end.max(Instant::now() + MOMENT);
        if timeout_at(end, self.store.close()).await.is_err() {
            tracing::error!("the store did not close in time; what was accepted is on disk");
        }
    }

    /// Ends all of it without waiting for anything.
    fn abort(self) {
        self.stop_retention.cancel();
        self.callbacks.stop();
        self.calls.leave();
        self.flows.abort();
        self.gate.shut();
        self.streams.stop();
        self.retention.abort();
        self.operational.abort();
        if let Some(attendance) = &self.attendance {
            attendance.abort();
        }
        self.jobs.abort();
        self.calling.abort();
        self.calls.abort();
        self.backfill.abort();
        let parts = [&self.ingress, &self.admin, &self.out, &self.stomp, &self.producers];
        for part in parts.into_iter().flatten() {
            part.ending.stop.cancel();
            part.ending.abort.cancel();
            part.task.abort();
        }
        // Outside of a runtime nothing runs any more, and the store closes when its last user is gone.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                self.deliveries.shutdown(Duration::ZERO).await;
                self.store.close().await;
            });
        }
    }
}

impl Part {
    /// Takes events in.
    fn take_in(listener: Arc<Listener>, service: &Arc<Ingress>, supervisor: &Supervisor) -> Self {
        let ending = Ending::default();
        let (told, watcher) = (ending.clone(), supervisor.clone());
        let service = Arc::clone(service);
        let task = supervisor.spawn("ingress", move || {
            let service = Arc::clone(&service);
            let handle =
                move |request: Request<RequestBody>, peer| Arc::clone(&service).handle(request, peer);
            Arc::clone(&listener).serve(handle, told.clone(), watcher.clone())
        });
        Self { ending, task }
    }

    /// Serves what a router has.
    fn serve(name: &'static str, listener: Arc<Listener>, router: Router, supervisor: &Supervisor) -> Self {
        let ending = Ending::default();
        let (told, watcher) = (ending.clone(), supervisor.clone());
        let task = supervisor.spawn(name, move || {
            let router = router.clone();
            let handle = move |mut request: Request<RequestBody>, peer| {
                request.extensions_mut().insert(Peer(peer));
                // A router of axum is always ready.
                let answer = router.clone().call(request);
                async move { answer.await.unwrap_or_else(|never| match never {}) }
            };
            Arc::clone(&listener).serve(handle, told.clone(), watcher.clone())
        });
        Self { ending, task }
    }

    /// Speaks STOMP.
    fn serve_stomp(listener: Arc<StompListener>, out: StreamOut, supervisor: &Supervisor) -> Self {
        let ending = Ending::default();
        let (told, watcher) = (ending.clone(), supervisor.clone());
        let task = supervisor
            .spawn("STOMP", move || Arc::clone(&listener).serve(out.clone(), told.clone(), watcher.clone()));
        Self { ending, task }
    }

    /// Lets it end by itself until `deadline`, then breaks it off.
    async fn end(&mut self, deadline: Instant) {
        self.ending.stop.cancel();
        if timeout_at(deadline, &mut self.task).await.is_err() {
            self.ending.abort.cancel();
            let _ = (&mut self.task).await;
        }
    }
}

fn spawn_retention(
    supervisor: &Supervisor,
    store: &Arc<dyn Store>,
    kept: watch::Sender<Duration>,
    clock: WallClock,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let (store, stop) = (Arc::clone(store), stop.clone());
    supervisor.spawn("retention", move || {
        retention::run(Arc::clone(&store), kept.subscribe(), clock.clone(), stop.clone())
    })
}
