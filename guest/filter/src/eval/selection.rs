//! Membership, indexes and fields of values.

use crate::failure::Failure;
use crate::value::number;
use crate::value::{Budget, List, Value, equal};

/// `item in container`.
pub(super) fn contains(
    item: &Value<'_>,
    container: &Value<'_>,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    match container {
        Value::List(list) => {
            budget.spend(list.len() / 8)?;
            for element in list.iter() {
                if equal(item, element, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        // What cannot be a key is not one.
        Value::Map(map) => Ok(item.sought().is_some_and(|key| map.get(&key).is_some())),
        _ => Err(Failure::NoOverload),
    }
}

fn position(list: &List<'_>, index: &Value<'_>) -> Result<usize, Failure> {
    let position = match index {
        Value::Int(int) => usize::try_from(*int).ok(),
        Value::Uint(uint) => usize::try_from(*uint).ok(),
        Value::Double(double) => number::to_int(*double).and_then(|int| usize::try_from(int).ok()),
        _ => return Err(Failure::NoOverload),
    };
    position.filter(|position| *position < list.len()).ok_or(Failure::BadIndex)
}

/// `target[index]`; of an optional, an optional.
pub(super) fn index<'a>(target: &Value<'a>, index: &Value<'_>) -> Result<Value<'a>, Failure> {
    match target {
        Value::List(list) => {
            let position = position(list, index)?;
            list.get(position).cloned().ok_or(Failure::BadIndex)
        }
        Value::Map(map) => {
            let key = index.sought().ok_or(Failure::NoSuchKey)?;
            map.get(&key).cloned().ok_or(Failure::NoSuchKey)
        }
        Value::Optional(_) => optional(target, index),
        _ => Err(Failure::NotMap),
    }
}

/// `target[?index]`: none, if the list or map has it not.
pub(super) fn optional<'a>(target: &Value<'a>, at: &Value<'_>) -> Result<Value<'a>, Failure> {
    let target = match target {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => inner,
        other => other,
    };
    if matches!(target, Value::Optional(_)) {
        return Err(Failure::NoOverload);
    }
    match index(target, at) {
        Ok(value) => Ok(Value::Optional(Some(value.into()))),
        Err(Failure::NoSuchKey | Failure::BadIndex) => Ok(Value::Optional(None)),
        Err(other) => Err(other),
    }
}

/// `target.field`; of an optional, an optional.
pub(super) fn field<'a>(target: &Value<'a>, name: &str) -> Result<Value<'a>, Failure> {
    match target {
        Value::Map(map) => map.field(name).cloned().ok_or(Failure::NoSuchKey),
        Value::Optional(_) => optional_field(target, &Value::str(name)),
        _ => Err(Failure::NotMap),
    }
}

/// `target.?field`: like `target[?"field"]`, but not of a list.
pub(super) fn optional_field<'a>(target: &Value<'a>, name: &Value<'_>) -> Result<Value<'a>, Failure> {
    match target {
        Value::Optional(Some(inner)) if !matches!(**inner, Value::Map(_)) => Err(Failure::NotMap),
        Value::Map(_) | Value::Optional(_) => optional(target, name),
        _ => Err(Failure::NotMap),
    }
}

/// `has(target.field)`.
pub(super) fn has(target: &Value<'_>, name: &str) -> Result<bool, Failure> {
    match target {
        Value::Map(map) => Ok(map.field(name).is_some()),
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(inner)) if !matches!(**inner, Value::Optional(_)) => has(inner, name),
        _ => Err(Failure::NotMap),
    }
}
