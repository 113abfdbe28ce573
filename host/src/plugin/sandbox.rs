//! What plugins run in: an engine of their own, with a clock that ends calls.

use super::bindings::Plugin as World;
use super::error::PluginError;
use super::state::Host;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Engine};

/// How long one tick of the clock is.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// How long the clock's thread waits at most before it looks whether there are plugins still.
const IDLE: Duration = Duration::from_secs(1);

/// Bytes of call stack.
const STACK: usize = 512 * 1024;

/// An engine for plugins. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    /// How many calls run. The clock ticks only while there are some.
    calls: Arc<AtomicUsize>,
    clock: Thread,
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
        Ok(Self { engine, calls, clock })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
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
        let component = component(bytes)?;
        let component = Component::new(&self.engine, &component).map_err(refused)?;
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

/// What plugins do.
const FILTER: &str = "anglerfish:plugin/filter@0.1.0";

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
fn component(bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if !bytes.starts_with(MODULE) {
        return Ok(bytes.to_vec());
    }
    let encoded = wit_component::ComponentEncoder::default()
        .module(bytes)
        .and_then(|encoder| encoder.validate(true).encode());
    encoded.map_err(|error| PluginError::NoPlugin(format!("{error:#}")))
}

/// What a plugin's file imports and exports, by name.
///
/// # Errors
///
/// It is neither a component nor a module that says how it becomes one.
pub fn imports(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), PluginError> {
    let sandbox = Sandbox::try_new()?;
    let component = Component::new(&sandbox.engine, component(bytes)?);
    let component = component.map_err(|error| PluginError::NoPlugin(format!("{error:#}")))?;
    Ok(sandbox.names(&component))
}
