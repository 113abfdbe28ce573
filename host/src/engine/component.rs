//! The compiled component and its cache on disk.

use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The gateway component that this version was built with.
pub const GATEWAY_COMPONENT: &[u8] = include_bytes!(env!("ANGLERFISH_GATEWAY_COMPONENT"));

/// Why a component could not be made ready.
#[derive(Debug, thiserror::Error)]
#[error("the component cannot be compiled: {0}")]
pub struct CompileError(String);

/// Compiles a component, or loads what an earlier start compiled.
///
/// The cache's file name holds the hash of the component and the engine's compatibility hash, so another version of
/// either never meets a file that is not its own. A cache that cannot be read or written costs time, nothing else.
pub(super) fn load(engine: &Engine, bytes: &[u8], cache: Option<&Path>) -> Result<Component, CompileError> {
    let path = cache.map(|directory| directory.join(file_name(engine, bytes)));
    if let Some(component) = path.as_deref().and_then(|path| load_precompiled(engine, path)) {
        return Ok(component);
    }
    let component = Component::new(engine, bytes).map_err(|error| CompileError(format!("{error:#}")))?;
    if let Some(path) = &path
        && let Err(error) = store(&component, path)
    {
        tracing::warn!(path = %path.display(), %error, "the compiled component could not be kept");
    }
    Ok(component)
}

fn file_name(engine: &Engine, bytes: &[u8]) -> String {
    let component = hex::encode(Sha256::digest(bytes));
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("gateway-{component:.32}-{:016x}.cwasm", compatibility.finish())
}

#[expect(unsafe_code, reason = "loading precompiled code trusts the file like the program itself")]
fn load_precompiled(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.is_file() {
        return None;
    }
    // SAFETY: the file was written by `store` below into the gateway's own data directory, which is readable and
    // writable for its user only and as trusted as the program itself.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(path = %path.display(), error = %format!("{error:#}"), "the compiled component is made anew");
            None
        }
    }
}

fn store(component: &Component, path: &PathBuf) -> Result<(), String> {
    let bytes = component.serialize().map_err(|error| format!("{error:#}"))?;
    let directory = path.parent().ok_or("the cache has no directory")?;
    fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    restrict(directory).map_err(|error| error.to_string())?;
    // Written aside and renamed, so that no start ever sees half a file.
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, bytes).map_err(|error| error.to_string())?;
    fs::rename(&partial, path).map_err(|error| error.to_string())
}

/// Only the gateway's own user may write what will be run.
#[cfg(unix)]
fn restrict(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}
