use super::*;
use clap::CommandFactory;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a command line: its exit code, what it wrote, and how it failed.
fn run(args: &[&str]) -> (u8, String, Option<Failure>) {
    let cli = Cli::try_parse_from([&["anglerfish"], args].concat()).unwrap();
    let buffer = Buffer::default();
    let mut output = Output::new(Box::new(buffer.clone()), cli.format);
    let (code, failure) = match cli.command.run(&mut output) {
        Ok(outcome) => (outcome.code(), None),
        Err(failure) => (failure.code(), Some(failure)),
    };
    let written = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    (code, written, failure)
}

#[test]
fn the_frame_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_fits_in_eighty_columns() {
    let mut command = Cli::command();
    command.build();
    let mut all = vec![command];
    while let Some(mut command) = all.pop() {
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
        all.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let cli = Cli::try_parse_from(["anglerfish", "providers"]).unwrap();
    let failure = cli.command.run(&mut Output::new(Box::new(Closed), None)).unwrap_err();
    assert_eq!(failure.code(), 0);
}

#[test]
fn check_prints_a_summary_or_every_problem() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.toml");
    let name = file.to_str().unwrap();
    let sound = "[[source]]\nname = \"shop\"\nscheme = \"none\"\n[[subscription]]\nid = \"all\"\n\
                 endpoint = { url = \"https://example.com\" }\n";
    std::fs::write(&file, sound).unwrap();
    let (code, text, _) = run(&["check", "--config", name]);
    assert_eq!(code, 0);
    assert!(
        text.contains("1 source\n  shop: none\n1 subscription\n  all: all sources: every event\n"),
        "{text}"
    );

    std::fs::write(&file, format!("{sound}filter = \"1 +\"\ntypo = 1\n")).unwrap();
    let (code, text, failure) = run(&["check", "--config", name, "--format", "json"]);
    assert_eq!(code, 2);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lines: Vec<_> =
        document["problems"].as_array().unwrap().iter().map(|problem| &problem["line"]).collect();
    assert_eq!(lines, [7, 8], "{text}");
    let Some(Failure::Configuration(lines)) = failure else { panic!("{failure:?}") };
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_configuration_that_is_not_there_is_misuse() {
    let (code, _, failure) = run(&["check", "--config", "/nonexistent/anglerfish.toml"]);
    assert_eq!(code, 2);
    let Some(Failure::Misuse { message, hint }) = failure else { panic!("{failure:?}") };
    assert!(message.starts_with("failed to read /nonexistent/anglerfish.toml: "), "{message}");
    assert!(hint.is_some());
}

#[test]
fn providers_are_listed_shown_and_suggested() {
    let (code, text, _) = run(&["providers"]);
    assert_eq!(code, 0);
    assert!(text.lines().any(|line| line.starts_with("github ")), "{text}");
    let (_, text, _) = run(&["providers", "stripe"]);
    assert!(text.contains("scheme = \"stripe\""), "{text}");
    let (_, text, _) = run(&["providers", "github", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["name"], document["scheme"].is_object()), (&"github".into(), true));
    let (code, _, failure) = run(&["providers", "gihtub"]);
    assert_eq!(code, 2);
    let Some(Failure::Misuse { hint, .. }) = failure else { panic!("{failure:?}") };
    assert_eq!(hint.as_deref(), Some("did you mean `github`?"));
}
