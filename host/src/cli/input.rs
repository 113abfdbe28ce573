//! What a command reads: a file, or stdin where the file is `-`.

use super::Failure;
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
