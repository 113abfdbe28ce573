//! An instance that is kept ready, and replaced when it breaks.

use super::error::EngineError;
use super::factory::InstanceFactory;
use super::instance::{Fault, Instance};
use super::memory;
use crate::supervision::Supervisor;
use crate::telemetry::Latch;
use std::time::{Duration, Instant};

/// How long a table that could not be loaded is left alone, unless it changes: loading a large one takes the time of many
/// requests, which are better refused at once.
const PAUSE: Duration = Duration::from_secs(1);

/// The instance of a thread that calls the component.
pub(super) struct WarmInstance {
    factory: InstanceFactory,
    supervisor: Supervisor,
    instance: Option<Instance>,
    /// The last time that no instance could be made.
    failure: Option<FailedBuild>,
}

/// An instance could not be made; the gateway is not ready as long as this is so.
struct FailedBuild {
    at: Instant,
    version: u64,
    reason: String,
    _latch: Latch,
}

impl WarmInstance {
    pub(super) fn new(factory: InstanceFactory, supervisor: Supervisor, instance: Option<Instance>) -> Self {
        Self { factory, supervisor, instance, failure: None }
    }

    /// Calls the component with a table that is up to date. After a fault a fresh instance takes the place of the broken one
    /// before the next call, so that only the call that failed pays for it.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<T, Fault>,
    ) -> Result<T, EngineError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        match instance.catch_up(&self.factory.table) {
            Ok(true) => {}
            Ok(false) => {
                // Its memory first: the one that takes its place needs as much.
                drop(instance);
                instance = self.fresh()?;
            }
            Err(fault) => return Err(self.replace(instance, fault)),
        }
        match call(&mut instance) {
            Ok(answer) => {
                self.instance = Some(instance);
                Ok(answer)
            }
            Err(fault) => Err(self.replace(instance, fault)),
        }
    }

    /// Calls the component if that takes nothing but the call: the instance is there and its table up to date. `None` if
    /// not. The place of an instance that breaks is left empty, because to fill it can take long.
    pub(super) fn call_if_ready<T>(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let version = self.factory.table.version();
        // Taken out, so that a panic leaves none behind.
        let mut instance = self.instance.take_if(|instance| instance.version() == version)?;
        let called = call(&mut instance);
        if called.is_ok() {
            self.instance = Some(instance);
        }
        Some(called)
    }

    fn replace(&mut self, broken: Instance, fault: Fault) -> EngineError {
        tracing::error!(%fault, "an instance of the component is replaced");
        drop(broken);
        self.instance = self.fresh().ok();
        fault.into()
    }

    fn fresh(&mut self) -> Result<Instance, EngineError> {
        let version = self.factory.table.version();
        if let Some(failure) = &self.failure
            && failure.version == version
            && failure.at.elapsed() < PAUSE
        {
            return Err(EngineError::NotLoaded(failure.reason.clone()));
        }
        match self.factory.instance() {
            Ok(instance) => {
                self.failure = None;
                Ok(instance)
            }
            Err(error) => {
                let reason = match error.is_memory() {
                    true => memory::too_large(self.factory.limits.memory),
                    false => error.to_string(),
                };
                tracing::error!(%error, "no instance of the component could be made");
                let latch = self.supervisor.hold(format!("the routing table cannot be loaded: {reason}"));
                let at = Instant::now();
                self.failure = Some(FailedBuild { at, version, reason: reason.clone(), _latch: latch });
                Err(EngineError::NotLoaded(reason))
            }
        }
    }

    /// Gives the instance's memory back.
    pub(super) fn cool(&mut self) {
        self.instance = None;
    }
}
