//! Where a value is found in a request: `header:NAME`, `json:/pointer`, `query:NAME` and so on.

use std::fmt;

/// The place of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A header field, by lower-case name; the first of these names that is there.
    Header(Vec<String>),
    /// A value of the JSON body, by JSON pointer (RFC 6901).
    Json(String),
    /// A value of the current item of a JSON body whose items are signed one by one, by JSON pointer.
    Item(String),
    /// A parameter of the URL's query.
    Query(String),
    /// A field of a form body.
    Form(String),
    /// A parameter of the source's configuration.
    Parameter(String),
    /// The variant's identifier.
    Id,
    /// The variant's timestamp, as it was written.
    Timestamp,
    /// The method.
    Method,
    /// The URL, as the provider knows it.
    Url,
    /// The URL's path.
    Path,
    /// The URL's path and query.
    PathAndQuery,
    /// The body.
    Body,
    /// The secret's text.
    Secret,
}

impl Place {
    /// Reads a place as it is written in a definition.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (kind, argument) = match text.split_once(':') {
            Some((kind, argument)) => (kind, Some(argument)),
            None => (text, None),
        };
        if let Some(argument) = argument {
            if argument.is_empty() {
                return Err(format!("`{text}` names nothing"));
            }
            let argument = argument.to_owned();
            return match kind {
                "header" if !argument.split('|').all(is_field_name) => {
                    Err(format!("`{argument}` is no name of a header field"))
                }
                "header" => Ok(Self::Header(argument.split('|').map(str::to_ascii_lowercase).collect())),
                "json" | "item" if !argument.starts_with('/') => Err(format!(
                    "`{text}` has no JSON pointer, which begins with `/`; write `{kind}:/{}`",
                    argument.trim_start_matches("$.").replace('.', "/")
                )),
                "json" => Ok(Self::Json(argument)),
                "item" => Ok(Self::Item(argument)),
                "query" => Ok(Self::Query(argument)),
                "form" => Ok(Self::Form(argument)),
                "parameter" => Ok(Self::Parameter(argument)),
                _ => Err(format!(
                    "`{kind}:` is no place; places are `header:`, `json:`, `item:`, `query:`, `form:` and `parameter:`"
                )),
            };
        }
        match kind {
            "id" => Ok(Self::Id),
            "timestamp" => Ok(Self::Timestamp),
            "method" => Ok(Self::Method),
            "url" => Ok(Self::Url),
            "path" => Ok(Self::Path),
            "path-and-query" => Ok(Self::PathAndQuery),
            "body" => Ok(Self::Body),
            "secret" => Ok(Self::Secret),
            _ => Err(format!(
                "`{kind}` is no place; places are `id`, `timestamp`, `method`, `url`, `path`, `path-and-query`, \
                 `body`, `secret`, `header:NAME`, `json:/POINTER`, `query:NAME`, `form:NAME` and `parameter:NAME`"
            )),
        }
    }
}

/// RFC 9110: a field name is a token.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`~".contains(&byte))
}

impl fmt::Display for Place {
    /// The place as an operator reads it in an error.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(formatter, "header {}", names.join(" or "))
            }
            Self::Json(pointer) => write!(formatter, "`{pointer}` in the JSON body"),
            Self::Item(pointer) => write!(formatter, "`{pointer}` in an item of the JSON body"),
            Self::Query(name) => write!(formatter, "query parameter `{name}`"),
            Self::Form(name) => write!(formatter, "form field `{name}`"),
            Self::Parameter(name) => write!(formatter, "parameter `{name}` of the source"),
            Self::Id => formatter.write_str("identifier"),
            Self::Timestamp => formatter.write_str("timestamp"),
            Self::Method => formatter.write_str("method"),
            Self::Url => formatter.write_str("URL"),
            Self::Path => formatter.write_str("path of the URL"),
            Self::PathAndQuery => formatter.write_str("path and query of the URL"),
            Self::Body => formatter.write_str("body"),
            Self::Secret => formatter.write_str("secret"),
        }
    }
}
