//! Conversions between types.

use super::{Function, time};
use crate::failure::Failure;
use crate::value::{Duration, Timestamp, Value};

/// Converts a value to the type that the function is named after.
pub(super) fn convert<'a>(function: Function, value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match function {
        Function::Bool => to_bool(value).map(Value::Bool),
        Function::Int => to_int(value).map(Value::Int),
        Function::Uint => to_uint(value).map(Value::Uint),
        Function::Double => to_double(value).map(Value::Double),
        Function::String => to_string(value),
        Function::Bytes => match value {
            Value::Bytes(_) => Ok(value.clone()),
            Value::String(text) => Ok(Value::bytes(text.as_bytes())),
            _ => Err(Failure::NoOverload),
        },
        Function::Timestamp => match value {
            Value::Timestamp(_) => Ok(value.clone()),
            Value::Int(seconds) => {
                Timestamp::new(*seconds, 0).map(Value::Timestamp).ok_or(Failure::OutOfRange)
            }
            Value::String(text) => time::parse_timestamp(text).map(Value::Timestamp),
            _ => Err(Failure::NoOverload),
        },
        Function::Duration => match value {
            Value::Duration(_) => Ok(value.clone()),
            Value::Int(nanos) => Ok(Value::Duration(Duration::from_nanos(*nanos))),
            Value::String(text) => time::parse_duration(text).map(Value::Duration),
            _ => Err(Failure::NoOverload),
        },
        _ => Err(Failure::NoOverload),
    }
}

fn to_bool(value: &Value<'_>) -> Result<bool, Failure> {
    match value {
        Value::Bool(bool) => Ok(*bool),
        Value::String(text) => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(Failure::BadText),
        },
        _ => Err(Failure::NoOverload),
    }
}

fn to_int(value: &Value<'_>) -> Result<i64, Failure> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Int(int) => Ok(*int),
        Value::Uint(uint) => i64::try_from(*uint).map_err(|_| Failure::OutOfRange),
        // Both ends are excluded, as the conformance suite has it: they stand for many integers.
        Value::Double(double) if *double > -LIMIT && *double < LIMIT => Ok(*double as i64),
        Value::Double(_) => Err(Failure::OutOfRange),
        Value::String(text) => text.parse().map_err(|_| Failure::BadText),
        Value::Timestamp(timestamp) => Ok(timestamp.seconds()),
        Value::Duration(duration) => Ok(duration.nanos()),
        _ => Err(Failure::NoOverload),
    }
}

fn to_uint(value: &Value<'_>) -> Result<u64, Failure> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    match value {
        Value::Int(int) => u64::try_from(*int).map_err(|_| Failure::OutOfRange),
        Value::Uint(uint) => Ok(*uint),
        Value::Double(double) if *double >= 0.0 && *double < LIMIT => Ok(*double as u64),
        Value::Double(_) => Err(Failure::OutOfRange),
        Value::String(text) if !text.starts_with('+') => text.parse().map_err(|_| Failure::BadText),
        Value::String(_) => Err(Failure::BadText),
        _ => Err(Failure::NoOverload),
    }
}

fn to_double(value: &Value<'_>) -> Result<f64, Failure> {
    match value {
        Value::Int(int) => Ok(*int as f64),
        Value::Uint(uint) => Ok(*uint as f64),
        Value::Double(double) => Ok(*double),
        Value::String(text) => text.parse().map_err(|_| Failure::BadText),
        _ => Err(Failure::NoOverload),
    }
}

pub(crate) fn to_string<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    Ok(Value::string(match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Uint(uint) => uint.to_string(),
        Value::Double(number) => double(*number),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| Failure::NotUtf8)?,
        Value::Timestamp(timestamp) => time::write_timestamp(*timestamp),
        Value::Duration(duration) => time::write_duration(*duration),
        Value::Address(address) => address.get().to_string(),
        Value::Network(network) => format!("{}/{}", network.address(), network.prefix()),
        _ => return Err(Failure::NoOverload),
    }))
}

/// The fewest decimal digits that read back as the same double, without an exponent.
pub(crate) fn double(double: f64) -> String {
    if double.is_infinite() {
        return String::from(if double > 0.0 { "Infinity" } else { "-Infinity" });
    }
    double.to_string()
}
