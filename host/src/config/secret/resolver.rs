//! Puts secrets where they are referred to.

use super::place::for_each_in_configuration;
use super::text::{Piece, pieces};
use crate::config::environment::Environment;
use crate::config::file::read_text;
use anglerfish_core::config::{SOURCE_SECRETS, SUBSCRIPTION_SECRETS, SecretPlace, for_each_secret};
use anglerfish_core::problem::Problem;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The longest secret that a file may hold, in bytes; a certificate chain fits.
const LONGEST: u64 = 64 * 1024;

/// Which references may be used.
pub(crate) type Permitted<'a> = dyn Fn(&str) -> bool + 'a;

/// What references are resolved against.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    /// Relative paths begin here: the directory of the configuration file.
    pub(crate) directory: PathBuf,
    /// The variables.
    pub(crate) environment: Environment,
}

impl Environment {
    /// The text that a command-line argument stands for: itself, or what `env:NAME` or `file:PATH` refers to. Relative
    /// paths begin at the working directory.
    ///
    /// # Errors
    ///
    /// If the reference leads nowhere; names the variable or the file.
    pub fn resolve(&self, text: &str) -> Result<String, String> {
        let resolver = Resolver { directory: PathBuf::new(), environment: self.clone() };
        Ok(resolver.resolve(text)?.unwrap_or_else(|| text.to_owned()))
    }
}

impl Resolver {
    /// The text that a value stands for: itself, or what it refers to.
    fn resolve(&self, text: &str) -> Result<Option<String>, String> {
        if let Some(name) = text.strip_prefix("env:") {
            return self.variable(name).map(Some);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return self.file(Path::new(path)).map(Some);
        }
        Ok(None)
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        let value = self.environment.get(name).ok_or(format!("environment variable {name} is not set"))?;
        let text = value.to_str().ok_or(format!("environment variable {name} is not UTF-8"))?;
        if text.is_empty() {
            return Err(format!("environment variable {name} is empty"));
        }
        Ok(text.to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let path = self.directory.join(path);
        let shown = path.display();
        let text = read_text(&path, LONGEST).map_err(|error| format!("failed to read {shown}: {error}"))?;
        // Editors of another system put a mark of the byte order in front, which is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(format!("{shown} is empty"));
        }
        Ok(text.to_owned())
    }

    /// Replaces references at every place of the configuration that can hold a secret. A reference that leads nowhere
    /// is a problem and stays as it is.
    pub(crate) fn resolve_configuration(&self, document: &mut Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        for_each_in_configuration(document, &mut |path, value| {
            problems.extend(self.resolve_value(path, value, &|_| true).err());
        });
        problems
    }

    /// The same for one subscription, with the references that are `permitted`; others are a problem, too, and not
    /// looked at.
    pub(crate) fn resolve_subscription(
        &self,
        document: &mut Value,
        path: &str,
        permitted: &Permitted<'_>,
    ) -> Vec<Problem> {
        self.resolve_places(SUBSCRIPTION_SECRETS, document, path, permitted)
    }

    /// The same for one source.
    pub(crate) fn resolve_source(
        &self,
        document: &mut Value,
        path: &str,
        permitted: &Permitted<'_>,
    ) -> Vec<Problem> {
        self.resolve_places(SOURCE_SECRETS, document, path, permitted)
    }

    fn resolve_places(
        &self,
        places: &[SecretPlace],
        document: &mut Value,
        path: &str,
        permitted: &Permitted<'_>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for_each_secret(document, path, places, &mut |path, value, _| {
            problems.extend(self.resolve_value(path, value, permitted).err());
        });
        problems
    }

    fn resolve_value(&self, path: &str, value: &mut Value, permitted: &Permitted<'_>) -> Result<(), Problem> {
        let Value::String(text) = value else { return Ok(()) };
        let pieces =
            pieces(text).map_err(|misread| Problem::new(path, misread.message).with_hint(misread.hint))?;
        let mut resolved = String::with_capacity(text.len());
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => resolved.push_str(literal),
                Piece::Reference(reference) if !permitted(reference) => {
                    let problem = Problem::new(path, "this reference may not be used at run time");
                    return Err(problem.with_hint("name it in `references` of [admin]"));
                }
                Piece::Reference(reference) => {
                    let secret = self.resolve(reference).map_err(|message| Problem::new(path, message))?;
                    resolved.push_str(secret.as_deref().unwrap_or(reference));
                }
            }
        }
        *text = resolved;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::ffi::OsString;

    fn resolver(directory: &Path) -> Resolver {
        let variables = [("TOKEN", "hunter2"), ("USER", "me")];
        let environment = variables.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value)));
        Resolver { directory: directory.to_owned(), environment: environment.collect() }
    }

    #[test]
    fn a_reference_can_be_a_part_of_a_text() {
        let mut document = json!({"endpoint": {
            "url": "https://example.com/${env:TOKEN}",
            "headers": {"a": "Bearer ${env:TOKEN}", "b": "${env:USER}:${env:TOKEN}", "c": "env:TOKEN"}
        }});
        let problems = resolver(Path::new("")).resolve_subscription(&mut document, "", &|_| true);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(document["endpoint"]["url"], "https://example.com/hunter2");
        assert_eq!(
            document["endpoint"]["headers"],
            json!({"a": "Bearer hunter2", "b": "me:hunter2", "c": "hunter2"})
        );
    }

    #[test]
    fn a_reference_within_a_text_has_to_be_permitted_too() {
        let mut document = json!({"endpoint": {"headers": {"a": "Bearer ${env:TOKEN}"}}});
        let permitted = |reference: &str| reference == "env:USER";
        let problems = resolver(Path::new("")).resolve_subscription(&mut document, "", &permitted);
        assert_eq!(problems[0].path, "endpoint.headers.a");
        assert!(!document.to_string().contains("hunter2"));
    }

    #[test]
    fn what_was_resolved_is_not_looked_into_again() {
        let environment = [("A".to_owned(), OsString::from("${env:B} env:B"))].into_iter().collect();
        let mut document = json!({"endpoint": {"secret": "env:A"}});
        let resolver = Resolver { directory: PathBuf::new(), environment };
        assert!(resolver.resolve_subscription(&mut document, "", &|_| true).is_empty());
        assert_eq!(document["endpoint"]["secret"], "${env:B} env:B");
    }

    #[test]
    fn a_mark_of_the_byte_order_in_front_of_a_file_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), "\u{feff}hunter2\r\n").unwrap();
        let mut document = json!({"source": [{"secrets": ["file:secret"]}]});
        assert!(resolver(directory.path()).resolve_configuration(&mut document).is_empty());
        assert_eq!(document["source"][0]["secrets"][0], "hunter2");
    }
}
