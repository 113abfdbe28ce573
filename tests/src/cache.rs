//! The compiled component, shared between the data directories of many gateways.
//!
//! A debug build takes seconds to compile it, and every test starts a gateway on a directory of its own. The gateway
//! names a compiled component by what it was made of, so one that does not fit is not used.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory beside the binary.
pub(crate) struct Cache(PathBuf);

impl Cache {
    /// The one of a binary.
    pub(crate) fn beside(binary: &Path) -> Self {
        Self(binary.with_file_name("anglerfish-tests-cache"))
    }

    /// Puts what is kept into a gateway's directory. Whatever fails only costs time.
    pub(crate) fn fill(&self, directory: &Path) {
        drop(copy(&self.0, directory));
    }

    /// Keeps what a gateway has compiled.
    pub(crate) fn keep(&self, directory: &Path) {
        drop(copy(directory, &self.0));
    }
}

/// Copies the files that are not there yet; each appears whole or not at all.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().extension().is_some_and(|kind| kind == "cwasm") && !target.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(to)?;
            let whole = tempfile::NamedTempFile::new_in(to)?;
            fs::copy(entry.path(), whole.path())?;
            whole.persist(&target)?;
        }
    }
    Ok(())
}
