//! How an expression is found.

use std::fmt;

/// How a table finds an expression that an event makes true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// By what the event has: the expression is only looked at if the event meets one of these conditions, each of which is
    /// necessary for it in words such as `message.type == "order"`.
    Indexed(Vec<String>),
    /// It is looked at for every event, or for every one whose body is JSON.
    Scanned,
    /// It is never true, so that no event looks at it.
    Never,
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Indexed(conditions) => write!(formatter, "indexed by {}", conditions.join(" or ")),
            Self::Scanned => formatter.write_str("looked at for every event"),
            Self::Never => formatter.write_str("never true"),
        }
    }
}
