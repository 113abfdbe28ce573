//! Why a text is not JSON.

/// A text that is not JSON, or that nests too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
}

/// What is wrong with a text that should be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Encoding,
    /// Something else stands where RFC 8259 wants a value, a key, a colon, a comma or a bracket.
    #[error("unexpected character")]
    Unexpected,
    /// The text ends inside a value.
    #[error("unexpected end")]
    End,
    /// A number is not written as RFC 8259 wants it.
    #[error("malformed number")]
    Number,
    /// A string holds an unescaped control character.
    #[error("control character in a string")]
    Control,
    /// A string holds an unknown or unfinished escape.
    #[error("malformed escape")]
    Escape,
    /// Arrays and objects nest deeper than [`super::DEPTH_LIMIT`].
    #[error("nesting too deep")]
    Depth,
    /// Something follows the value.
    #[error("trailing characters")]
    Trailing,
    /// The text is larger than 4 GiB.
    #[error("text too large")]
    Size,
}

impl JsonErrorKind {
    pub(super) const fn at(self, offset: usize) -> JsonError {
        JsonError { kind: self, offset }
    }
}
