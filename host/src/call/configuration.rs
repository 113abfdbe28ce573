//! The APIs of a gateway: as they are configured, and what is said of them at run time.

use super::api::{ApiDefinition, ApiReport, ReadyApi, merged};
use super::calls::{Calls, Shared, to_the_end};
use super::lane::Lane;
use super::{CallError, entry};
use crate::clock;
use crate::store::{CallHead, CallQuery, StoredApi};
use anglerfish_core::call::{CallState, Happened};
use anglerfish_core::config::ApiConfig;
use anglerfish_core::problem::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// How many calls are looked at at once.
const PAGE: usize = 500;

/// APIs that can be gone on with.
pub(crate) struct ReadyApis(BTreeMap<String, Arc<ReadyApi>>);

impl Calls {
    /// Says what of an API cannot be used as it is configured, as one of its table's problems.
    ///
    /// # Errors
    ///
    /// The problem.
    pub(crate) fn check(&self, api: &ApiDefinition) -> Result<(), Problem> {
        api.check(&self.shared.outbound)
    }

    /// Makes APIs ready, each with what was said of it at run time.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or an API cannot be used as it is configured.
    pub(crate) async fn prepare(&self, apis: Vec<ApiDefinition>) -> Result<ReadyApis, CallError> {
        let stored = self.shared.ledger.store.apis().await?;
        let mut ready = BTreeMap::new();
        for definition in apis {
            let name = definition.config.name.clone();
            let settings = stored.iter().find(|api| api.name == name);
            let said = settings.map_or_else(nothing, |api| settings_of(&api.settings));
            let api = ReadyApi::saying(definition, &nothing(), said, &self.shared.outbound);
            let api = api.map_err(CallError::Invalid)?;
            let aside = api.aside();
            if !aside.is_empty() {
                // What is configured now goes before, for as long as it is.
                tracing::warn!(api = name, ?aside, "what was said of an api at run time is left aside");
            }
            ready.insert(name, Arc::new(api));
        }
        Ok(ReadyApis(ready))
    }

    /// Goes on with these APIs. Requests to one that is gone wait for it.
    pub(crate) fn replace(&self, ReadyApis(ready): ReadyApis) {
        let mut lanes = self.shared.lanes.write().unwrap_or_else(PoisonError::into_inner);
        for (name, lane) in lanes.iter() {
            if !ready.contains_key(name) {
                lane.replace(None);
            }
        }
        for (name, api) in ready {
            let lane = lanes.entry(name.clone()).or_insert_with(|| Arc::new(Lane::new(&name)));
            lane.replace(Some(api));
        }
        for (name, lane) in lanes.iter() {
            self.shared.ledger.metrics.breaker(name, lane.is_open());
        }
        drop(lanes);
        self.shared.changes.fetch_add(1, Ordering::AcqRel);
        self.shared.woken.notify_one();
    }

    /// Whether an API of this name is configured.
    #[must_use]
    pub fn has(&self, api: &str) -> bool {
        self.shared.lane(api).is_some_and(|lane| lane.api().is_some())
    }

    /// The APIs, by name.
    #[must_use]
    pub fn apis(&self) -> Vec<ApiReport> {
        let lanes = self.shared.lanes();
        let reports = lanes.iter().filter_map(|lane| {
            let api = lane.api()?;
            Some(ApiReport {
                name: lane.name.clone(),
                policy: api.document.clone(),
                settings: api.settings.clone(),
                aside: api.aside(),
                attempts: api.policy.attempts(),
                running: lane.taken(&api),
                concurrency: api.definition.config.concurrency,
                waits: lane.waits(&api),
            })
        });
        reports.collect()
    }

    /// Says at run time how requests to an API are judged and repeated that are made from now on: each key goes before the
    /// configuration's, and `null` gives that its say again.
    ///
    /// # Errors
    ///
    /// There is no such API, what is said has problems, or it cannot be written down.
    pub async fn configure(&self, name: &str, said: Map<String, Value>) -> Result<ApiReport, CallError> {
        let (calls, name) = (self.clone(), name.to_owned());
        to_the_end(async move { calls.configure_to_the_end(&name, said).await }).await
    }

    async fn configure_to_the_end(
        &self,
        name: &str,
        said: Map<String, Value>,
    ) -> Result<ApiReport, CallError> {
        let unknown = || CallError::UnknownApi(name.to_owned());
        let lane = self.shared.lane(name).ok_or_else(unknown)?;
        let _writing = lane.writing.lock().await;
        let api = lane.api().ok_or_else(unknown)?;
        let report = || self.apis().into_iter().find(|api| api.name == name).ok_or_else(unknown);
        let new = Value::Object(said);
        let (settings, said) = (merged(&api.settings, &new), merged(&api.said, &new));
        // What is said now has to hold; what is left aside may.
        let outbound = &self.shared.outbound;
        let next =
            ReadyApi::try_new(api.definition.clone(), settings, outbound).map_err(CallError::Invalid)?;
        let next =
            ReadyApi::saying(next.definition, &next.settings, said, outbound).map_err(CallError::Invalid)?;
        if (&next.said, &next.settings) == (&api.said, &api.settings) {
            // There is nothing to tell of.
            return report();
        }
        self.write_policy(&next).await?;
        lane.replace(Some(Arc::new(next)));
        self.shared.woken.notify_one();
        report()
    }

    /// Lets attempts to an API start again that has asked to be left alone, and with them those of the calls that it has told so:
    /// whoever says so knows better by now.
    ///
    /// # Errors
    ///
    /// There is no such API, or the store cannot be used: then some of these calls may wait on.
    pub async fn resume(&self, name: &str) -> Result<ApiReport, CallError> {
        let (calls, name) = (self.clone(), name.to_owned());
        to_the_end(async move { calls.resume_to_the_end(&name).await }).await
    }

    async fn resume_to_the_end(&self, name: &str) -> Result<ApiReport, CallError> {
        let unknown = || CallError::UnknownApi(name.to_owned());
        let lane = self.shared.lane(name).ok_or_else(unknown)?;
        let api = lane.api().ok_or_else(unknown)?;
        lane.resume();
        let hastened = self.hasten(&api).await;
        lane.wake();
        self.shared.woken.notify_one();
        hastened?;
        self.apis().into_iter().find(|api| api.name == name).ok_or_else(unknown)
    }

    /// Has those calls wait no more whose last answer asked for that.
    async fn hasten(&self, api: &ReadyApi) -> Result<(), CallError> {
        let ApiConfig { name, throttle_on, .. } = &api.definition.config;
        let store = &self.shared.ledger.store;
        let now = self.shared.now();
        let waits = |head: &CallHead| {
            let asked = match head.records.last().map(|record| &record.happened) {
                Some(Happened::Failure { status: Some(status), .. }) => throttle_on.contains(*status),
                _ => false,
            };
            asked && head.owner.is_none() && head.due.is_some_and(|due| due > now)
        };
        let mut query =
            CallQuery { state: Some(CallState::Pending), api: Some(name.clone()), cursor: None, limit: PAGE };
        loop {
            let page = store.calls(query.clone()).await?;
            for head in page.items.iter().filter(|head| waits(head)) {
                // Where something happens to it meanwhile it goes on by itself.
                if let Some(call) = store.call(&head.id).await?.filter(|call| waits(&call.head)) {
                    self.shared.ledger.wait_until(call, now, now).await?;
                }
            }
            query.cursor = page.items.last().filter(|_| page.more).map(|head| head.seq);
            if query.cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Writes down what is configured of APIs, where the log has not told of it: before the first call that goes by it.
    pub(super) async fn record_policies(&self) -> Result<(), CallError> {
        let Shared { changes, told, .. } = &*self.shared;
        let is_told = || told.load(Ordering::Acquire) == changes.load(Ordering::Acquire);
        if is_told() {
            return Ok(());
        }
        let _telling = self.shared.telling.lock().await;
        if is_told() {
            return Ok(());
        }
        // What changes meanwhile is told of next.
        let now = changes.load(Ordering::Acquire);
        self.try_record_policies().await?;
        told.store(now, Ordering::Release);
        Ok(())
    }

    async fn try_record_policies(&self) -> Result<(), CallError> {
        let store = &self.shared.ledger.store;
        let is_recorded = |stored: &[StoredApi], api: &ReadyApi| {
            let known = stored.iter().find(|known| known.name == api.definition.config.name);
            known.is_some_and(|known| settings_of(&known.recorded) == api.document)
        };
        let stored = store.apis().await?;
        for lane in self.shared.lanes() {
            if lane.api().is_none_or(|api| is_recorded(&stored, &api)) {
                continue;
            }
            // What somebody says of it meanwhile would be written over with what held before.
            let _writing = lane.writing.lock().await;
            let Some(api) = lane.api() else { continue };
            if !is_recorded(&store.apis().await?, &api) {
                self.write_policy(&api).await?;
            }
        }
        Ok(())
    }

    async fn write_policy(&self, api: &ReadyApi) -> Result<(), CallError> {
        let (name, now) = (&api.definition.config.name, self.shared.now());
        let shown = (api.policy.attempts().saturating_sub(1), api.policy.timeout.as_secs_f64());
        let id = format!("{name}.configuration.{}", clock::request_id(now));
        let entry = entry::of_policy(name, &api.document, shown, id, now);
        let settings = api.said.to_string();
        let stored = StoredApi { name: name.clone(), settings, recorded: api.written.clone() };
        self.shared.ledger.put_api(stored, entry).await
    }
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn settings_of(json: &str) -> Value {
    match serde_json::from_str(json) {
        Ok(Value::Null) => nothing(),
        Ok(settings) => settings,
        Err(error) => {
            tracing::warn!(%error, "what is stored of an api cannot be read, and is left aside");
            nothing()
        }
    }
}
