//! Panics on demand, so that tests of the whole program can see what becomes of a part that breaks down.

/// A place where a test may let this part break down. In release builds there is nothing here.
///
/// `ANGLERFISH_TEST_FAULTS` names a directory. If it holds a file with the point's name, the point panics; the file is gone
/// before that, so that it happens once. A file with `.always` behind the name stays, and so does the fault.
#[cfg(debug_assertions)]
pub(crate) fn fault_point(point: &str) {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    static FAULTS: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("ANGLERFISH_TEST_FAULTS").map(PathBuf::from));

    let Some(faults) = &*FAULTS else { return };
    let asked =
        std::fs::remove_file(faults.join(point)).is_ok() || faults.join(format!("{point}.always")).exists();
    assert!(!asked, "a fault at the point {point:?}, as a test asked for it");
}

/// A place where a test of a debug build may let this part break down.
#[cfg(not(debug_assertions))]
pub(crate) fn fault_point(_: &str) {}

/// A place where a test may let this process be killed: at the n-th time that it is come by, if the directory holds a file with
/// the point's name and `.kill` behind it that says n. Nothing is flushed or unwound, as by SIGKILL.
#[cfg(debug_assertions)]
pub(crate) fn fault_kill(point: &str) {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    static LEFT: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(|| {
        let read = |directory: std::ffi::OsString| {
            let files = std::fs::read_dir(directory).ok()?;
            Some(files.flatten().filter_map(|file| {
                let name = file.file_name().into_string().ok()?.strip_suffix(".kill")?.to_owned();
                Some((name, std::fs::read_to_string(file.path()).ok()?.trim().parse().ok()?))
            }))
        };
        let left = std::env::var_os("ANGLERFISH_TEST_FAULTS").and_then(read);
        Mutex::new(left.into_iter().flatten().collect())
    });

    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(left) = left.get_mut(point) {
        *left = left.saturating_sub(1);
        if *left == 0 {
            std::process::abort();
        }
    }
}

/// A place where a test of a debug build may let this process be killed.
#[cfg(not(debug_assertions))]
pub(crate) fn fault_kill(_: &str) {}
