//! Where a command's data goes: stdout, as text for people or JSON for programs.

use super::Failure;
use super::table::{plain, wrapped};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document, or one per line where there are many.
    Json,
}

/// Stdout with a format.
pub struct Output {
    writer: Box<dyn Write>,
    format: Option<Format>,
    terminal: bool,
}

impl Output {
    /// Stdout; `format` as the user asked for it.
    #[must_use]
    pub fn stdout(format: Option<Format>) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self { writer: Box::new(stdout), format, terminal }
    }

    /// Any writer, as if it were a pipe.
    #[must_use]
    pub fn new(writer: Box<dyn Write>, format: Option<Format>) -> Self {
        Self { writer, format, terminal: false }
    }

    /// The format that was asked for, text by default.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Text)
    }

    /// The format that was asked for; by default text on a terminal and JSON for another program.
    #[must_use]
    pub fn format_for_programs(&self) -> Format {
        self.format.unwrap_or(if self.terminal { Format::Text } else { Format::Json })
    }

    /// Whether people read it at a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How wide a line may be: as wide as the terminal. Another program gets one line for each row, however wide.
    #[must_use]
    pub fn width(&self) -> usize {
        /// Below this nothing is readable.
        const NARROWEST: usize = 40;
        if !self.terminal {
            return usize::MAX;
        }
        let columns = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        columns.max(NARROWEST)
    }

    /// Writes text for people, from outside as a rule, broken between words where it is wider than the terminal; `first`
    /// stands before it, `indent` before each further line.
    pub fn paragraph(&mut self, first: &str, indent: &str, text: &str) -> Result<(), Failure> {
        let lines = wrapped(&plain(text), first, indent, self.width());
        lines.iter().try_for_each(|line| self.line(line.trim_end()))
    }

    /// Writes one line of text.
    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.writer, "{text}").map_err(|error| Failure::from_output(&error))
    }

    /// Writes one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::failed(format_args!("failed to write JSON: {error}")))?;
        self.line(text)
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| Failure::from_output(&error))
    }

    /// Passes on what was written so far.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::from_output(&error))
    }
}
