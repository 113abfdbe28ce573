//! Types as values.

/// The type of a value, which is itself a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint`
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `list`
    List,
    /// `map`
    Map,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `google.protobuf.Duration`
    Duration,
    /// `type`
    Type,
    /// `optional_type`
    Optional,
    /// `net.IP`
    Address,
    /// `net.CIDR`
    Network,
}

impl Type {
    /// Every type.
    pub const ALL: [Self; 15] = [
        Self::Null,
        Self::Bool,
        Self::Int,
        Self::Uint,
        Self::Double,
        Self::String,
        Self::Bytes,
        Self::List,
        Self::Map,
        Self::Timestamp,
        Self::Duration,
        Self::Type,
        Self::Optional,
        Self::Address,
        Self::Network,
    ];

    /// The name by which an expression refers to the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::List => "list",
            Self::Map => "map",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::Duration => "google.protobuf.Duration",
            Self::Type => "type",
            Self::Optional => "optional_type",
            Self::Address => "net.IP",
            Self::Network => "net.CIDR",
        }
    }
}
