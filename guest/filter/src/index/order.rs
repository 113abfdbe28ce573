//! Numbers as unsigned integers in the same order, so that ranges of them can be filed.

use super::scalar::BorrowedScalar;

/// The place of a number among all doubles. Numbers that a double cannot hold exactly share the place of the nearest, so that
/// `a <= b` implies `place(a) <= place(b)`, but not the other way round. `None` for what is not a number, and for NaN.
#[inline]
pub(crate) fn place(number: BorrowedScalar<'_>) -> Option<u64> {
    #[expect(clippy::cast_precision_loss, reason = "rounding keeps the order")]
    let double = match number {
        BorrowedScalar::Int(value) => value as f64,
        BorrowedScalar::Uint(value) => value as f64,
        BorrowedScalar::Double(bits) => f64::from_bits(bits),
        _ => return None,
    };
    if double.is_nan() {
        return None;
    }
    // Adding zero makes 0.0 of -0.0.
    let bits = (double + 0.0).to_bits();
    Some(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits })
}

/// The one or two cells that cover the range from `low` to `high`: cells of one size, the smallest that need no more than two.
/// A cell is its size as a power of two, and its number among those of its size.
pub(crate) fn cells(low: u64, high: u64) -> [(u8, u64); 2] {
    let mut size = 0;
    while size < 63 && (high >> size) - (low >> size) > 1 {
        size += 1;
    }
    [(size, low >> size), (size, high >> size)]
}

#[cfg(test)]
mod tests {
    use super::{cells, place};
    use crate::index::scalar::BorrowedScalar;
    use crate::value::number;
    use std::cmp::Ordering;

    #[test]
    fn places_keep_the_order() {
        let double = |value: f64| BorrowedScalar::Double(value.to_bits());
        let ascending = [
            double(f64::NEG_INFINITY),
            BorrowedScalar::Int(i64::MIN),
            double(-1e10),
            BorrowedScalar::Int(-2),
            double(-1.5),
            BorrowedScalar::Int(-1),
            double(-1e-300),
            double(-0.0),
            BorrowedScalar::Int(0),
            double(1e-300),
            BorrowedScalar::Int(1),
            BorrowedScalar::Uint(2),
            double(2.5),
            BorrowedScalar::Int((1 << 53) + 1),
            BorrowedScalar::Int(i64::MAX),
            BorrowedScalar::Uint(1 << 63),
            BorrowedScalar::Uint(u64::MAX),
            double(1e300),
        ];
        for pair in ascending.windows(2) {
            assert!(place(pair[0]) <= place(pair[1]), "{pair:?}");
        }
        assert_eq!(place(double(-0.0)), place(BorrowedScalar::Int(0)));
        assert!(place(BorrowedScalar::Int(-1)) < place(double(-0.5)));
        assert_eq!(place(BorrowedScalar::Text("1")), None);
    }

    #[test]
    fn places_agree_with_the_order_of_the_language_also_where_that_rounds() {
        let double = |value: f64| BorrowedScalar::Double(value.to_bits());
        let mut numbers = vec![double(f64::INFINITY), double(f64::NEG_INFINITY), double(1e300), double(-0.0)];
        for power in [0, 1, 31, 52, 53, 54, 62, 63] {
            for near in [-1025, -513, -2, -1, 0, 1, 2, 513, 1025] {
                let exact = (1_i128 << power) + near;
                numbers.push(double(exact as f64));
                numbers.push(double(-exact as f64));
                numbers.extend(i64::try_from(exact).map(BorrowedScalar::Int));
                numbers.extend(i64::try_from(-exact).map(BorrowedScalar::Int));
                numbers.extend(u64::try_from(exact).map(BorrowedScalar::Uint));
            }
        }
        numbers.extend((0..3000).step_by(499).map(|below| BorrowedScalar::Uint(u64::MAX - below)));
        numbers.extend(
            (0..3).map(|below| double(f64::from_bits(18_446_744_073_709_551_616_f64.to_bits() - below))),
        );
        for left in &numbers {
            for right in &numbers {
                let order = number::order(left.number().unwrap(), right.number().unwrap()).unwrap();
                let places = place(*left).cmp(&place(*right));
                assert!(
                    places == order || places == Ordering::Equal,
                    "{left:?} {right:?}: {order:?}, {places:?}"
                );
            }
        }
    }

    #[test]
    fn cells_cover_their_range() {
        let range = [0, 1, 5, 1 << 20, (1 << 20) + 1, 1 << 63, (1 << 63) + 7, u64::MAX - 1, u64::MAX];
        for low in range {
            for high in range.into_iter().filter(|high| *high >= low) {
                let cells = cells(low, high);
                for value in range.into_iter().filter(|value| (low..=high).contains(value)) {
                    assert!(cells.iter().any(|(size, cell)| value >> size == *cell), "{low} {high} {value}");
                }
            }
        }
    }
}
