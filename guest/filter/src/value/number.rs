//! Numbers of different types on one number line.
//!
//! Equality is exact: an int and a double are equal if and only if they are the same number, also beyond 2^53. -0.0 is 0, NaN is
//! unequal to everything.
//!
//! Ordering is exact as well, with one exception that CEL's conformance suite demands: the double 2^63 is neither greater nor less than
//! the largest int, and the double 2^64 neither greater nor less than the largest uint (they are still not equal).

use std::cmp::Ordering;

const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// A number of any type.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double.
    Double(f64),
}

/// Whether two numbers are the same number.
#[must_use]
pub fn equal(left: Number, right: Number) -> bool {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => left == right,
        (Number::Uint(left), Number::Uint(right)) => left == right,
        (Number::Double(left), Number::Double(right)) => left == right,
        (Number::Int(int), Number::Uint(uint)) | (Number::Uint(uint), Number::Int(int)) => {
            u64::try_from(int) == Ok(uint)
        }
        (Number::Int(int), Number::Double(double)) | (Number::Double(double), Number::Int(int)) => {
            exact(i128::from(int), double) == Some(Ordering::Equal)
        }
        (Number::Uint(uint), Number::Double(double)) | (Number::Double(double), Number::Uint(uint)) => {
            exact(i128::from(uint), double) == Some(Ordering::Equal)
        }
    }
}

/// The order of two numbers; `None` if one of them is NaN.
#[must_use]
pub fn order(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(&right)),
        (Number::Uint(left), Number::Uint(right)) => Some(left.cmp(&right)),
        (Number::Double(left), Number::Double(right)) => left.partial_cmp(&right),
        (Number::Int(left), Number::Uint(right)) => Some(i128::from(left).cmp(&i128::from(right))),
        (Number::Uint(left), Number::Int(right)) => Some(i128::from(left).cmp(&i128::from(right))),
        (Number::Int(left), Number::Double(right)) => order_int(left, right),
        (Number::Double(left), Number::Int(right)) => order_int(right, left).map(Ordering::reverse),
        (Number::Uint(left), Number::Double(right)) => order_uint(left, right),
        (Number::Double(left), Number::Uint(right)) => order_uint(right, left).map(Ordering::reverse),
    }
}

fn order_int(int: i64, double: f64) -> Option<Ordering> {
    if int == i64::MAX && double == TWO_63 {
        return Some(Ordering::Equal);
    }
    exact(i128::from(int), double)
}

fn order_uint(uint: u64, double: f64) -> Option<Ordering> {
    if uint == u64::MAX && double == TWO_64 {
        return Some(Ordering::Equal);
    }
    exact(i128::from(uint), double)
}

/// Compares an integer of 65 bits with a double without rounding either.
fn exact(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // `as` saturates, and every saturated value is far beyond 65 bits.
    let whole = double as i128;
    Some(integer.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Less)))
}

/// The int with this exact value, if there is one.
#[must_use]
pub fn to_int(double: f64) -> Option<i64> {
    (double.fract() == 0.0 && (-TWO_63..TWO_63).contains(&double)).then_some(double as i64)
}

/// The uint with this exact value, if there is one.
#[must_use]
pub fn to_uint(double: f64) -> Option<u64> {
    (double.fract() == 0.0 && (0.0..TWO_64).contains(&double)).then_some(double as u64)
}

#[cfg(test)]
mod tests {
    use super::{Number, equal, order};
    use std::cmp::Ordering;

    #[test]
    fn equality_is_exact_beyond_two_to_the_53() {
        assert!(!equal(Number::Int(9_007_199_254_740_993), Number::Double(9_007_199_254_740_992.0)));
        assert!(equal(Number::Int(9_007_199_254_740_992), Number::Double(9_007_199_254_740_992.0)));
        assert!(!equal(Number::Int(i64::MAX), Number::Double(9_223_372_036_854_775_808.0)));
        assert!(equal(Number::Uint(1 << 63), Number::Double(9_223_372_036_854_775_808.0)));
        assert!(!equal(Number::Uint(u64::MAX), Number::Double(18_446_744_073_709_551_616.0)));
    }

    #[test]
    fn minus_zero_is_zero_and_nan_is_nothing() {
        assert!(equal(Number::Int(0), Number::Double(-0.0)));
        assert!(equal(Number::Double(0.0), Number::Double(-0.0)));
        assert!(!equal(Number::Double(f64::NAN), Number::Double(f64::NAN)));
        assert_eq!(order(Number::Int(1), Number::Double(f64::NAN)), None);
    }

    #[test]
    fn order_sees_fractions_on_both_sides_of_zero() {
        assert_eq!(order(Number::Int(1), Number::Double(1.5)), Some(Ordering::Less));
        assert_eq!(order(Number::Int(-1), Number::Double(-1.5)), Some(Ordering::Greater));
        assert_eq!(order(Number::Int(0), Number::Double(-0.5)), Some(Ordering::Greater));
        assert_eq!(order(Number::Double(f64::INFINITY), Number::Uint(u64::MAX)), Some(Ordering::Greater));
        assert_eq!(order(Number::Double(f64::NEG_INFINITY), Number::Int(i64::MIN)), Some(Ordering::Less));
    }

    #[test]
    fn the_ends_of_the_integers_touch_the_next_double() {
        assert_eq!(
            order(Number::Int(i64::MAX), Number::Double(9_223_372_036_854_775_808.0)),
            Some(Ordering::Equal)
        );
        assert_eq!(
            order(Number::Int(i64::MAX - 1), Number::Double(9_223_372_036_854_775_808.0)),
            Some(Ordering::Less)
        );
    }
}
