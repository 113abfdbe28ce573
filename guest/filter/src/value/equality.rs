//! Equality of values, which is paid for: two large lists compare no longer than the budget lasts.

use super::number::{self, Number};
use super::{Key, Value};

/// A bound on work, counted down while evaluating.
#[derive(Debug)]
pub struct Budget(u32);

/// The budget of work is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of so many steps.
    #[must_use]
    pub const fn new(steps: u32) -> Self {
        Self(steps)
    }

    /// Takes steps out of the budget.
    ///
    /// # Errors
    /// So many are not left. The budget is then empty.
    #[inline]
    pub fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.0.checked_sub(steps));
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Exhausted)
    }

    /// Takes steps for reading or making so many bytes.
    ///
    /// # Errors
    /// So many are not left.
    #[inline]
    pub fn spend_bytes(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(bytes / 64)
    }

    /// How many steps are left.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.0
    }
}

/// CEL's equality: numbers by value, containers element by element, and values of different types are unequal, never an error.
///
/// # Errors
/// The containers are larger than the budget.
pub fn equal(left: &Value<'_>, right: &Value<'_>, budget: &mut Budget) -> Result<bool, Exhausted> {
    if let (Some(left), Some(right)) = (left.number(), right.number()) {
        return Ok(number::equal(left, right));
    }
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => **left == **right,
        (Value::Bytes(left), Value::Bytes(right)) => **left == **right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Type(left), Value::Type(right)) => left == right,
        (Value::Address(left), Value::Address(right)) => left == right,
        (Value::Network(left), Value::Network(right)) => left == right,
        (Value::Optional(None), Value::Optional(None)) => true,
        (Value::Optional(Some(left)), Value::Optional(Some(right))) => {
            budget.spend(1)?;
            equal(left, right, budget)?
        }
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                budget.spend(1)?;
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, left) in left.entries() {
                budget.spend(1)?;
                match right.get(key) {
                    Some(right) if equal(left, right, budget)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

impl Value<'_> {
    /// The number, if this is one.
    #[must_use]
    #[inline]
    pub const fn number(&self) -> Option<Number> {
        match self {
            Self::Int(int) => Some(Number::Int(*int)),
            Self::Uint(uint) => Some(Number::Uint(*uint)),
            Self::Double(double) => Some(Number::Double(*double)),
            _ => None,
        }
    }

    /// The key that a lookup by this value means, if it can be one.
    #[must_use]
    pub fn sought(&self) -> Option<Key<'_>> {
        Key::sought(self)
    }
}
