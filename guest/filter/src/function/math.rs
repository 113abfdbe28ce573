//! The functions of the math extension.

use super::Function;
use crate::failure::Failure;
use crate::value::number::{self, Number};
use crate::value::{Budget, Value};
use std::cmp::Ordering;

/// The functions of the math extension.
pub(super) fn math<'a>(
    function: Function,
    arguments: &[Value<'a>],
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    match (function, arguments) {
        (Function::Greatest | Function::Least, arguments) => {
            let numbers = if let [Value::List(list)] = arguments { &**list } else { arguments };
            budget.spend(numbers.len())?;
            extreme(numbers, if function == Function::Greatest { Ordering::Greater } else { Ordering::Less })
        }
        (_, [Value::Double(double)]) => of_double(function, *double),
        (_, [Value::Int(int)]) => match function {
            Function::Abs => int.checked_abs().map(Value::Int).ok_or(Failure::Overflow),
            Function::Sign => Ok(Value::Int(int.signum())),
            Function::BitNot => Ok(Value::Int(!int)),
            Function::Sqrt => Ok(Value::Double((*int as f64).sqrt())),
            _ => Err(Failure::NoOverload),
        },
        (_, [Value::Uint(uint)]) => match function {
            Function::Abs => Ok(Value::Uint(*uint)),
            Function::Sign => Ok(Value::Uint((*uint).min(1))),
            Function::BitNot => Ok(Value::Uint(!uint)),
            Function::Sqrt => Ok(Value::Double((*uint as f64).sqrt())),
            _ => Err(Failure::NoOverload),
        },
        (Function::BitShiftLeft | Function::BitShiftRight, [value, Value::Int(by)]) => {
            let by =
                u32::try_from(*by).map_err(|_| if *by < 0 { Failure::OutOfRange } else { Failure::Overflow });
            // Everything is shifted out by 64 bits and more.
            let by = match by {
                Err(Failure::Overflow) => 64,
                other => other?,
            };
            let shift = |bits: u64| {
                let shifted = if function == Function::BitShiftLeft {
                    bits.checked_shl(by)
                } else {
                    bits.checked_shr(by)
                };
                shifted.unwrap_or(0)
            };
            match value {
                // The sign is not kept: a shift to the right fills with zeros.
                Value::Int(int) => Ok(Value::Int(shift(int.cast_unsigned()).cast_signed())),
                Value::Uint(uint) => Ok(Value::Uint(shift(*uint))),
                _ => Err(Failure::NoOverload),
            }
        }
        (_, [Value::Int(left), Value::Int(right)]) => {
            bits(function, left.cast_unsigned(), right.cast_unsigned())
                .map(|bits| Value::Int(bits.cast_signed()))
        }
        (_, [Value::Uint(left), Value::Uint(right)]) => bits(function, *left, *right).map(Value::Uint),
        _ => Err(Failure::NoOverload),
    }
}

fn bits(function: Function, left: u64, right: u64) -> Result<u64, Failure> {
    match function {
        Function::BitAnd => Ok(left & right),
        Function::BitOr => Ok(left | right),
        Function::BitXor => Ok(left ^ right),
        _ => Err(Failure::NoOverload),
    }
}

fn of_double<'a>(function: Function, double: f64) -> Result<Value<'a>, Failure> {
    Ok(match function {
        Function::Ceil => Value::Double(double.ceil()),
        Function::Floor => Value::Double(double.floor()),
        // Halves go away from zero.
        Function::Round => Value::Double(double.round()),
        Function::Trunc => Value::Double(double.trunc()),
        Function::Abs => Value::Double(double.abs()),
        Function::Sign if double == 0.0 || double.is_nan() => Value::Double(double),
        Function::Sign => Value::Double(double.signum()),
        Function::Sqrt => Value::Double(double.sqrt()),
        Function::IsNan => Value::Bool(double.is_nan()),
        Function::IsInf => Value::Bool(double.is_infinite()),
        Function::IsFinite => Value::Bool(double.is_finite()),
        _ => return Err(Failure::NoOverload),
    })
}

/// The first of the numbers that no other one is beyond.
fn extreme<'a>(numbers: &[Value<'a>], wanted: Ordering) -> Result<Value<'a>, Failure> {
    let mut best: Option<(&Value<'a>, Number)> = None;
    for value in numbers {
        let number = value.number().ok_or(Failure::NoOverload)?;
        if best.is_none_or(|(_, best)| number::order(number, best) == Some(wanted)) {
            best = Some((value, number));
        }
    }
    best.map(|(value, _)| value.clone()).ok_or(Failure::NoOverload)
}
