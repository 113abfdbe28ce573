//! The component, compiled once for all gateways of a test's process.

use anglerfish::Anglerfish;
use std::path::Path;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The directory of a gateway that has compiled the component; the others take it from there.
static COMPILED: OnceCell<TempDir> = OnceCell::const_new();

/// Lets a gateway in this directory find the component compiled.
pub(crate) async fn find_compiled(directory: &Path) {
    let cache = directory.join("cache");
    if cache.exists() {
        return;
    }
    let compiled = COMPILED
        .get_or_init(|| async {
            let data = TempDir::new().unwrap();
            Anglerfish::builder().data_dir(data.path()).build().await.unwrap().start().shutdown().await;
            data
        })
        .await;
    std::fs::create_dir_all(&cache).unwrap();
    for file in std::fs::read_dir(compiled.path().join("cache")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), cache.join(file.file_name())).unwrap();
    }
}
