//! One plugin: its warm instances, and what it is asked.

use super::bindings::exports::anglerfish::plugin::filter::{Event as WitEvent, Verdict as WitVerdict};
use super::bindings::{Plugin as World, PluginPre};
use super::config::PluginConfig;
use super::error::{PluginError, PluginFailure};
use super::sandbox::{Sandbox, TICK};
use super::state::{Host, Memory};
use anglerfish_core::event::Event;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap};

/// The largest file that is read as a plugin.
const LONGEST_FILE: u64 = 64 << 20;

/// What a plugin may copy out in one call, in bytes, beside as much as it was given.
const COPIED: usize = 2 << 20;

/// How long a plugin may take to start.
const START: Duration = Duration::from_secs(2);

/// One plugin that can be asked.
pub struct Plugin {
    config: PluginConfig,
    hash: [u8; 32],
    sandbox: Sandbox,
    pre: InstancePre<Host>,
    memory: Arc<Memory>,
    name: Arc<str>,
    warm: Mutex<Vec<Warm>>,
    started_with: u64,
    /// As many as there may be instances.
    pub(super) places: Arc<Semaphore>,
}

struct Warm {
    store: Store<Host>,
    world: World,
}

/// What a plugin is asked of.
#[derive(Debug, Clone)]
pub struct Question {
    /// The subscription.
    pub subscription: String,
    /// The event's attributes.
    pub event: Event,
    /// The header fields that were kept.
    pub headers: Arc<[(String, String)]>,
    /// The data.
    pub data: Bytes,
}

/// What a plugin says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is delivered.
    Deliver,
    /// It is not, for this reason.
    Drop(String),
    /// It is delivered with this media type, if one is said, and this data.
    Replace(Option<String>, Bytes),
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it says.
    pub result: Result<Verdict, PluginFailure>,
    /// How long it took.
    pub duration: Duration,
    /// Bytes of memory that the instance has after it; nothing of one that is gone.
    pub memory: Option<u64>,
}

impl Judged {
    /// In a word: what it says, or what it failed at.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match &self.result {
            Ok(Verdict::Deliver) => "deliver",
            Ok(Verdict::Drop(_)) => "drop",
            Ok(Verdict::Replace(..)) => "replace",
            Err(failure) => failure.name(),
        }
    }

    /// Why it is not delivered, in words; `None` if it is.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &self.result {
            Ok(Verdict::Deliver | Verdict::Replace(..)) => None,
            Ok(Verdict::Drop(reason)) => Some(reason.clone()),
            Err(failure) => Some(failure.to_string()),
        }
    }
}

impl Plugin {
    /// Reads, compiles and starts a plugin.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, with the key of its table that this is about.
    pub fn load(sandbox: &Sandbox, config: PluginConfig) -> Result<Self, (&'static str, PluginError)> {
        let bytes = read(&config.path).map_err(|error| ("path", PluginError::Unreadable(error)))?;
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        if config.sha256.is_some_and(|wanted| wanted != hash) {
            return Err(("sha256", PluginError::Hash(hex::encode(hash))));
        }
        let pre = sandbox.load(&bytes).map_err(|error| ("path", error))?;
        let name: Arc<str> = config.name.as_str().into();
        let mut plugin = Self {
            hash,
            started_with: 0,
            sandbox: sandbox.clone(),
            pre,
            memory: Arc::new(Memory::new(config.state)),
            name,
            warm: Mutex::default(),
            places: Arc::new(Semaphore::new(config.instances)),
            config,
        };
        // One that cannot start is found out now, not at the first event.
        let running = plugin.sandbox.enter();
        let started = plugin.fresh();
        drop(running);
        let warm = started.map_err(|failure| ("path", PluginError::Start(failure)))?;
        plugin.started_with = warm.store.data().size();
        plugin.keep(warm);
        Ok(plugin)
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &PluginConfig {
        &self.config
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether it is what this says, its file included.
    pub(super) fn is_as(&self, config: &PluginConfig) -> bool {
        self.config == *config
            && read(&config.path).is_ok_and(|bytes| Sha256::digest(bytes).as_slice() == self.hash)
    }

    /// The SHA-256 of its file.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Bytes of memory that an instance has before it is asked anything.
    #[must_use]
    pub fn started_with(&self) -> u64 {
        self.started_with
    }

    /// What it imports and exports, by name.
    #[must_use]
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        self.sandbox.names(self.pre.component())
    }

    fn fresh(&self) -> Result<Warm, PluginFailure> {
        let host = Host::new(Arc::clone(&self.name), Arc::clone(&self.memory), self.config.memory);
        let mut store = Store::new(self.sandbox.engine(), host);
        store.limiter(|host| host);
        store.set_hostcall_fuel(COPIED);
        store.set_epoch_deadline(ticks(START));
        let world = PluginPre::new(self.pre.clone()).and_then(|pre| pre.instantiate(&mut store));
        match world {
            Ok(world) => Ok(Warm { store, world }),
            Err(error) => Err(failure(&store, &error)),
        }
    }

    fn keep(&self, warm: Warm) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).push(warm);
    }

    /// Asks it. It blocks for as long as the plugin takes, within its time limit.
    #[must_use]
    pub fn judge(&self, question: &Question, config: &str) -> Judged {
        let begun = Instant::now();
        let (result, memory) = self.try_judge(question, config);
        Judged { result, duration: begun.elapsed(), memory }
    }

    fn try_judge(&self, question: &Question, config: &str) -> (Result<Verdict, PluginFailure>, Option<u64>) {
        let _running = self.sandbox.enter();
        let mut warm = match self.take().map_or_else(|| self.fresh(), Ok) {
            Ok(warm) => warm,
            Err(failure) => return (Err(failure), None),
        };
        match self.call(&mut warm, question, config) {
            Ok(said) => {
                let memory = Some(warm.store.data().size());
                self.keep(warm);
                (said, memory)
            }
            // An instance that broke off half-way is thrown away.
            Err(failure) => (Err(failure), None),
        }
    }

    /// What it would say, without effects: a fresh instance is asked, whose end is the end of all that it sets. The time is
    /// that of the call alone.
    #[must_use]
    pub fn explain(&self, question: &Question, config: &str) -> Judged {
        let _running = self.sandbox.enter();
        // It takes the place of a warm one, so that no more memory is held than the configuration says.
        drop(self.take());
        let begun = Instant::now();
        let mut fresh = match self.fresh() {
            Ok(fresh) => fresh,
            Err(failure) => return Judged { result: Err(failure), duration: begun.elapsed(), memory: None },
        };
        fresh.store.data_mut().set_aside();
        let begun = Instant::now();
        let result = self.call(&mut fresh, question, config).flatten();
        Judged { result, duration: begun.elapsed(), memory: Some(fresh.store.data().size()) }
    }

    /// Asks an instance within the limits of a call. The outer error says that the instance broke down.
    fn call(
        &self,
        warm: &mut Warm,
        question: &Question,
        config: &str,
    ) -> Result<Result<Verdict, PluginFailure>, PluginFailure> {
        warm.store.data_mut().begin();
        warm.store.set_epoch_deadline(ticks(self.config.timeout));
        warm.store.set_hostcall_fuel(COPIED.saturating_add(question.data.len()));
        let event = wit(question);
        let said = warm.world.anglerfish_plugin_filter().call_judge(&mut warm.store, &event, config);
        let said = said.map_err(|error| failure(&warm.store, &error))?;
        Ok(said.map(verdict).map_err(|error| PluginFailure::Said(shorten(error))))
    }

    fn take(&self) -> Option<Warm> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Reads a file that is one and is not too large.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let at = |error: std::io::Error| format!("{}: {error}", path.display());
    // Before it is opened: that of a pipe waits for whoever writes into it.
    if !fs::metadata(path).map_err(at)?.is_file() {
        return Err(format!("{}: it is no file", path.display()));
    }
    let file = fs::File::open(path).map_err(at)?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!("{} is larger than {} MiB", path.display(), LONGEST_FILE >> 20));
    }
    Ok(bytes)
}

/// A time in ticks of the clock: at least as long as it is.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).saturating_add(1)
}

fn wit(question: &Question) -> WitEvent {
    let Question { subscription, event, headers, data } = question;
    WitEvent {
        subscription: subscription.clone(),
        id: event.id.clone(),
        source: event.source.clone(),
        type_: event.kind.clone(),
        subject: event.subject.clone(),
        time: event.time.0,
        datacontenttype: event.datacontenttype.clone(),
        extensions: event.extensions.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        headers: headers.to_vec(),
        data: data.to_vec(),
    }
}

fn verdict(verdict: WitVerdict) -> Verdict {
    match verdict {
        WitVerdict::Deliver => Verdict::Deliver,
        WitVerdict::Drop(reason) => Verdict::Drop(shorten(reason)),
        WitVerdict::Replace(body) => Verdict::Replace(body.datacontenttype, body.data.into()),
    }
}

/// What is recorded of a reason.
fn shorten(mut reason: String) -> String {
    const LONGEST: usize = 1024;
    reason.truncate(reason.floor_char_boundary(LONGEST));
    reason
}

fn failure(store: &Store<Host>, error: &wasmtime::Error) -> PluginFailure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => PluginFailure::Time,
        Some(Trap::StackOverflow) => PluginFailure::Stack,
        _ if store.data().is_refused => PluginFailure::Memory,
        Some(trap) => PluginFailure::Trapped(trap.to_string()),
        None => {
            let text = format!("{error:#}");
            if text.contains("fuel") { PluginFailure::Answer } else { PluginFailure::Trapped(shorten(text)) }
        }
    }
}
