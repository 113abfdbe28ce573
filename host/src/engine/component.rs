//! The compiled component and its cache on disk.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::time::SystemTime;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The gateway component that this version was built with.
pub const GATEWAY_COMPONENT: &[u8] = include_bytes!(env!("ANGLERFISH_GATEWAY_COMPONENT"));

/// The name of [`GATEWAY_COMPONENT`] by its bytes, which is the same in every shell that runs them: `sha256:` and 64
/// hexadecimal digits.
#[must_use]
pub fn gateway_hash() -> &'static str {
    static HASH: LazyLock<String> =
        LazyLock::new(|| format!("sha256:{}", hex::encode(Sha256::digest(GATEWAY_COMPONENT))));
    &HASH
}

/// The length of the hash that a file of the cache begins with.
const HASH: usize = 32;

/// Why a component could not be made ready.
#[derive(Debug, thiserror::Error)]
#[error("the component cannot be compiled: {0}")]
pub struct CompileError(String);

/// Compiles the gateway's component, or loads what an earlier start compiled.
pub(super) fn load(engine: &Engine, bytes: &[u8], cache: Option<&Path>) -> Result<Component, CompileError> {
    let compile = || Component::new(engine, bytes).map_err(|error| CompileError(format!("{error:#}")));
    compiled(engine, "gateway", bytes, cache, compile)
}

/// Compiles a component of a file with these bytes, or loads what was compiled of the same bytes before.
///
/// The cache's file name holds the hash of the component and the engine's compatibility hash, so another version of
/// either never meets a file that is not its own; the file itself begins with the hash of what follows, so that nothing runs
/// that a disk or a crash has changed. A cache that cannot be read or written costs time, nothing else.
pub(crate) fn compiled<E>(
    engine: &Engine,
    kind: &str,
    bytes: &[u8],
    cache: Option<&Path>,
    compile: impl FnOnce() -> Result<Component, E>,
) -> Result<Component, E> {
    let path = cache.map(|directory| directory.join(file_name(engine, kind, bytes)));
    if let Some(component) = path.as_deref().and_then(|path| load_precompiled(engine, path)) {
        return Ok(component);
    }
    let component = compile()?;
    if let Some(path) = &path
        && let Err(error) = keep(&component, path)
    {
        tracing::warn!(path = %path.display(), %error, "the compiled component could not be kept");
    }
    Ok(component)
}

/// Deletes what was compiled of files of this kind and was not loaded for longest, until no more than so many bytes are left.
pub(crate) fn prune(directory: &Path, kind: &str, most: u64) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-')) && name.ends_with(".cwasm")
        })
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    let mut held = 0_u64;
    for (_, length, path) in files {
        held = held.saturating_add(length);
        if held > most
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "old compiled code could not be removed");
        }
    }
}

fn file_name(engine: &Engine, kind: &str, bytes: &[u8]) -> String {
    let component = hex::encode(Sha256::digest(bytes));
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("{kind}-{component:.32}-{:016x}.cwasm", compatibility.finish())
}

#[expect(unsafe_code, reason = "loading precompiled code trusts what the program itself has written")]
fn load_precompiled(engine: &Engine, path: &Path) -> Option<Component> {
    let code = read(path)?;
    // SAFETY: these are the bytes that `keep` below wrote, since their hash is the one that it wrote before them; they
    // come from the gateway's own data directory or the user's own cache, which is readable and writable for its user only
    // and as trusted as the program itself; and they are not read again from the disk.
    match unsafe { Component::deserialize(engine, &code) } {
        Ok(component) => {
            // What is used stays for longest. Where that cannot be noted, it is compiled anew one day.
            if let Ok(file) = File::options().append(true).open(path) {
                let _ = file.set_modified(SystemTime::now());
            }
            Some(component)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), error = %format!("{error:#}"), "the compiled component is made anew");
            None
        }
    }
}

/// The longest file that is read: code is a few times as long as the component.
const LONGEST: u64 = 256 << 20;

/// Reads a file that is one: a pipe would hold the start up, a device would never end.
fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(std::io::Error::other("it is no file of compiled code"));
    }
    fs::read(path)
}

/// The compiled code in a file of the cache. A file that is not as it was written is removed.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut file = match read_regular(path) {
        Ok(file) => file,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the compiled component cannot be read");
            }
            return None;
        }
    };
    let is_whole = file
        .split_first_chunk::<HASH>()
        .is_some_and(|(hash, code)| !code.is_empty() && Sha256::digest(code).as_slice() == hash);
    if !is_whole {
        tracing::warn!(path = %path.display(), "the compiled component on disk is damaged; it is made anew");
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "the damaged file could not be removed");
        }
        return None;
    }
    Some(file.split_off(HASH))
}

fn keep(component: &Component, path: &Path) -> Result<(), String> {
    let code = component.serialize().map_err(|error| format!("{error:#}"))?;
    write(path, &code).map_err(|error| error.to_string())
}

/// Writes compiled code into a file of the cache.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().ok_or_else(|| std::io::Error::other("the cache has no directory"))?;
    fs::create_dir_all(directory)?;
    restrict(directory)?;
    // Written aside and renamed, so that no start ever sees half a file; on disk before that, so that a crash leaves
    // either none or a whole one.
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&partial, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&partial);
    }
    renamed?;
    sync(directory)
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

/// A rename is on disk once its directory is.
#[cfg(unix)]
fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with nothing in it.
    const SMALL: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_file_with_any_byte_changed_or_missing_is_thrown_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache/code.cwasm");
        let code: Vec<u8> = (0..5000_u32).map(|number| number.to_le_bytes()[0]).collect();
        write(&path, &code).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(read(&path).as_deref(), Some(&*code));
        for place in (0..whole.len()).step_by(61).chain([31, 32, whole.len() - 1]) {
            for bit in [0x01, 0x80] {
                let mut damaged = whole.clone();
                damaged[place] ^= bit;
                fs::write(&path, damaged).unwrap();
                assert_eq!(read(&path), None, "byte {place}");
                assert!(!path.exists(), "byte {place}");
            }
        }
        for length in [0, 1, 31, 32, 33, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(read(&path), None, "{length} bytes");
            assert!(!path.exists(), "{length} bytes");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("code.cwasm");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(read(&path), None);
    }

    #[test]
    fn a_damaged_cache_costs_a_compilation_and_is_whole_again_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = Some(directory.path());
        load(&engine, SMALL, cache).unwrap();
        let path = directory.path().join(file_name(&engine, "gateway", SMALL));
        let whole = fs::read(&path).unwrap();
        for place in (0..whole.len()).step_by(whole.len() / 24) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            fs::write(&path, damaged).unwrap();
            load(&engine, SMALL, cache).unwrap();
            assert!(read(&path).is_some(), "byte {place}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_not_loaded_for_longest_goes_first_and_what_is_of_another_kind_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, age: u64| {
            let path = directory.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 - age)).unwrap();
        };
        for (name, age) in [
            ("plugin-b.cwasm", 20),
            ("plugin-c.cwasm", 30),
            ("plugin-a.cwasm", 10),
            ("gateway-a.cwasm", 90),
            ("plugins.cwasm", 90),
            ("plugin-a.toml", 90),
        ] {
            file(name, age);
        }
        prune(directory.path(), "plugin", 250);
        let left = fs::read_dir(directory.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort_unstable();
        let expected =
            ["gateway-a.cwasm", "plugin-a.cwasm", "plugin-a.toml", "plugin-b.cwasm", "plugins.cwasm"];
        assert_eq!(left, expected);
    }

    #[test]
    fn a_file_that_is_whole_and_no_code_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let path = directory.path().join(file_name(&engine, "gateway", SMALL));
        write(&path, b"no code at all").unwrap();
        assert!(load_precompiled(&engine, &path).is_none());
        load(&engine, SMALL, Some(directory.path())).unwrap();
        assert!(load_precompiled(&engine, &path).is_some());
    }
}
