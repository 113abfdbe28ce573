//! A flow as the program has it: its code, and one of its runs.

use super::flows::{Code, Flows};
use super::{FlowContext, FlowError, StoredFlow};
use anglerfish_core::flow::JournalLimits;
use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long one look waits.
const LOOK: Duration = Duration::from_secs(3600);

/// Code that is being made known. Awaiting it lets its flows go on.
#[must_use = "a flow is known when it is awaited"]
pub struct FlowBuilder<I, O> {
    flows: Flows,
    code: Code,
    types: PhantomData<fn(I) -> O>,
}

/// The code of a flow. Cheap to clone.
pub struct Flow<I, O> {
    flows: Flows,
    code: Arc<Code>,
    types: PhantomData<fn(I) -> O>,
}

/// One run of a flow.
pub struct FlowRun<O> {
    flows: Flows,
    flow: StoredFlow,
    is_new: bool,
    types: PhantomData<fn() -> O>,
}

impl Flows {
    /// Makes code known: what is started of this name, and has not ended, is run by it.
    pub fn flow<I, O, F, R, E>(&self, name: impl Into<String>, code: F) -> FlowBuilder<I, O>
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(FlowContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let call = move |context: FlowContext, input: Value| {
            let run = serde_json::from_value(input).map(|input| code(context, input));
            async move {
                let run = run.map_err(|error| format!("its input cannot be read: {error}"))?;
                let output = run.await.map_err(|error| words(&*error.into()))?;
                serde_json::to_value(output).map_err(|error| format!("its result is no JSON: {error}"))
            }
            .boxed()
        };
        let code = Code {
            name: name.into(),
            version: "1".to_owned(),
            also: Vec::new(),
            limits: JournalLimits::default(),
            max_age: None,
            call: Box::new(call),
        };
        FlowBuilder { flows: self.clone(), code, types: PhantomData }
    }
}

/// An error and what caused it, in words.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl<I, O> FlowBuilder<I, O> {
    /// Says the version of this code; `1` without. A flow goes on with the code of the version that it was started with.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.code.version = version.into();
        self
    }

    /// Goes on with flows of these versions, too, where their own code is not known. Without it they wait for their own code.
    pub fn goes_on_with<V: Into<String>>(mut self, versions: impl IntoIterator<Item = V>) -> Self {
        self.code.also = versions.into_iter().map(Into::into).collect();
        self
    }

    /// Ends flows that are older than this.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.code.max_age = Some(age);
        self
    }

    /// How much a journal may hold; 10 000 entries, 16 MiB in all and 1 MiB for each without.
    pub fn limits(mut self, limits: JournalLimits) -> Self {
        self.code.limits = limits;
        self
    }
}

impl<I: 'static, O: 'static> IntoFuture for FlowBuilder<I, O> {
    type Output = Result<Flow<I, O>, FlowError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { flows, code, .. } = self;
            let code = flows.register(code).await?;
            Ok(Flow { flows, code, types: PhantomData })
        })
    }
}

impl<I: Serialize, O: DeserializeOwned> Flow<I, O> {
    /// Starts one. It is on disk when this returns, and the same id again gives the same.
    ///
    /// # Errors
    ///
    /// Another input has this id, or it cannot be written down.
    pub async fn start(&self, id: &str, input: &I) -> Result<FlowRun<O>, FlowError> {
        let json = |error: serde_json::Error| FlowError::Json("the input".to_owned(), error.to_string());
        let input = serde_json::to_value(input).map_err(json)?;
        let (flow, is_new) = self.flows.start_with(Arc::clone(&self.code), id, input).await?;
        Ok(FlowRun { flows: self.flows.clone(), flow, is_new, types: PhantomData })
    }
}

impl<I, O: DeserializeOwned> Flow<I, O> {
    /// The one of this id.
    ///
    /// # Errors
    ///
    /// There is none, or the store cannot be read.
    pub async fn get(&self, id: &str) -> Result<FlowRun<O>, FlowError> {
        let flow = self.flows.get(&self.code.name, id).await?;
        Ok(FlowRun { flows: self.flows.clone(), flow, is_new: false, types: PhantomData })
    }
}

impl<O: DeserializeOwned> FlowRun<O> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.flow.id
    }

    /// Whether it was started now, rather than found.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Its result, however long that takes. Dropping this ends the waiting, not the flow.
    ///
    /// # Errors
    ///
    /// It ended without one, the gateway stops, or the store cannot be read.
    pub async fn result(&self) -> Result<O, FlowError> {
        loop {
            let flow = self.flows.wait(&self.flow.flow, &self.flow.id, LOOK).await?;
            let Some(end) = &flow.end else { continue };
            let Some(result) = end.result.clone() else { return Err(FlowError::NoResult(Box::new(flow))) };
            let json = |error: serde_json::Error| FlowError::Json("the result".to_owned(), error.to_string());
            return serde_json::from_value(result).map_err(json);
        }
    }
}

impl<I, O> Clone for Flow<I, O> {
    fn clone(&self) -> Self {
        Self { flows: self.flows.clone(), code: Arc::clone(&self.code), types: PhantomData }
    }
}

impl<I, O> fmt::Debug for Flow<I, O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flow").field("name", &self.code.name).finish_non_exhaustive()
    }
}

impl<O> fmt::Debug for FlowRun<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FlowRun").field("flow", &self.flow).finish_non_exhaustive()
    }
}
