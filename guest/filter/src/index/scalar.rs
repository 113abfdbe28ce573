//! Values that an index can hold.

use crate::json::{Raw, Slots};
use crate::value::Value;
use crate::value::number::{self, Number};
use std::cmp::Ordering;

/// A constant of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// The bits of a double.
    Double(u64),
    Text(Box<str>),
}

/// A scalar that borrows its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BorrowedScalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// The bits of a double.
    Double(u64),
    Text(&'a str),
}

impl Scalar {
    /// The constant, if it is a scalar that an index can hold.
    pub(crate) fn new(value: &Value<'_>) -> Option<Self> {
        BorrowedScalar::of(value).map(|seen| Self::from(&seen))
    }

    #[inline]
    pub(crate) fn seen(&self) -> BorrowedScalar<'_> {
        match self {
            Self::Null => BorrowedScalar::Null,
            Self::Bool(value) => BorrowedScalar::Bool(*value),
            Self::Int(value) => BorrowedScalar::Int(*value),
            Self::Uint(value) => BorrowedScalar::Uint(*value),
            Self::Double(bits) => BorrowedScalar::Double(*bits),
            Self::Text(text) => BorrowedScalar::Text(text),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

impl From<&BorrowedScalar<'_>> for Scalar {
    fn from(seen: &BorrowedScalar<'_>) -> Self {
        match *seen {
            BorrowedScalar::Null => Self::Null,
            BorrowedScalar::Bool(value) => Self::Bool(value),
            BorrowedScalar::Int(value) => Self::Int(value),
            BorrowedScalar::Uint(value) => Self::Uint(value),
            BorrowedScalar::Double(bits) => Self::Double(bits),
            BorrowedScalar::Text(text) => Self::Text(Box::from(text)),
        }
    }
}

impl<'a> BorrowedScalar<'a> {
    /// A constant, if it is a scalar that an index can hold.
    pub(crate) fn of(value: &'a Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Uint(value) => Self::Uint(*value),
            Value::Double(value) => Self::Double(value.to_bits()),
            Value::String(text) => Self::Text(text),
            _ => return None,
        })
    }

    /// What an event has, if it is a scalar.
    #[inline]
    pub(crate) fn new(raw: Raw, slots: &'a Slots, body: &'a str) -> Option<Self> {
        Some(match raw {
            Raw::Null => Self::Null,
            Raw::Bool(value) => Self::Bool(value),
            Raw::Int(value) => Self::Int(value),
            Raw::Uint(value) => Self::Uint(value),
            Raw::Double(value) => Self::Double(value.to_bits()),
            Raw::Plain(..) | Raw::Decoded(..) => Self::Text(slots.text(raw, body)?),
            _ => return None,
        })
    }

    pub(crate) fn number(self) -> Option<Number> {
        match self {
            Self::Int(value) => Some(Number::Int(value)),
            Self::Uint(value) => Some(Number::Uint(value)),
            Self::Double(bits) => Some(Number::Double(f64::from_bits(bits))),
            _ => None,
        }
    }

    /// One form for all numbers that are equal: an `int` if one is equal, else a `uint`, else the `double`. `None` for NaN,
    /// which nothing equals.
    #[inline]
    pub(crate) fn canonical(self) -> Option<Self> {
        match self {
            Self::Uint(value) => Some(i64::try_from(value).map_or(self, Self::Int)),
            Self::Double(bits) => {
                let value = f64::from_bits(bits);
                if value.is_nan() {
                    return None;
                }
                let int = number::to_int(value).map(Self::Int);
                Some(int.or_else(|| number::to_uint(value).map(Self::Uint)).unwrap_or(self))
            }
            _ => Some(self),
        }
    }

    /// Some order, of canonical scalars, for searching.
    pub(crate) fn arrange(self, other: Self) -> Ordering {
        let rank = |scalar: Self| match scalar {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Uint(_) => 3,
            Self::Double(_) => 4,
            Self::Text(_) => 5_u8,
        };
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(&right),
            (Self::Int(left), Self::Int(right)) => left.cmp(&right),
            (Self::Uint(left), Self::Uint(right)) | (Self::Double(left), Self::Double(right)) => {
                left.cmp(&right)
            }
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

/// CEL's equality of scalars: never an error.
#[inline]
pub(crate) fn equal(left: BorrowedScalar<'_>, right: BorrowedScalar<'_>) -> bool {
    match (left, right) {
        (BorrowedScalar::Text(left), BorrowedScalar::Text(right)) => left == right,
        (BorrowedScalar::Null, BorrowedScalar::Null) => true,
        (BorrowedScalar::Bool(left), BorrowedScalar::Bool(right)) => left == right,
        _ => match (left.number(), right.number()) {
            (Some(left), Some(right)) => number::equal(left, right),
            _ => false,
        },
    }
}

/// CEL's order of scalars: an error unless both are numbers, strings or booleans. `Some(None)` if one is NaN.
#[inline]
#[expect(clippy::option_option, reason = "an error and being unordered are different things")]
pub(crate) fn order(left: BorrowedScalar<'_>, right: BorrowedScalar<'_>) -> Option<Option<Ordering>> {
    match (left, right) {
        (BorrowedScalar::Text(left), BorrowedScalar::Text(right)) => Some(Some(left.cmp(right))),
        (BorrowedScalar::Bool(left), BorrowedScalar::Bool(right)) => Some(Some(left.cmp(&right))),
        _ => Some(number::order(left.number()?, right.number()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::{BorrowedScalar, equal};

    #[test]
    fn canonical_numbers_are_the_same_exactly_if_they_are_equal() {
        let double = |value: f64| BorrowedScalar::Double(value.to_bits());
        let numbers = [
            BorrowedScalar::Int(0),
            double(0.0),
            double(-0.0),
            BorrowedScalar::Uint(0),
            BorrowedScalar::Int(1),
            BorrowedScalar::Uint(1),
            double(1.0),
            double(1.5),
            BorrowedScalar::Int(i64::MAX),
            double(9_223_372_036_854_775_808.0),
            BorrowedScalar::Uint(1 << 63),
            BorrowedScalar::Uint(u64::MAX),
            double(18_446_744_073_709_551_616.0),
            BorrowedScalar::Int((1 << 53) + 1),
            double(9_007_199_254_740_992.0),
            BorrowedScalar::Int(i64::MIN),
            double(-9_223_372_036_854_775_808.0),
            double(f64::INFINITY),
            double(1e300),
        ];
        for left in numbers {
            for right in numbers {
                let same = left.canonical() == right.canonical();
                assert_eq!(same, equal(left, right), "{left:?} {right:?}");
                assert_eq!(same, left.canonical().unwrap().arrange(right.canonical().unwrap()).is_eq());
            }
        }
        assert_eq!(double(f64::NAN).canonical(), None);
    }
}
