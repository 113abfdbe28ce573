//! What plugins run in: an engine of their own, with a clock that ends calls.

use super::bindings::Plugin as World;
use super::error::PluginError;
use super::state::Host;
use crate::engine;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Engine, Module};

/// How long one tick of the clock is.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// How long the clock's thread waits at most before it looks whether there are plugins still.
const IDLE: Duration = Duration::from_secs(1);

/// Bytes of call stack.
const STACK: usize = 512 * 1024;

/// Bytes of compiled code that are kept on disk: that of ten large plugins.
const KEPT: u64 = 512 << 20;

/// An engine for plugins. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    /// How many calls run. The clock ticks only while there are some.
    calls: Arc<AtomicUsize>,
    clock: Thread,
    /// Where compiled code is kept.
    cache: Option<Arc<Path>>,
}

impl Sandbox {
    /// Starts one, with the thread of its clock.
    ///
    /// # Errors
    ///
    /// The machine gives no thread, or cannot run components.
    pub fn try_new() -> Result<Self, PluginError> {
        let failed = |error: &dyn fmt::Display| PluginError::NoPlugin(format!("cannot run any: {error}"));
        let mut config = Config::new();
        config.epoch_interruption(true).max_wasm_stack(STACK);
        let engine = Engine::new(&config).map_err(|error| failed(&error))?;
        let calls = Arc::new(AtomicUsize::new(0));
        let (ticking, counted) = (engine.weak(), Arc::downgrade(&calls));
        let clock = thread::Builder::new().name("plugin clock".to_owned()).spawn(move || {
            while let (Some(engine), Some(calls)) = (ticking.upgrade(), counted.upgrade()) {
                let runs = calls.load(Ordering::Acquire) > 0;
                if runs {
                    engine.increment_epoch();
                }
                drop((engine, calls));
                // A call that begins wakes it.
                if runs { thread::sleep(TICK) } else { thread::park_timeout(IDLE) }
            }
        });
        let clock = clock.map_err(|error| failed(&error))?.thread().clone();
        Ok(Self { engine, calls, clock, cache: None })
    }

    /// Keeps what it compiles in this directory, for whoever loads the same file next. What is there is run: nobody but the
    /// user may write there.
    #[must_use]
    pub fn with_cache(self, directory: Option<PathBuf>) -> Self {
        Self { cache: directory.map(Arc::from), ..self }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What a plugin's file imports and exports, by name.
    ///
    /// # Errors
    ///
    /// It is neither a component nor a module that says how it becomes one.
    pub fn imports(&self, bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), PluginError> {
        Ok(self.names(&self.compiled(bytes)?))
    }

    fn compiled(&self, bytes: &[u8]) -> Result<Component, PluginError> {
        let compile = || {
            let component = Component::new(&self.engine, component(&self.engine, bytes)?);
            component.map_err(|error| PluginError::NoPlugin(format!("{error:#}")))
        };
        let compiled = engine::compiled(&self.engine, KIND, bytes, self.cache.as_deref(), compile);
        if let Some(directory) = &self.cache {
            engine::prune(directory, KIND, KEPT);
        }
        compiled
    }

    /// What a component imports and exports, by name.
    pub(super) fn names(&self, component: &Component) -> (Vec<String>, Vec<String>) {
        let kind = component.component_type();
        let imports = kind.imports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        (imports, kind.exports(&self.engine).map(|(name, _)| name.to_owned()).collect())
    }

    /// A call runs until what this returns is dropped.
    pub(super) fn enter(&self) -> RunningCall<'_> {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.clock.unpark();
        }
        RunningCall(self)
    }

    /// Compiles a plugin and looks whether it asks for anything that plugins do not get.
    pub(super) fn load(&self, bytes: &[u8]) -> Result<InstancePre<Host>, PluginError> {
        let refused = |error: wasmtime::Error| PluginError::NoPlugin(format!("{error:#}"));
        let component = self.compiled(bytes)?;
        let kind = component.component_type();
        let known = |name: &str| KNOWN.contains(&name);
        if let Some((name, _)) = kind.imports(&self.engine).find(|(name, _)| !known(name)) {
            return Err(PluginError::Import(name.to_owned()));
        }
        if !kind.exports(&self.engine).any(|(name, _)| name == FILTER) {
            return Err(PluginError::NoPlugin(format!("it exports no {FILTER}")));
        }
        let mut linker = Linker::new(&self.engine);
        World::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host).map_err(refused)?;
        linker.instantiate_pre(&component).map_err(refused)
    }
}

/// What the names of files with compiled code begin with.
const KIND: &str = "plugin";

/// What plugins do.
pub(super) const FILTER: &str = "anglerfish:plugin/filter@0.1.0";

/// What plugins get.
const KNOWN: [&str; 3] =
    ["anglerfish:plugin/types@0.1.0", "anglerfish:plugin/state@0.1.0", "anglerfish:plugin/log@0.1.0"];

/// A call that runs.
pub(super) struct RunningCall<'a>(&'a Sandbox);

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The component of a file: one as it is, or the module that `cargo build --target wasm32-unknown-unknown` makes, which says
/// itself how it becomes one.
pub(super) fn component(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    let refused = |why: String| PluginError::NoPlugin(why);
    if bytes.starts_with(COMPONENT) {
        return Ok(bytes.to_vec());
    }
    if !bytes.starts_with(MODULE) {
        return Err(refused("it is neither a WebAssembly component nor a module".to_owned()));
    }
    // The encoder takes for granted that it gets a whole one.
    Module::validate(engine, bytes).map_err(|error| refused(format!("{error:#}")))?;
    let encode = || {
        let encoder = wit_component::ComponentEncoder::default().module(bytes)?;
        encoder.validate(true).encode()
    };
    // What stands in the sections of its own is somebody else's text, and the encoder is no judge of that.
    let encoded = catch_unwind(AssertUnwindSafe(encode));
    let encoded = encoded.map_err(|_| refused("what it says of its interfaces makes no sense".to_owned()))?;
    encoded.map_err(|error| refused(format!("{error:#}")))
}
