//! What people mean who know other languages.

use crate::function::names;

/// Functions and methods of other languages, with what there is here.
static FUNCTIONS: &[(&[&str], &str)] = &[
    (&["tolowercase", "tolower", "lower", "lowercase", "downcase"], "x.lowerAscii()"),
    (&["touppercase", "toupper", "upper", "uppercase", "upcase"], "x.upperAscii()"),
    (&["length", "len", "count", "strlen", "char_length"], "size(x)"),
    (
        &["includes", "has_substring", "like", "ilike"],
        "x.contains(y) for texts, and y in x for lists and maps",
    ),
    (&["isnull", "isnil"], "x == null, and has(message.field) for whether it is there"),
    (&["jq", "jsonpath", "jsonextract", "get", "getpath", "dig"], "message.field.inner"),
    (&["containsany", "intersects"], "list.exists(e, e in [\"a\", \"b\"])"),
    (&["match", "regexmatch", "regexp", "regex", "regexp_match", "re_match", "test"], "x.matches(pattern)"),
    (&["any", "some"], "x.exists(e, …)"),
    (&["every", "each"], "x.all(e, …)"),
    (&["find", "select", "where"], "x.filter(e, …)"),
    (
        &["isset", "defined", "exists", "present", "haskey", "contains_key", "hasownproperty"],
        "has(message.field)",
    ),
    (&["isempty", "empty", "isblank"], "size(x) == 0"),
    (&["parseint", "tointeger", "toint", "number", "tonumber"], "int(x)"),
    (&["parsefloat", "tofloat", "todouble", "float"], "double(x)"),
    (&["tostring", "str", "text"], "string(x)"),
    (&["date", "datetime", "parsetime", "todate", "parsedate"], "timestamp(x)"),
    (&["now"], "the variable now"),
    (&["strip"], "x.trim()"),
    (&["coalesce", "default", "ifnull", "getordefault"], "message.?field.orValue(default)"),
    (&["concat"], "x + y"),
    (&["not"], "!x"),
    (&["abs", "ceil", "floor", "round", "sqrt", "least", "greatest"], "math.…, such as math.abs(x)"),
    (&["min"], "math.least(x, y)"),
    (&["max"], "math.greatest(x, y)"),
    (&["gethour"], "x.getHours()"),
    (&["getyear", "year"], "x.getFullYear()"),
];

/// Names of variables elsewhere, with what they are here.
static VARIABLES: &[(&[&str], &str)] = &[
    (
        &[
            "body", "payload", "data", "json", "request", "req", "msg", "content", "input", "root", "record",
            "object",
        ],
        "the body is message",
    ),
    (&["type", "id", "subject", "time", "datacontenttype"], "it is an attribute of event"),
    (&["header", "http_headers", "metadata"], "header fields are in headers, by name"),
    (&["true", "yes", "on"], "it is written true"),
    (&["false", "no", "off"], "it is written false"),
    (
        &["none", "nil", "undefined", "null", "nan"],
        "null is written null, and whether a field is there asks has(message.field)",
    ),
    (&["not"], "'not' is written '!'"),
];

/// What a function of another language is here.
pub(super) fn function(name: &str) -> Option<String> {
    let short = name.rsplit('.').next().unwrap_or(name);
    let joined = short.replace('_', "");
    let near = names().find(|(known, _)| {
        let last = known.rsplit('.').next().unwrap_or(known);
        last.eq_ignore_ascii_case(short) || last.eq_ignore_ascii_case(&joined)
    });
    if let Some((known, true)) = near {
        return Some(format!("there is x.{known}(…)"));
    }
    if let Some((known, false)) = near {
        return Some(format!("there is {known}(…)"));
    }
    let here = meant(FUNCTIONS, short).or_else(|| meant(FUNCTIONS, &joined));
    here.map(|here| format!("there is {here}"))
}

/// What a variable of another language is here.
pub(super) fn variable(name: &str, known: &[&str]) -> Option<String> {
    if let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Some(format!("there is {known}"));
    }
    if !known.contains(&"message") {
        return None;
    }
    meant(VARIABLES, name).map(str::to_owned)
}

fn meant(table: &'static [(&[&str], &str)], name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    table.iter().find(|(others, _)| others.contains(&&*name)).map(|(_, here)| *here)
}

#[cfg(test)]
mod tests {
    use super::{function, variable};

    #[test]
    fn tells_the_method_or_function_that_was_meant() {
        let there_is = |name: &str| function(name).unwrap();
        assert_eq!(there_is("startswith"), "there is x.startsWith(…)");
        assert_eq!(there_is("greatest"), "there is math.greatest(…)");
        assert_eq!(there_is("toLowerCase"), "there is x.lowerAscii()");
        assert_eq!(there_is("len"), "there is size(x)");
        assert_eq!(there_is("starts_with"), "there is x.startsWith(…)");
        assert_eq!(there_is("to_lower_case"), "there is x.lowerAscii()");
        assert_eq!(function("frobnicate"), None);
    }

    #[test]
    fn tells_the_variable_that_was_meant() {
        let known = ["message", "event", "headers", "source", "now"];
        assert_eq!(variable("payload", &known).unwrap(), "the body is message");
        assert_eq!(variable("Headers", &known).unwrap(), "there is headers");
        assert_eq!(variable("opened", &known), None);
        assert_eq!(variable("payload", &["x"]), None);
    }
}
