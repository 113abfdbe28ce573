//! Tests of a single path, answered from what was found in the event without making values of it.

use super::event_view::EventView;
use super::scalar::{BorrowedScalar, Scalar, equal, order};
use crate::ir::Comparison;
use crate::json::{NodeId, Raw};
use std::cmp::Ordering;

/// The value of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    /// An error, or a value that is not a bool.
    Error,
}

impl From<bool> for Truth {
    #[inline]
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    #[inline]
    pub(crate) const fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            Self::Error => Self::Error,
        }
    }
}

/// What is asked of a path's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// Its relation to a constant, which stands on the right.
    Compare(Comparison, Scalar),
    /// Whether it is one of these, which are in canonical form and sorted.
    In(Box<[Scalar]>),
    /// `startsWith`
    Prefix(Box<str>),
    /// `endsWith`
    Suffix(Box<str>),
    /// `contains`
    Contains(Box<str>),
    /// Whether it is there, by `has()`.
    Has,
    /// The value itself, which should be a bool.
    Truth,
}

impl Test {
    /// The answer for an event.
    #[inline]
    pub(crate) fn answer(&self, path: NodeId, view: &EventView<'_>) -> Truth {
        let raw = view.raw(path);
        if raw == Raw::Absent {
            return if *self == Self::Has { view.has_absent(path) } else { Truth::Error };
        }
        match self {
            Self::Compare(relation, constant) => compare(*relation, raw, constant, view),
            Self::In(constants) => {
                if raw == Raw::Overflow {
                    return Truth::Error;
                }
                let Some(seen) = view.seen(raw).and_then(BorrowedScalar::canonical) else {
                    return Truth::False;
                };
                constants.binary_search_by(|constant| constant.seen().arrange(seen)).is_ok().into()
            }
            Self::Prefix(part) => text(raw, view, |text| text.starts_with(&**part)),
            Self::Suffix(part) => text(raw, view, |text| text.ends_with(&**part)),
            Self::Contains(part) => text(raw, view, |text| text.contains(&**part)),
            Self::Has => Truth::True,
            Self::Truth => match raw {
                Raw::Bool(value) => value.into(),
                _ => Truth::Error,
            },
        }
    }

    /// Steps of the budget that answering takes at most, apart from the length of a string that is searched.
    pub(crate) fn searches(&self) -> bool {
        matches!(self, Self::Contains(_))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::Compare(_, constant) => constant.heap_size(),
            Self::In(constants) => {
                constants.iter().map(|constant| size_of::<Scalar>() + constant.heap_size()).sum()
            }
            Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text) => text.len(),
            Self::Has | Self::Truth => 0,
        }
    }
}

#[inline]
fn text(raw: Raw, view: &EventView<'_>, test: impl FnOnce(&str) -> bool) -> Truth {
    match raw {
        Raw::Plain(..) | Raw::Decoded(..) => match view.text(raw) {
            Some(text) => test(text).into(),
            None => Truth::Error,
        },
        _ => Truth::Error,
    }
}

#[inline]
fn compare(relation: Comparison, raw: Raw, constant: &Scalar, view: &EventView<'_>) -> Truth {
    // The commonest of all.
    if let (Raw::Int(value), Scalar::Int(constant)) = (raw, constant) {
        return holds(relation, Some(value.cmp(constant))).into();
    }
    if raw == Raw::Overflow {
        return Truth::Error;
    }
    let seen = view.seen(raw);
    match relation {
        Comparison::Equal => seen.is_some_and(|seen| equal(seen, constant.seen())).into(),
        Comparison::NotEqual => (!seen.is_some_and(|seen| equal(seen, constant.seen()))).into(),
        _ => match seen.and_then(|seen| order(seen, constant.seen())) {
            Some(ordering) => holds(relation, ordering).into(),
            None => Truth::Error,
        },
    }
}

#[inline(always)]
pub(super) fn holds(relation: Comparison, ordering: Option<Ordering>) -> bool {
    match relation {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    }
}
