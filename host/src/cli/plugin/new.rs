//! `anglerfish plugin new`: a project that builds with one command.

use crate::cli::{Failure, Outcome, Output};
use anglerfish_core::config::is_name;
use clap::Args;
use std::fs;
use std::path::Path;

const CONTRACT: &str = include_str!("../../../../wit/plugin/0.1.0/plugin.wit");
const SOURCE: &str = include_str!("template.rs");

const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
wit-bindgen = { version = "0.60", default-features = false, features = ["macros", "realloc"] }

[profile.release]
opt-level = "s"
lto = true
strip = true

# It stands for itself, wherever it lies.
[workspace]
"#;

const TARGET: &str = "[build]\ntarget = \"wasm32-unknown-unknown\"\n";

const EVENT: &str = r#"{
  "specversion": "1.0",
  "id": "order-7",
  "source": "shop",
  "type": "order.created",
  "data": { "total": 120 }
}
"#;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  anglerfish plugin new large
  cd large && cargo build --release
  anglerfish plugin test target/wasm32-unknown-unknown/release/large.wasm \\
    --event event.json")]
pub(super) struct NewArgs {
    /// Its name, and the folder that is made for it
    name: String,
}

pub(super) fn run(args: &NewArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let name = &args.name;
    if !is_name(name) || name.contains('.') || name.starts_with(|first: char| !first.is_ascii_alphabetic()) {
        let message = "the name of a plugin begins with a letter, and has only letters, digits, `-` and `_`";
        return Err(Failure::misuse(message));
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Failure::misuse(format_args!("{name} is there already")));
    }
    let module = name.replace('-', "_");
    for (file, text) in [
        ("Cargo.toml", MANIFEST.replace("NAME", name)),
        (".cargo/config.toml", TARGET.to_owned()),
        (".gitignore", "/target\n".to_owned()),
        ("wit/plugin.wit", CONTRACT.to_owned()),
        ("src/lib.rs", SOURCE.to_owned()),
        ("event.json", EVENT.to_owned()),
    ] {
        let file = folder.join(file);
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, text));
        written
            .map_err(|error| Failure::failed(format_args!("failed to write {}: {error}", file.display())))?;
    }
    output.line(format_args!("wrote {name}; to build and try it:"))?;
    output.line(format_args!(
        "  cd {name} && rustup target add wasm32-unknown-unknown && cargo build --release"
    ))?;
    output.line(format_args!(
        "  anglerfish plugin test target/wasm32-unknown-unknown/release/{module}.wasm --event event.json"
    ))?;
    Ok(Outcome::Fine)
}
