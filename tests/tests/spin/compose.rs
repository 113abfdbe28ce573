//! The app's component and the gateway component as one, the way Spin puts them together.

use anyhow::Result;
use std::path::Path;
use wasm_compose::composer::ComponentComposer;
use wasm_compose::config::Config;

/// Gives the app's import of the router the gateway's export; what both import stays an import of the whole.
pub(crate) fn compose(folder: &Path) -> Result<Vec<u8>> {
    let config = Config {
        dir: folder.to_owned(),
        definitions: vec![folder.join("gateway.wasm")],
        ..Config::default()
    };
    ComponentComposer::new(&folder.join("anglerfish_spin.wasm"), &config).compose()
}
