//! What a command reads: a file, or stdin where the file is `-`.

use super::Failure;
use serde_json::Value;
use std::path::Path;

/// Reads a text.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin().lock())
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| Failure::misuse(format_args!("failed to read {}: {error}", file.display())))
}

/// The document of one subscription or source, as JSON or as TOML: what does not begin like a JSON object is TOML.
/// `kind` is its table in the configuration file, in which it may stand alone.
pub(super) fn document(file: &Path, kind: &str) -> Result<Value, Failure> {
    let wrong =
        |why: &str| Failure::misuse(format_args!("{} is not a {kind}: {}", file.display(), why.trim_end()));
    let written = read(file)?;
    let document: Value = if written.trim_start().starts_with('{') {
        serde_json::from_str(&written).map_err(|error| wrong(&error.to_string()))?
    } else {
        toml::from_str(&written).map_err(|error| wrong(&error.to_string()))?
    };
    match document.get(kind) {
        Some(Value::Array(many)) => match many.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(wrong(&format!("it has {} {kind}s; give one", many.len()))),
        },
        _ => Ok(document),
    }
}

/// What a document is called: its own `key`, or what the option of that name says.
pub(super) fn name(document: &Value, key: &str, option: Option<&str>) -> Result<String, Failure> {
    match (option, document.get(key).and_then(Value::as_str)) {
        (Some(named), Some(written)) if named != written => {
            let message = format!("the document's {key} is `{written}`, and --{key} says `{named}`");
            Err(Failure::misuse(message))
        }
        (Some(name), _) | (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(Failure::misuse(format_args!("the document has no `{key}`"))
            .with_hint(format_args!("--{key} gives it one"))),
    }
}
