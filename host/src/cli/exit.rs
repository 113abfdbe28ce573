//! How a command ends.

use std::fmt::Display;
use std::io;

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: exit code 0.
    Fine,
    /// The answer is no, or the other side refused: exit code 1.
    Negative,
    /// The configuration that was asked about has problems, which are in what was written: exit code 2, as when it is checked.
    Misconfigured,
}

/// Why a command could not do its work. Messages are lower-case fragments without a full stop.
#[derive(Debug)]
pub enum Failure {
    /// What it was given makes no sense: a wrong argument, a file that is not there, a bad configuration. Exit code 2.
    Misuse {
        /// What is wrong.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// The configuration has problems; each is one complete line, `file:line:column: key: message`, and may be followed
    /// by its own `hint:` line. Exit code 2.
    Configuration(Vec<String>),
    /// It made sense and could not be done: nothing answers, a disk is full. Exit code 1.
    Failed {
        /// What went wrong.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// The reader of stdout is gone; there is nobody to tell. Exit code 0.
    BrokenPipe,
}

impl Failure {
    /// Misuse without a hint.
    pub fn misuse(message: impl Display) -> Self {
        Self::Misuse { message: message.to_string(), hint: None }
    }

    /// A failure without a hint.
    pub fn failed(message: impl Display) -> Self {
        Self::Failed { message: message.to_string(), hint: None }
    }

    /// The same with a hint, where there is room for one.
    #[must_use]
    pub fn with_hint(mut self, text: impl Display) -> Self {
        if let Self::Misuse { hint, .. } | Self::Failed { hint, .. } = &mut self {
            *hint = Some(text.to_string());
        }
        self
    }

    /// What writing to stdout came to.
    #[must_use]
    pub fn from_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::failed(format_args!("failed to write to stdout: {error}")),
        }
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Failed { .. } => 1,
            Self::Misuse { .. } | Self::Configuration(_) => 2,
        }
    }
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Negative => 1,
            Self::Misconfigured => 2,
        }
    }

    /// Fine if `holds`, else negative.
    #[must_use]
    pub const fn of(holds: bool) -> Self {
        if holds { Self::Fine } else { Self::Negative }
    }
}
