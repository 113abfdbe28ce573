//! All functions with the types that they take and give.

use crate::value::Type;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::LazyLock;

/// A function, by what it does. Its overloads are told apart by the types of the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "each is named like the function in the table below, which the book describes"
)]
pub enum Function {
    /// None that is known: calling it is an error.
    Unknown,
    Size,
    Type,
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    CharAt,
    IndexOf,
    LastIndexOf,
    Join,
    LowerAscii,
    UpperAscii,
    Replace,
    Split,
    Substring,
    Trim,
    Reverse,
    Format,
    Quote,
    Glob,
    Greatest,
    Least,
    Ceil,
    Floor,
    Round,
    Trunc,
    Abs,
    Sign,
    Sqrt,
    IsNan,
    IsInf,
    IsFinite,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    BitShiftLeft,
    BitShiftRight,
    Base64Encode,
    Base64Decode,
    OptionalOf,
    OptionalNone,
    OptionalOfNonZeroValue,
    OptionalUnwrap,
    HasValue,
    OptionalValue,
    Or,
    OrValue,
    Ip,
    Cidr,
    IsIp,
    IsCidr,
    IsCanonical,
    Family,
    IsUnspecified,
    IsLoopback,
    IsGlobalUnicast,
    IsLinkLocalMulticast,
    IsLinkLocalUnicast,
    ContainsIp,
    ContainsCidr,
    Masked,
    PrefixLength,
    CidrIp,
}

impl Function {
    /// Whether it gives a part of a timestamp, in a time zone if one is named.
    pub(crate) const fn is_of_time(self) -> bool {
        matches!(
            self,
            Self::FullYear
                | Self::Month
                | Self::DayOfYear
                | Self::DayOfMonth
                | Self::Date
                | Self::DayOfWeek
                | Self::Hours
                | Self::Minutes
                | Self::Seconds
                | Self::Milliseconds
        )
    }
}

/// What a parameter takes or a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// Anything.
    Any,
    /// Exactly this type.
    Is(Type),
    /// An int, uint or double.
    Number,
    /// An int or uint.
    Integer,
    /// A list of strings.
    Strings,
    /// The type of the first argument.
    First,
    /// What is in the optional that is the first argument.
    Inner,
    /// An optional of the first argument.
    Wrapped,
}

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) name: &'static str,
    /// Whether the first parameter stands before the dot.
    pub(crate) method: bool,
    pub(crate) function: Function,
    pub(crate) parameters: &'static [Parameter],
    /// Whether more arguments like the last parameter may follow.
    pub(crate) variadic: bool,
    pub(crate) result: Parameter,
}

/// Where the overloads of each name, as a method or not, start and end.
type Names = HashMap<(&'static str, bool), (usize, usize), FixedState>;

/// All overloads of a name.
pub(crate) fn overloads(name: &str, method: bool) -> &'static [Overload] {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let mut names = HashMap::default();
        for (at, overload) in OVERLOADS.iter().enumerate() {
            // Overloads of one name stand together.
            let (_, end) = names.entry((overload.name, overload.method)).or_insert((at, at));
            *end = at + 1;
        }
        names
    });
    NAMES.get(&(name, method)).and_then(|(start, end)| OVERLOADS.get(*start..*end)).unwrap_or_default()
}

/// Every name that can be called, for the hint under an unknown one.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, bool)> {
    OVERLOADS.iter().map(|overload| (overload.name, overload.method))
}

use Parameter::{Any, First, Inner, Integer, Number, Strings, Wrapped};

const BOOL: Parameter = Parameter::Is(Type::Bool);
const INT: Parameter = Parameter::Is(Type::Int);
const UINT: Parameter = Parameter::Is(Type::Uint);
const DOUBLE: Parameter = Parameter::Is(Type::Double);
const STRING: Parameter = Parameter::Is(Type::String);
const BYTES: Parameter = Parameter::Is(Type::Bytes);
const LIST: Parameter = Parameter::Is(Type::List);
const MAP: Parameter = Parameter::Is(Type::Map);
const TYPE: Parameter = Parameter::Is(Type::Type);
const TIMESTAMP: Parameter = Parameter::Is(Type::Timestamp);
const DURATION: Parameter = Parameter::Is(Type::Duration);
const OPTIONAL: Parameter = Parameter::Is(Type::Optional);
const ADDRESS: Parameter = Parameter::Is(Type::Address);
const NETWORK: Parameter = Parameter::Is(Type::Network);

const fn global(
    name: &'static str,
    function: Function,
    parameters: &'static [Parameter],
    result: Parameter,
) -> Overload {
    Overload { name, method: false, function, parameters, variadic: false, result }
}

const fn method(
    name: &'static str,
    function: Function,
    parameters: &'static [Parameter],
    result: Parameter,
) -> Overload {
    Overload { name, method: true, function, parameters, variadic: false, result }
}

const fn variadic(
    name: &'static str,
    function: Function,
    parameters: &'static [Parameter],
    result: Parameter,
) -> Overload {
    Overload { name, method: false, function, parameters, variadic: true, result }
}

#[rustfmt::skip]
static OVERLOADS: &[Overload] = &[
    method("contains", Function::Contains, &[STRING, STRING], BOOL),
    method("startsWith", Function::StartsWith, &[STRING, STRING], BOOL),
    method("endsWith", Function::EndsWith, &[STRING, STRING], BOOL),
    method("matches", Function::Matches, &[STRING, STRING], BOOL),
    global("matches", Function::Matches, &[STRING, STRING], BOOL),
    method("glob", Function::Glob, &[STRING, STRING], BOOL),
    global("size", Function::Size, &[STRING], INT),
    global("size", Function::Size, &[BYTES], INT),
    global("size", Function::Size, &[LIST], INT),
    global("size", Function::Size, &[MAP], INT),
    method("size", Function::Size, &[STRING], INT),
    method("size", Function::Size, &[BYTES], INT),
    method("size", Function::Size, &[LIST], INT),
    method("size", Function::Size, &[MAP], INT),
    global("type", Function::Type, &[Any], TYPE),
    global("dyn", Function::Dyn, &[Any], Any),
    global("bool", Function::Bool, &[BOOL], BOOL),
    global("bool", Function::Bool, &[STRING], BOOL),
    global("int", Function::Int, &[Number], INT),
    global("int", Function::Int, &[STRING], INT),
    global("int", Function::Int, &[TIMESTAMP], INT),
    global("int", Function::Int, &[DURATION], INT),
    global("uint", Function::Uint, &[Number], UINT),
    global("uint", Function::Uint, &[STRING], UINT),
    global("double", Function::Double, &[Number], DOUBLE),
    global("double", Function::Double, &[STRING], DOUBLE),
    global("string", Function::String, &[STRING], STRING),
    global("string", Function::String, &[Number], STRING),
    global("string", Function::String, &[BOOL], STRING),
    global("string", Function::String, &[BYTES], STRING),
    global("string", Function::String, &[TIMESTAMP], STRING),
    global("string", Function::String, &[DURATION], STRING),
    global("string", Function::String, &[ADDRESS], STRING),
    global("string", Function::String, &[NETWORK], STRING),
    global("bytes", Function::Bytes, &[BYTES], BYTES),
    global("bytes", Function::Bytes, &[STRING], BYTES),
    global("timestamp", Function::Timestamp, &[STRING], TIMESTAMP),
    global("timestamp", Function::Timestamp, &[INT], TIMESTAMP),
    global("timestamp", Function::Timestamp, &[TIMESTAMP], TIMESTAMP),
    global("duration", Function::Duration, &[STRING], DURATION),
    global("duration", Function::Duration, &[INT], DURATION),
    global("duration", Function::Duration, &[DURATION], DURATION),
    method("getFullYear", Function::FullYear, &[TIMESTAMP], INT),
    method("getFullYear", Function::FullYear, &[TIMESTAMP, STRING], INT),
    method("getMonth", Function::Month, &[TIMESTAMP], INT),
    method("getMonth", Function::Month, &[TIMESTAMP, STRING], INT),
    method("getDayOfYear", Function::DayOfYear, &[TIMESTAMP], INT),
    method("getDayOfYear", Function::DayOfYear, &[TIMESTAMP, STRING], INT),
    method("getDayOfMonth", Function::DayOfMonth, &[TIMESTAMP], INT),
    method("getDayOfMonth", Function::DayOfMonth, &[TIMESTAMP, STRING], INT),
    method("getDate", Function::Date, &[TIMESTAMP], INT),
    method("getDate", Function::Date, &[TIMESTAMP, STRING], INT),
    method("getDayOfWeek", Function::DayOfWeek, &[TIMESTAMP], INT),
    method("getDayOfWeek", Function::DayOfWeek, &[TIMESTAMP, STRING], INT),
    method("getHours", Function::Hours, &[TIMESTAMP], INT),
    method("getHours", Function::Hours, &[TIMESTAMP, STRING], INT),
    method("getHours", Function::Hours, &[DURATION], INT),
    method("getMinutes", Function::Minutes, &[TIMESTAMP], INT),
    method("getMinutes", Function::Minutes, &[TIMESTAMP, STRING], INT),
    method("getMinutes", Function::Minutes, &[DURATION], INT),
    method("getSeconds", Function::Seconds, &[TIMESTAMP], INT),
    method("getSeconds", Function::Seconds, &[TIMESTAMP, STRING], INT),
    method("getSeconds", Function::Seconds, &[DURATION], INT),
    method("getMilliseconds", Function::Milliseconds, &[TIMESTAMP], INT),
    method("getMilliseconds", Function::Milliseconds, &[TIMESTAMP, STRING], INT),
    method("getMilliseconds", Function::Milliseconds, &[DURATION], INT),
    method("charAt", Function::CharAt, &[STRING, INT], STRING),
    method("indexOf", Function::IndexOf, &[STRING, STRING], INT),
    method("indexOf", Function::IndexOf, &[STRING, STRING, INT], INT),
    method("lastIndexOf", Function::LastIndexOf, &[STRING, STRING], INT),
    method("lastIndexOf", Function::LastIndexOf, &[STRING, STRING, INT], INT),
    method("join", Function::Join, &[Strings], STRING),
    method("join", Function::Join, &[Strings, STRING], STRING),
    method("lowerAscii", Function::LowerAscii, &[STRING], STRING),
    method("upperAscii", Function::UpperAscii, &[STRING], STRING),
    method("replace", Function::Replace, &[STRING, STRING, STRING], STRING),
    method("replace", Function::Replace, &[STRING, STRING, STRING, INT], STRING),
    method("split", Function::Split, &[STRING, STRING], Strings),
    method("split", Function::Split, &[STRING, STRING, INT], Strings),
    method("substring", Function::Substring, &[STRING, INT], STRING),
    method("substring", Function::Substring, &[STRING, INT, INT], STRING),
    method("trim", Function::Trim, &[STRING], STRING),
    method("reverse", Function::Reverse, &[STRING], STRING),
    method("format", Function::Format, &[STRING, LIST], STRING),
    global("strings.quote", Function::Quote, &[STRING], STRING),
    variadic("math.greatest", Function::Greatest, &[Number], Any),
    global("math.greatest", Function::Greatest, &[LIST], Any),
    variadic("math.least", Function::Least, &[Number], Any),
    global("math.least", Function::Least, &[LIST], Any),
    global("math.ceil", Function::Ceil, &[DOUBLE], DOUBLE),
    global("math.floor", Function::Floor, &[DOUBLE], DOUBLE),
    global("math.round", Function::Round, &[DOUBLE], DOUBLE),
    global("math.trunc", Function::Trunc, &[DOUBLE], DOUBLE),
    global("math.abs", Function::Abs, &[Number], First),
    global("math.sign", Function::Sign, &[Number], First),
    global("math.sqrt", Function::Sqrt, &[Number], DOUBLE),
    global("math.isNaN", Function::IsNan, &[DOUBLE], BOOL),
    global("math.isInf", Function::IsInf, &[DOUBLE], BOOL),
    global("math.isFinite", Function::IsFinite, &[DOUBLE], BOOL),
    global("math.bitAnd", Function::BitAnd, &[INT, INT], INT),
    global("math.bitAnd", Function::BitAnd, &[UINT, UINT], UINT),
    global("math.bitOr", Function::BitOr, &[INT, INT], INT),
    global("math.bitOr", Function::BitOr, &[UINT, UINT], UINT),
    global("math.bitXor", Function::BitXor, &[INT, INT], INT),
    global("math.bitXor", Function::BitXor, &[UINT, UINT], UINT),
    global("math.bitNot", Function::BitNot, &[Integer], First),
    global("math.bitShiftLeft", Function::BitShiftLeft, &[Integer, INT], First),
    global("math.bitShiftRight", Function::BitShiftRight, &[Integer, INT], First),
    global("base64.encode", Function::Base64Encode, &[BYTES], STRING),
    global("base64.decode", Function::Base64Decode, &[STRING], BYTES),
    global("optional.of", Function::OptionalOf, &[Any], Wrapped),
    global("optional.none", Function::OptionalNone, &[], OPTIONAL),
    global("optional.ofNonZeroValue", Function::OptionalOfNonZeroValue, &[Any], Wrapped),
    global("optional.unwrap", Function::OptionalUnwrap, &[LIST], LIST),
    method("unwrapOpt", Function::OptionalUnwrap, &[LIST], LIST),
    method("hasValue", Function::HasValue, &[OPTIONAL], BOOL),
    method("value", Function::OptionalValue, &[OPTIONAL], Inner),
    method("or", Function::Or, &[OPTIONAL, OPTIONAL], OPTIONAL),
    method("orValue", Function::OrValue, &[OPTIONAL, Any], Any),
    global("ip", Function::Ip, &[STRING], ADDRESS),
    global("ip", Function::Ip, &[ADDRESS], ADDRESS),
    global("cidr", Function::Cidr, &[STRING], NETWORK),
    global("cidr", Function::Cidr, &[NETWORK], NETWORK),
    global("isIP", Function::IsIp, &[STRING], BOOL),
    global("isCIDR", Function::IsCidr, &[STRING], BOOL),
    global("ip.isCanonical", Function::IsCanonical, &[STRING], BOOL),
    method("family", Function::Family, &[ADDRESS], INT),
    method("isUnspecified", Function::IsUnspecified, &[ADDRESS], BOOL),
    method("isLoopback", Function::IsLoopback, &[ADDRESS], BOOL),
    method("isGlobalUnicast", Function::IsGlobalUnicast, &[ADDRESS], BOOL),
    method("isLinkLocalMulticast", Function::IsLinkLocalMulticast, &[ADDRESS], BOOL),
    method("isLinkLocalUnicast", Function::IsLinkLocalUnicast, &[ADDRESS], BOOL),
    method("containsIP", Function::ContainsIp, &[NETWORK, ADDRESS], BOOL),
    method("containsIP", Function::ContainsIp, &[NETWORK, STRING], BOOL),
    method("containsCIDR", Function::ContainsCidr, &[NETWORK, NETWORK], BOOL),
    method("containsCIDR", Function::ContainsCidr, &[NETWORK, STRING], BOOL),
    method("ip", Function::CidrIp, &[NETWORK], ADDRESS),
    method("masked", Function::Masked, &[NETWORK], NETWORK),
    method("prefixLength", Function::PrefixLength, &[NETWORK], INT),
];

#[cfg(test)]
mod tests {
    use super::{OVERLOADS, overloads};

    #[test]
    fn the_overloads_of_a_name_stand_together() {
        for overload in OVERLOADS {
            let found = overloads(overload.name, overload.method);
            assert!(found.iter().all(|other| other.name == overload.name && other.method == overload.method));
            assert!(found.iter().all(|other| other.function == overload.function), "{}", overload.name);
        }
        assert!(overloads("startsWith", false).is_empty());
    }
}
