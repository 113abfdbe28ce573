//! What can be the key of a map.

use super::{Text, Value, number};
use std::cmp::Ordering;

/// The key of a map. An int and a uint of the same value are the same key.
#[derive(Debug, Clone)]
pub enum Key<'a> {
    /// A bool.
    Bool(bool),
    /// A uint.
    Uint(u64),
    /// An int.
    Int(i64),
    /// A string.
    String(Text<'a>),
}

impl<'a> Key<'a> {
    /// The key for a value in a map literal; `None` if such a value cannot be a key (doubles, null, containers…).
    #[must_use]
    pub fn new(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Bool(bool) => Some(Self::Bool(bool)),
            Value::Int(int) => Some(Self::Int(int)),
            Value::Uint(uint) => Some(Self::Uint(uint)),
            Value::String(text) => Some(Self::String(text)),
            _ => None,
        }
    }

    /// The key that a lookup by this value means. A double finds the integer that it equals.
    #[must_use]
    pub fn sought(value: &'a Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(bool) => Some(Self::Bool(*bool)),
            Value::Int(int) => Some(Self::Int(*int)),
            Value::Uint(uint) => Some(Self::Uint(*uint)),
            Value::String(text) => Some(Self::String(Text::Borrowed(text))),
            Value::Double(double) => {
                number::to_int(*double).map(Self::Int).or_else(|| number::to_uint(*double).map(Self::Uint))
            }
            _ => None,
        }
    }

    /// The key as a value of the type that it was written in.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match self {
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Uint(uint) => Value::Uint(*uint),
            Self::Int(int) => Value::Int(*int),
            Self::String(text) => Value::String(text.clone()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Uint(_) | Self::Int(_) => 1,
            Self::String(_) => 2,
        }
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Uint(left), Self::Uint(right)) => left.cmp(right),
            (Self::Int(left), Self::Uint(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Self::Uint(left), Self::Int(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Self::String(left), Self::String(right)) => (**left).cmp(&**right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key<'_> {}
