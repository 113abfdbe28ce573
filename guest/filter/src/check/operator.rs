//! Which types an operator can take.

use super::Shape;
use crate::ir::{Arithmetic, Comparison};
use crate::value::Type;

/// The shape of an arithmetic operation; `None` if it fails for every value of these shapes.
pub(crate) fn arithmetic(operator: Arithmetic, left: &Shape, right: &Shape) -> Option<Shape> {
    use Type::{Bytes, Double, Duration, Int, List, String, Timestamp, Uint};
    let possible = |left: Type, right: Type| -> Option<Type> {
        Some(match (operator, left, right) {
            (_, Int, Int) => Int,
            (_, Uint, Uint) => Uint,
            (Arithmetic::Remainder, ..) => return None,
            (_, Double, Double) => Double,
            (Arithmetic::Add, String, String) => String,
            (Arithmetic::Add, Bytes, Bytes) => Bytes,
            (Arithmetic::Add, List, List) => List,
            (Arithmetic::Add, Timestamp, Duration) | (Arithmetic::Add, Duration, Timestamp) => Timestamp,
            (Arithmetic::Add | Arithmetic::Subtract, Duration, Duration) => Duration,
            (Arithmetic::Subtract, Timestamp, Timestamp) => Duration,
            (Arithmetic::Subtract, Timestamp, Duration) => Timestamp,
            _ => return None,
        })
    };
    if (left, right) == (&Shape::Any, &Shape::Any) {
        return Some(Shape::Any);
    }
    if let (Shape::List(one), Shape::List(two)) = (left, right) {
        let element = Shape::common([(**one).clone(), (**two).clone()].into_iter());
        return (operator == Arithmetic::Add).then(|| Shape::List(Box::new(element)));
    }
    let mut found = None;
    for one in Type::ALL.into_iter().filter(|kind| left.may_be(*kind)) {
        for two in Type::ALL.into_iter().filter(|kind| right.may_be(*kind)) {
            if let Some(result) = possible(one, two) {
                let result =
                    if result == List { Shape::List(Box::new(Shape::Any)) } else { Shape::Is(result) };
                found = Some(match found {
                    None => result,
                    Some(before) => Shape::common([before, result].into_iter()),
                });
            }
        }
    }
    found
}

/// Whether a relation can hold or not hold, instead of failing or being decided already, for values of these shapes.
pub(crate) fn comparison(relation: Comparison, left: &Shape, right: &Shape) -> bool {
    if matches!(relation, Comparison::Equal | Comparison::NotEqual) {
        return left.may_equal(right);
    }
    let ordered = |kind: Type| {
        use Type::{Bool, Bytes, Double, Duration, Int, String, Timestamp, Uint};
        matches!(kind, Bool | Int | Uint | Double | String | Bytes | Timestamp | Duration)
    };
    match (left.kind(), right.kind()) {
        (Some(one), Some(two)) => ordered(one) && (one == two || (left.is_number() && right.is_number())),
        (Some(one), None) | (None, Some(one)) => ordered(one),
        (None, None) => true,
    }
}

/// Whether `item in container` can be true for values of these shapes.
pub(crate) fn membership(item: &Shape, container: &Shape) -> bool {
    match container {
        Shape::Any => true,
        Shape::List(_) | Shape::Map(..) => item.may_equal(&container.element()),
        Shape::Is(kind) => matches!(kind, Type::List | Type::Map),
        Shape::Optional(_) => false,
    }
}
