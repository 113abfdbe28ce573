//! Environment variables: `ANGLERFISH_SECTION_KEY` overrides a key of the host's own tables.

use super::place::{Place, Places};
use super::section::{Keys, Kind};
use anglerfish_core::config::{key_path, nearest};
use anglerfish_core::problem::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// The environment variables that a configuration is read with.
///
/// Its `Debug` form names them and hides their values.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// The value of a variable, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Puts the variables' values over those of the document.
pub(crate) fn apply(
    environment: &Environment,
    tables: &[(&'static str, Keys)],
    document: &mut Value,
    places: &mut Places,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in &environment.0 {
        let Some((table, keys, key)) = target(tables, name) else { continue };
        let path = key_path(table, &key);
        places.insert(path.clone(), Place::Variable(name.clone()));
        let Some((_, kind)) = keys.iter().find(|(known, _)| *known == key) else {
            let problem = Problem::new(path, "unknown key");
            problems.push(match nearest(&key, keys.iter().map(|(key, _)| *key)) {
                Some(near) => problem.with_hint(format!("did you mean {}?", variable(table, near))),
                None => problem,
            });
            continue;
        };
        let Some(text) = text.to_str() else {
            problems.push(Problem::new(path, "the variable is not UTF-8"));
            continue;
        };
        if let Value::Object(root) = document {
            let members = root.entry(table).or_insert_with(|| Value::Object(Map::new()));
            // A table that is none is reported where the table is read.
            if let Value::Object(members) = members {
                members.insert(key, value(text, *kind));
            }
        }
    }
}

/// Variables of commands that speak to a gateway. Whoever has them set may also run or check one.
const OF_CLIENTS: [&str; 3] = ["ANGLERFISH_API", "ANGLERFISH_OUT_TOKEN", "ANGLERFISH_TOKEN"];

/// The table and key that a variable overrides, if its name says so.
fn target(tables: &[(&'static str, Keys)], name: &str) -> Option<(&'static str, Keys, String)> {
    if OF_CLIENTS.contains(&name) {
        return None;
    }
    tables.iter().find_map(|(table, keys)| {
        let key = name.strip_prefix(&variable(table, ""))?;
        Some((*table, *keys, key.to_ascii_lowercase()))
    })
}

fn variable(table: &str, key: &str) -> String {
    format!("ANGLERFISH_{}_{}", table.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// A variable's text as the type that its key has. What does not fit stays text and is refused as such later.
fn value(text: &str, kind: Kind) -> Value {
    match kind {
        Kind::Text => Value::from(text),
        Kind::Integer => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        Kind::Boolean => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        Kind::List => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
        }
    }
}
