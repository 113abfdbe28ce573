//! Arithmetic that fails instead of wrapping.

use crate::failure::Failure;
use crate::ir::Arithmetic;
use crate::value::{Budget, Duration, Timestamp, Value};

/// `-value`
pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(int) => int.checked_neg().map(Value::Int).ok_or(Failure::Overflow),
        Value::Double(double) => Ok(Value::Double(-double)),
        _ => Err(Failure::NoOverload),
    }
}

/// `left operator right`. Integers do not wrap, and nothing is converted: an int and a double do not add up.
pub(super) fn arithmetic<'a>(
    operator: Arithmetic,
    left: &Value<'a>,
    right: &Value<'a>,
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => {
            let (left, right) = (*left, *right);
            let result = match operator {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => left.checked_mul(right),
                Arithmetic::Divide | Arithmetic::Remainder if right == 0 => {
                    return Err(Failure::DivisionByZero);
                }
                Arithmetic::Divide => left.checked_div(right),
                Arithmetic::Remainder => left.checked_rem(right),
            };
            result.map(Value::Int).ok_or(Failure::Overflow)
        }
        (Value::Uint(left), Value::Uint(right)) => {
            let (left, right) = (*left, *right);
            let result = match operator {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => left.checked_mul(right),
                Arithmetic::Divide | Arithmetic::Remainder if right == 0 => {
                    return Err(Failure::DivisionByZero);
                }
                Arithmetic::Divide => left.checked_div(right),
                Arithmetic::Remainder => left.checked_rem(right),
            };
            result.map(Value::Uint).ok_or(Failure::Overflow)
        }
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(match operator {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => return Err(Failure::NoOverload),
        })),
        _ => match operator {
            Arithmetic::Add => add(left, right, budget),
            Arithmetic::Subtract => subtract(left, right),
            _ => Err(Failure::NoOverload),
        },
    }
}

fn add<'a>(left: &Value<'a>, right: &Value<'a>, budget: &mut Budget) -> Result<Value<'a>, Failure> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            budget.spend_bytes(left.len() + right.len())?;
            let mut joined = String::with_capacity(left.len() + right.len());
            joined.push_str(left);
            joined.push_str(right);
            Ok(Value::string(joined))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.spend_bytes(left.len() + right.len())?;
            Ok(Value::bytes([&**left, &**right].concat()))
        }
        (Value::List(left), Value::List(right)) => {
            budget.spend((left.len() + right.len()) / 4)?;
            Ok(Value::list(left.iter().chain(right.iter()).cloned().collect()))
        }
        (Value::Timestamp(timestamp), Value::Duration(duration))
        | (Value::Duration(duration), Value::Timestamp(timestamp)) => {
            shift(*timestamp, i128::from(duration.nanos())).map(Value::Timestamp)
        }
        (Value::Duration(left), Value::Duration(right)) => {
            let sum = left.nanos().checked_add(right.nanos()).ok_or(Failure::Overflow)?;
            Ok(Value::Duration(Duration::from_nanos(sum)))
        }
        _ => Err(Failure::NoOverload),
    }
}

fn subtract<'a>(left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>, Failure> {
    match (left, right) {
        (Value::Timestamp(left), Value::Timestamp(right)) => {
            let between = i64::try_from(nanos(*left) - nanos(*right)).map_err(|_| Failure::Overflow)?;
            Ok(Value::Duration(Duration::from_nanos(between)))
        }
        (Value::Timestamp(timestamp), Value::Duration(duration)) => {
            shift(*timestamp, -i128::from(duration.nanos())).map(Value::Timestamp)
        }
        (Value::Duration(left), Value::Duration(right)) => {
            let difference = left.nanos().checked_sub(right.nanos()).ok_or(Failure::Overflow)?;
            Ok(Value::Duration(Duration::from_nanos(difference)))
        }
        _ => Err(Failure::NoOverload),
    }
}

const SECOND: i128 = 1_000_000_000;

fn nanos(timestamp: Timestamp) -> i128 {
    i128::from(timestamp.seconds()) * SECOND + i128::from(timestamp.nanos())
}

fn shift(timestamp: Timestamp, by: i128) -> Result<Timestamp, Failure> {
    let total = nanos(timestamp) + by;
    let seconds = i64::try_from(total.div_euclid(SECOND)).map_err(|_| Failure::Overflow)?;
    let nanos = u32::try_from(total.rem_euclid(SECOND)).map_err(|_| Failure::Overflow)?;
    Timestamp::new(seconds, nanos).ok_or(Failure::Overflow)
}
