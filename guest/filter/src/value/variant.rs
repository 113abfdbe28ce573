//! One value of any type.

use super::{Address, Blob, Duration, List, Map, Network, Text, Timestamp, Type};
use std::sync::Arc;

/// One CEL value. Cloning is cheap: text is borrowed or shared, containers are shared.
///
/// # How JSON becomes values
///
/// | JSON | value |
/// |---|---|
/// | a number without fraction and exponent | [`Value::Int`]; beyond `i64` but within `u64` [`Value::Uint`]; beyond that [`Value::Double`], if it is finite |
/// | any other number | [`Value::Double`], if it is finite |
/// | a number whose double is infinite (`1e400`) | no value: reading it is an error, so that nothing compares against an infinity that nobody wrote |
/// | a string | [`Value::String`], unescaped |
/// | an array, an object | [`Value::List`], [`Value::Map`] with string keys; of a repeated key the last one wins |
/// | `true`, `false`, `null` | [`Value::Bool`], [`Value::Null`] |
///
/// `-0` is the int 0, `-0.0` the double -0.0, which equals 0.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An unsigned 64-bit integer.
    Uint(u64),
    /// An IEEE 754 double.
    Double(f64),
    /// Text, as Unicode code points.
    String(Text<'a>),
    /// Octets.
    Bytes(Blob),
    /// A list of values of any kinds.
    List(List<'a>),
    /// A map from bool, int, uint or string to values of any kinds.
    Map(Map<'a>),
    /// An instant between the years 1 and 9999.
    Timestamp(Timestamp),
    /// A span of time.
    Duration(Duration),
    /// A type, as `type(x)` returns it.
    Type(Type),
    /// A value that may be absent, as `message.?field` returns it.
    Optional(Option<Arc<Value<'a>>>),
    /// An IP address.
    Address(Address),
    /// An IP network in CIDR notation.
    Network(Network),
}

impl<'a> Value<'a> {
    /// A string that borrows.
    #[must_use]
    pub const fn str(text: &'a str) -> Self {
        Self::String(Text::Borrowed(text))
    }

    /// A string of its own.
    #[must_use]
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Shared(text.into()))
    }

    /// Octets of their own.
    #[must_use]
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes(Blob::new(bytes))
    }

    /// A list of the given values.
    #[must_use]
    pub fn list(values: Vec<Value<'a>>) -> Self {
        Self::List(List::new(values))
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// Which type this value has.
    #[must_use]
    pub const fn kind(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::List(_) => Type::List,
            Self::Map(_) => Type::Map,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::Type(_) => Type::Type,
            Self::Optional(_) => Type::Optional,
            Self::Address(_) => Type::Address,
            Self::Network(_) => Type::Network,
        }
    }

    /// The same value, borrowing text from this one instead of counting another reference.
    #[must_use]
    pub fn borrowed(&'a self) -> Value<'a> {
        match self {
            Self::String(text) => Value::String(Text::Borrowed(text)),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_value_takes_no_more_than_three_words() {
        assert!(size_of::<Value<'_>>() <= 24, "{}", size_of::<Value<'_>>());
    }
}
