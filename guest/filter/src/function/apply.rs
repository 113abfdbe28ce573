//! Calling a function on values.

use super::{Function, convert, encoding, format, glob, math, network, optional, pattern, text, time};
use crate::failure::Failure;
use crate::value::{Budget, Text, Value};

/// Calls a function.
///
/// # Errors
/// The arguments have no such overload, or it fails for them.
pub(crate) fn apply<'a>(
    function: Function,
    arguments: &[Value<'a>],
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    use Function as F;
    match function {
        F::Unknown => Err(Failure::UnknownFunction),
        F::Contains | F::StartsWith | F::EndsWith | F::Matches | F::Glob => {
            let [Value::String(subject), Value::String(part)] = arguments else {
                return Err(Failure::NoOverload);
            };
            test(function, subject, part, budget).map(Value::Bool)
        }
        F::Size => size(arguments),
        F::Type => one(arguments).map(|value| Value::Type(value.kind())),
        F::Dyn => one(arguments).cloned(),
        F::Bool | F::Int | F::Uint | F::Double | F::String | F::Bytes | F::Timestamp | F::Duration => {
            convert::convert(function, one(arguments)?)
        }
        F::FullYear
        | F::Month
        | F::DayOfYear
        | F::DayOfMonth
        | F::Date
        | F::DayOfWeek
        | F::Hours
        | F::Minutes
        | F::Seconds
        | F::Milliseconds => time::field(function, arguments).map(Value::Int),
        F::Format => format::format(arguments, budget),
        F::CharAt
        | F::IndexOf
        | F::LastIndexOf
        | F::Join
        | F::LowerAscii
        | F::UpperAscii
        | F::Replace
        | F::Split
        | F::Substring
        | F::Trim
        | F::Reverse
        | F::Quote => text::text(function, arguments, budget),
        F::Greatest
        | F::Least
        | F::Ceil
        | F::Floor
        | F::Round
        | F::Trunc
        | F::Abs
        | F::Sign
        | F::Sqrt
        | F::IsNan
        | F::IsInf
        | F::IsFinite
        | F::BitAnd
        | F::BitOr
        | F::BitXor
        | F::BitNot
        | F::BitShiftLeft
        | F::BitShiftRight => math::math(function, arguments, budget),
        F::Base64Encode | F::Base64Decode => encoding::base64(function, one(arguments)?, budget),
        F::OptionalOf
        | F::OptionalNone
        | F::OptionalOfNonZeroValue
        | F::OptionalUnwrap
        | F::HasValue
        | F::OptionalValue
        | F::Or
        | F::OrValue => optional::optional(function, arguments),
        F::Ip
        | F::Cidr
        | F::IsIp
        | F::IsCidr
        | F::IsCanonical
        | F::Family
        | F::IsUnspecified
        | F::IsLoopback
        | F::IsGlobalUnicast
        | F::IsLinkLocalMulticast
        | F::IsLinkLocalUnicast
        | F::ContainsIp
        | F::ContainsCidr
        | F::Masked
        | F::PrefixLength
        | F::CidrIp => network::network(function, arguments),
    }
}

/// A function of constants, evaluated when the expression is compiled; `None` if it fails then, which it will again when evaluated.
pub(crate) fn constant(function: Function, arguments: &[Value<'static>]) -> Option<Value<'static>> {
    let mut budget = Budget::new(1000);
    apply(function, arguments, &mut budget).ok()
}

fn one<'v, 'a>(arguments: &'v [Value<'a>]) -> Result<&'v Value<'a>, Failure> {
    if let [only] = arguments { Ok(only) } else { Err(Failure::NoOverload) }
}

fn size<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, Failure> {
    let size = match one(arguments)? {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Failure::NoOverload),
    };
    i64::try_from(size).map(Value::Int).map_err(|_| Failure::Overflow)
}

/// The functions that look for one text in another; an index asks them as well.
fn test(
    function: Function,
    subject: &Text<'_>,
    part: &Text<'_>,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    budget.spend_bytes(subject.len())?;
    match function {
        Function::Contains => Ok(subject.contains(&**part)),
        Function::StartsWith => Ok(subject.starts_with(&**part)),
        Function::EndsWith => Ok(subject.ends_with(&**part)),
        Function::Glob => glob::glob(subject, part, budget),
        _ => pattern::is_match(subject, part, budget),
    }
}
