//! `anglerfish plugin new`: a project that builds with one command.

use crate::cli::{Failure, Outcome, Output};
use anglerfish_core::config::is_name;
use clap::{Args, ValueEnum};
use std::fs;
use std::path::Path;

const CONTRACT: &str = include_str!("../../../wit/plugin/0.1.0/plugin.wit");

const EVENT: &str = r#"{
  "specversion": "1.0",
  "id": "order-7",
  "source": "shop",
  "type": "order.created",
  "data": { "total": 120 }
}
"#;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish plugin new large
  cd large && cargo build --release
  anglerfish plugin test target/wasm32-unknown-unknown/release/large.wasm \\
    --event event.json

  anglerfish plugin new large --lang python
  cd large && python3 build.py
  anglerfish plugin test large.wasm --event event.json")]
pub(super) struct NewArgs {
    /// Its name, and the folder that is made for it
    name: String,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
}

/// What plugins are written in.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Rust; the component is small and quick
    Rust,
    /// JavaScript, with componentize-js of npm
    Js,
    /// Python, with componentize-py of PyPI
    Python,
}

impl Language {
    /// The files of a project beside the contract and an event; `NAME` in them is the plugin's.
    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &[
                ("Cargo.toml", include_str!("template/manifest.toml")),
                (".cargo/config.toml", "[build]\ntarget = \"wasm32-unknown-unknown\"\n"),
                (".gitignore", "/target\n"),
                ("src/lib.rs", include_str!("template/filter.rs")),
                ("src/bindings.rs", include_str!("template/bindings.rs")),
            ],
            Self::Js => &[
                ("package.json", include_str!("template/package.json")),
                (".gitignore", "/node_modules\n/*.wasm\n"),
                ("filter.js", include_str!("template/filter.js")),
            ],
            Self::Python => &[
                ("requirements.txt", "componentize-py==0.25.0\n"),
                ("build.py", include_str!("template/build.py")),
                (".gitignore", "/.venv\n/*.wasm\n__pycache__\n"),
                ("app.py", include_str!("template/app.py")),
            ],
        }
    }

    /// What builds a project, and the file that comes of it.
    fn commands(self, name: &str) -> (&'static str, String) {
        match self {
            Self::Rust => {
                let file = format!("target/wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_"));
                ("rustup target add wasm32-unknown-unknown && cargo build --release", file)
            }
            Self::Js => ("npm install", format!("{name}.wasm")),
            Self::Python => ("python3 build.py", format!("{name}.wasm")),
        }
    }
}

pub(super) fn run(args: &NewArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let NewArgs { name, lang } = args;
    if !is_name(name) || name.contains('.') || name.starts_with(|first: char| !first.is_ascii_alphabetic()) {
        let message = "the name of a plugin begins with a letter, and has up to 64 letters of a to z, digits, `-` and `_`";
        return Err(Failure::misuse(message));
    }
    let folder = Path::new(name);
    // A link that leads nowhere is there too.
    if folder.symlink_metadata().is_ok() {
        return Err(Failure::misuse(format_args!("{name} is there already")));
    }
    let shared = [("wit/plugin.wit", CONTRACT), ("event.json", EVENT)];
    for (file, text) in lang.files().iter().chain(&shared) {
        let file = folder.join(file);
        let text = text.replace("NAME", name);
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, text));
        written
            .map_err(|error| Failure::failed(format_args!("failed to write {}: {error}", file.display())))?;
    }
    let (build, file) = lang.commands(name);
    output.line(format_args!("wrote {name}; to build and try it:"))?;
    output.line(format_args!("  cd {name} && {build}"))?;
    output.line(format_args!("  anglerfish plugin test {file} --event event.json"))?;
    Ok(Outcome::Fine)
}
