//! Why a plugin cannot be used, and why it said nothing.

/// Why a plugin cannot be used. It is a fragment to stand behind the plugin's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is another file than the configuration says.
    #[error("has the SHA-256 {0}, and not the one that is written here")]
    Hash(String),
    /// It is no component, and no module that says how it would be one.
    #[error("is no plugin: {0}")]
    NoPlugin(String),
    /// It asks for what plugins do not get.
    #[error("imports {0}, which plugins do not get")]
    Import(String),
    /// It cannot be started within its limits.
    #[error("does not start: {0}")]
    Start(PluginFailure),
}

/// Why a plugin said nothing of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginFailure {
    /// It says so itself.
    #[error("{0}")]
    Said(String),
    /// It ran longer than it may.
    #[error("ran into its time limit")]
    Time,
    /// It asked for more memory than it may have.
    #[error("needs more memory than it may have")]
    Memory,
    /// Its call stack ran out.
    #[error("used up its call stack")]
    Stack,
    /// It gave out more than may be copied: in its answer, or in what it sets and logs.
    #[error("gave out more than one call may")]
    Answer,
    /// It broke down.
    #[error("trapped: {0}")]
    Trapped(String),
}

impl PluginFailure {
    /// The word of the metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Said(_) => "error",
            Self::Time => "timeout",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Answer => "answer",
            Self::Trapped(_) => "trap",
        }
    }
}
