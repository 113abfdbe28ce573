//! The reference of the command line: what every `--help` says, in one page.

use super::{help::paths, run};
use std::fmt::Write;
use std::path::Path;

/// Writes the page anew instead of comparing it.
const UPDATE: &str = "ANGLERFISH_TEST_UPDATE";

#[test]
fn the_reference_says_what_the_commands_say_of_themselves() {
    let mut page = String::from(
        "# The command line\n\nWhat every `--help` says, in one page. Data goes to stdout, talk to stderr; exit codes are \
         0 for fine, 1 for a negative\nanswer or a failure, 2 for misuse or a configuration with problems.\n",
    );
    for path in paths() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(&arguments).expect(0).stdout;
        let title = std::iter::once("anglerfish").chain(path.iter().map(String::as_str));
        let title = title.collect::<Vec<_>>().join(" ");
        let _ = write!(page, "\n## `{title}`\n\n```text\n{}\n```\n", help.trim_end());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/command-line.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/command-line.md is not what the commands say: run this test once with {UPDATE}=1 set"
    );
}
