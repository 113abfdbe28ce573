//! From TOML to a document, with the place of every value.

use super::error::ConfigProblem;
use super::place::{Place, Places};
use anglerfish_core::config::{item_path, key_path};
use anglerfish_core::problem::Problem;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

/// Parses a text. `file` is what problems call it.
///
/// # Errors
///
/// Every error of syntax that the parser finds, and values that no document can hold.
pub(crate) fn parse(file: &str, text: &str) -> Result<(Value, Places), Vec<ConfigProblem>> {
    let mut places = Places::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            places.at(offset, Problem::new("", error.message().trim().replace('\n', ", ")))
        };
        let mut problems: Vec<ConfigProblem> = errors.iter().map(problem).collect();
        problems.dedup();
        return Err(problems);
    }
    let mut problems = Vec::new();
    let span = table.span();
    places.insert(String::new(), Place::Text { key: 0, value: span });
    let value = members(table.get_ref(), "", &mut places, &mut problems);
    if problems.is_empty() {
        return Ok((value, places));
    }
    Err(problems.into_iter().map(|problem| places.locate(problem)).collect())
}

fn members(table: &DeTable<'_>, path: &str, places: &mut Places, problems: &mut Vec<Problem>) -> Value {
    let mut object = Map::with_capacity(table.len());
    for (key, value) in table {
        let path = key_path(path, key.get_ref());
        places.insert(path.clone(), Place::Text { key: key.span().start, value: value.span() });
        object.insert(key.get_ref().to_string(), json(value, &path, places, problems));
    }
    Value::Object(object)
}

fn json(value: &Spanned<DeValue<'_>>, path: &str, places: &mut Places, problems: &mut Vec<Problem>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(value) => Value::String(value.to_string()),
        DeValue::Integer(integer) => number(integer_value(integer), path, problems),
        DeValue::Float(float) => number(float_value(float), path, problems),
        DeValue::Table(table) => members(table, path, places, problems),
        DeValue::Array(items) => {
            let mut array = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let path = item_path(path, index);
                places.insert(path.clone(), Place::Text { key: item.span().start, value: item.span() });
                array.push(json(item, &path, places, problems));
            }
            Value::Array(array)
        }
    }
}

fn integer_value(integer: &DeInteger<'_>) -> Option<Number> {
    let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    Some(value.into())
}

fn float_value(float: &DeFloat<'_>) -> Option<Number> {
    Number::from_f64(float.as_str().parse().ok()?)
}

fn number(number: Option<Number>, path: &str, problems: &mut Vec<Problem>) -> Value {
    if number.is_none() {
        problems.push(Problem::new(path, "not a number that can be used"));
    }
    number.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn makes_a_document_and_knows_where_everything_stands() {
        let text = "[server]\nlisten = 'x'\n\n[[source]]\nname = \"a\"\nsecrets = [\n  \"one\",\n  { value = \"two\" },\n]\n[[source]]\nn = 0x1f\nf = 1.5\nd = 2026-01-31T00:00:00Z\n";
        let (value, places) = parse("f.toml", text).unwrap();
        assert_eq!(
            value,
            json!({
                "server": {"listen": "x"},
                "source": [
                    {"name": "a", "secrets": ["one", {"value": "two"}]},
                    {"n": 31, "f": 1.5, "d": "2026-01-31T00:00:00Z"}
                ]
            })
        );
        let place = |path: &str| places.locate(Problem::new(path, "m")).to_string();
        assert_eq!(place("server.listen"), "f.toml:2:1: server.listen: m");
        assert_eq!(place("source[0].secrets[1].value"), "f.toml:8:5: source[0].secrets[1].value: m");
        assert_eq!(place("source[0].secrets[0]"), "f.toml:7:3: source[0].secrets[0]: m");
        assert_eq!(place("source[1].missing"), "f.toml:10:1: source[1].missing: m");
        assert_eq!(place("elsewhere.x"), "f.toml: elsewhere.x: m");
    }

    #[test]
    fn points_into_a_string_where_a_problem_does() {
        let (_, places) = parse("f.toml", "a = '''\nx &&\n  y +'''\n").unwrap();
        let problem = Problem { line: Some(2), column: Some(5), ..Problem::new("a", "m") };
        assert_eq!(places.locate(problem).to_string(), "f.toml:3:5: a: m");
    }

    #[test]
    fn reports_every_error_of_syntax() {
        let problems = parse("f.toml", "a = \nb = 1\nb = 2\n[c\n").err().unwrap();
        let lines: Vec<_> = problems.iter().map(|problem| problem.line.unwrap()).collect();
        assert!(lines.contains(&1) && lines.contains(&3) && lines.contains(&4), "{problems:?}");
        assert!(problems.iter().all(|problem| !problem.message.is_empty()));
    }

    #[test]
    fn refuses_numbers_that_would_change() {
        for text in ["a = 99999999999999999999", "a = nan", "a = inf"] {
            let problems = parse("f.toml", text).err().unwrap();
            assert_eq!(problems[0].line, Some(1), "{text}");
        }
    }
}
