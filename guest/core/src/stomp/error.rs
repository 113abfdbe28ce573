//! What is wrong with a frame.

/// What is wrong with a frame. Nothing that follows it can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first line is no command.
    #[error("there is no command {0:?}")]
    UnknownCommand(String),
    /// A header without a colon.
    #[error("the line {0:?} is no header: it has no colon")]
    NoColon(String),
    /// A backslash before something that means nothing, in the name of a header or in what it says. The name is as it was written.
    #[error("the header \"{0}\" has an escape sequence that means nothing")]
    UnknownEscape(String),
    /// A header that is not UTF-8.
    #[error("a header is not UTF-8")]
    NotUtf8,
    /// `content-length` is no number.
    #[error("the header \"content-length\" is no number: {0:?}")]
    InvalidLength(String),
    /// More follows than `content-length` says.
    #[error("no NUL follows the {0} bytes that the header \"content-length\" says")]
    NoEnd(usize),
    /// A body where there is none.
    #[error("a {0} frame has no body")]
    NoBody(&'static str),
    /// Too many headers.
    #[error("a frame has at most {0} headers")]
    TooManyHeaders(usize),
    /// Headers that are too long.
    #[error("the headers of a frame have at most {0} bytes together")]
    TooLongHeaders(usize),
    /// A body that is too long.
    #[error("a body has at most {0} bytes")]
    TooLongBody(usize),
}
