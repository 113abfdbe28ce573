//! What is known of a value's type before there is a value.

use crate::value::{Type, Value};
use std::fmt;

/// What is known of a value's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: it is decided by the event.
    Any,
    /// Exactly this type.
    Is(Type),
    /// A list of such elements.
    List(Box<Shape>),
    /// A map of such keys and values.
    Map(Box<Shape>, Box<Shape>),
    /// An optional of such a value.
    Optional(Box<Shape>),
}

impl Shape {
    /// `bool`
    pub const BOOL: Self = Self::Is(Type::Bool);
    /// `string`
    pub const STRING: Self = Self::Is(Type::String);

    /// The shape of a constant.
    #[must_use]
    pub fn of(value: &Value<'_>) -> Self {
        match value {
            Value::List(list) => Self::List(Box::new(Self::common(list.iter().map(Self::of)))),
            Value::Map(map) => {
                let keys = map.entries().iter().map(|(key, _)| Self::of(&key.value()));
                let values = map.entries().iter().map(|(_, value)| Self::of(value));
                Self::Map(Box::new(Self::common(keys)), Box::new(Self::common(values)))
            }
            Value::Optional(inner) => {
                Self::Optional(Box::new(inner.as_ref().map_or(Self::Any, |inner| Self::of(inner))))
            }
            other => Self::Is(other.kind()),
        }
    }

    /// The shape of all of them, or any if they differ.
    pub(crate) fn common(mut shapes: impl Iterator<Item = Self>) -> Self {
        let Some(first) = shapes.next() else { return Self::Any };
        if shapes.all(|shape| shape == first) { first } else { Self::Any }
    }

    /// The type itself, if it is known.
    #[must_use]
    pub const fn kind(&self) -> Option<Type> {
        match self {
            Self::Any => None,
            Self::Is(kind) => Some(*kind),
            Self::List(_) => Some(Type::List),
            Self::Map(..) => Some(Type::Map),
            Self::Optional(_) => Some(Type::Optional),
        }
    }

    /// Whether the value can be of this type.
    #[must_use]
    pub fn may_be(&self, kind: Type) -> bool {
        self.kind().is_none_or(|known| known == kind)
    }

    /// Whether it is certainly a number.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Is(Type::Int | Type::Uint | Type::Double))
    }

    /// Whether two values of these shapes can be equal.
    #[must_use]
    pub fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(left), Self::List(right)) | (Self::Optional(left), Self::Optional(right)) => {
                left.may_equal(right) || matches!(self, Self::List(_))
            }
            (left, right) => match (left.kind(), right.kind()) {
                (Some(Type::Null), Some(_)) | (Some(_), Some(Type::Null)) => true,
                (Some(known), Some(other)) => known == other || (left.is_number() && right.is_number()),
                _ => true,
            },
        }
    }

    /// What is in a list, or is a map's key, or anything.
    #[must_use]
    pub fn element(&self) -> Self {
        match self {
            Self::List(element) | Self::Map(element, _) => (**element).clone(),
            _ => Self::Any,
        }
    }

    /// What a map's values are, or a list's elements, or anything.
    #[must_use]
    pub fn member(&self) -> Self {
        self.below().clone()
    }

    /// The same without a copy.
    pub(crate) fn below(&self) -> &Self {
        match self {
            Self::List(member) | Self::Map(_, member) => member,
            _ => &Self::Any,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("dyn"),
            Self::Is(Type::Timestamp) => f.write_str("timestamp"),
            Self::Is(Type::Duration) => f.write_str("duration"),
            Self::Is(Type::Null) => f.write_str("null"),
            Self::Is(kind) => f.write_str(kind.name()),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(inner) => write!(f, "optional({inner})"),
        }
    }
}
