//! Turns the providers' definitions, one TOML file each, into a static table.
//!
//! The files are TOML so that people can read and write them, and JSON in the table so that the component needs one
//! parser only.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const FOLDER: &str = "src/verify/provider";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let mut files: Vec<PathBuf> =
        fs::read_dir(FOLDER)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();

    let mut table = String::from("static DEFINITIONS: &[Definition] = &[\n");
    let mut known = String::from("static PROVIDERS: &[ProviderEntry] = &[\n");
    for file in files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a file name that is not UTF-8")?;
        let mut fields = read(&file)?;
        let mut text = |key: &str| match fields.remove(key) {
            Some(toml::Value::String(text)) => Ok(text.trim().to_owned()),
            _ => Err(format!("{}: the text `{key}` is missing", file.display())),
        };
        let (title, documentation, needs, setup) =
            (text("title")?, text("documentation")?, text("needs")?, text("setup")?);
        let (identified, statuses) = (text("identified")?, text("statuses")?);
        // A scheme that several providers use is written once; the others name it and change what differs.
        if let Some(toml::Value::String(base)) = fields.remove("like") {
            let mut base = read(&Path::new(FOLDER).join(format!("{base}.toml")))?;
            for key in ["title", "documentation", "needs", "setup", "identified", "statuses"] {
                base.remove(key);
            }
            for (key, value) in base {
                fields.entry(key).or_insert(value);
            }
        }
        let scheme = serde_json::to_string(&fields)?;
        writeln!(
            table,
            "Definition {{ name: {name:?}, title: {title:?}, documentation: {documentation:?}, needs: {needs:?}, \
             setup: {setup:?}, identified: {identified:?}, statuses: {statuses:?}, scheme: {scheme:?} }},"
        )?;
        writeln!(known, "ProviderEntry {{ name: {name:?}, needs: {needs:?}, scheme: {scheme:?} }},")?;
    }
    let text = format!("{table}];\n\n{known}];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalogue.rs"), text)?;
    Ok(())
}

fn read(file: &Path) -> Result<toml::Table, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}
