//! Why an evaluation has no value.

use crate::value::Type;
use std::fmt;

/// Why an event has no value where others have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// The body is not JSON.
    NotJson,
    /// The value is a number whose double is infinite.
    NumberTooLarge,
    /// The variable has no value in this event.
    Unbound,
    /// The value is nested too deeply or is too large to be read whole.
    TooLarge,
}

/// Why an operation failed. Small, because missing fields are ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The map has no such field or key.
    NoSuchKey,
    /// Something other than a map was asked for a field.
    NotMap,
    /// The event has no value there.
    Unreadable(Unreadable),
    /// The operation is not defined for values of these types.
    NoOverload,
    /// There is no such function.
    UnknownFunction,
    /// An integer was divided by zero.
    DivisionByZero,
    /// The result does not fit its type.
    Overflow,
    /// The value is outside the range of the type that it should become.
    OutOfRange,
    /// The list has no element, or the string no character, at this position.
    BadIndex,
    /// The text is not what the function reads.
    BadText,
    /// The octets are not UTF-8.
    NotUtf8,
    /// The regular expression is not valid or too large.
    BadPattern,
    /// The format string or its arguments are not valid.
    BadFormat,
    /// A value of this type cannot be a map's key.
    BadKey,
    /// A map literal names a key twice.
    DuplicateKey,
    /// The optional has no value.
    EmptyOptional,
    /// The time zone is not known, or its rules at that time are not.
    UnknownZone,
    /// The evaluation took more steps than its limit.
    Exhausted,
    /// The expression's value is not a bool.
    NotBool,
    /// What is written of the value would be longer than it may be.
    TooLong,
    /// A value of this type has no text that it stands for.
    NotText(Type),
}

/// A type, as it is said of a value.
const fn said(kind: Type) -> &'static str {
    match kind {
        Type::Null => "null",
        Type::Bool => "a bool",
        Type::Int | Type::Uint | Type::Double => "a number",
        Type::String => "text",
        Type::Bytes => "octets",
        Type::List => "a list",
        Type::Map => "an object",
        Type::Timestamp => "a time",
        Type::Duration => "a duration",
        Type::Type => "a type",
        Type::Optional => "an optional",
        Type::Address => "an IP address",
        Type::Network => "an IP network",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchKey => "there is no such field",
            Self::NotMap => "it is not in an object",
            Self::Unreadable(Unreadable::NotJson) => "the body is not JSON",
            Self::Unreadable(Unreadable::NumberTooLarge) => "the number is too large",
            Self::Unreadable(Unreadable::Unbound) => "the variable has no value",
            Self::Unreadable(Unreadable::TooLarge) => "the value is too large or too deeply nested",
            Self::NoOverload => "the operation is not defined for these types",
            Self::UnknownFunction => "there is no such function",
            Self::DivisionByZero => "division by zero",
            Self::Overflow => "the result does not fit its type",
            Self::OutOfRange => "the value is out of range",
            Self::BadIndex => "the index is out of bounds",
            Self::BadText => "the text cannot be read as that",
            Self::NotUtf8 => "the octets are not UTF-8",
            Self::BadPattern => "the regular expression is not valid",
            Self::BadFormat => "the format does not fit its arguments",
            Self::BadKey => "a value of this type cannot be a key",
            Self::DuplicateKey => "a key occurs twice",
            Self::EmptyOptional => "the optional has no value",
            Self::UnknownZone => "the time zone is not known",
            Self::Exhausted => "the evaluation takes too many steps",
            Self::NotBool => "the value is not a bool",
            Self::TooLong => "the text of the value is too long",
            Self::NotText(kind) => {
                let kind = said(*kind);
                return write!(f, "its value is {kind}; text, a number or a bool can stand here");
            }
        })
    }
}

impl From<crate::value::Exhausted> for Failure {
    fn from(_: crate::value::Exhausted) -> Self {
        Self::Exhausted
    }
}
