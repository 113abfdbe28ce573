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
