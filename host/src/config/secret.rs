//! References to secrets: `env:NAME` and `file:PATH`.

use super::environment::Environment;
use anglerfish_core::config::{item_path, key_path};
use anglerfish_core::problem::Problem;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest secret that a file may hold, in bytes; a certificate chain fits.
const LONGEST: u64 = 64 * 1024;

/// Which references may be used.
pub(super) type Permitted<'a> = dyn Fn(&str) -> bool + 'a;

/// What references are resolved against.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    /// Relative paths begin here: the directory of the configuration file.
    pub(super) directory: PathBuf,
    /// The variables.
    pub(super) environment: Environment,
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
        let failed = |error: std::io::Error| format!("failed to read {shown}: {error}");
        let mut text = String::new();
        File::open(&path).map_err(failed)?.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > LONGEST {
            return Err(format!("{shown} is longer than {LONGEST} bytes"));
        }
        let text =
            text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(format!("{shown} is empty"));
        }
        Ok(text.to_owned())
    }

    /// Replaces references at every place of the configuration that can hold a secret. A reference that leads nowhere
    /// is a problem and stays as it is.
    pub(super) fn resolve_configuration(&self, document: &mut Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        let all = |_: &str| true;
        if let Some(token) = document.get_mut("admin").and_then(|admin| admin.get_mut("token")) {
            self.resolve_all("admin.token", token, &all, &mut problems);
        }
        for (index, source) in items(document, "source") {
            let path = item_path("source", index);
            if let Some(Value::Array(secrets)) = source.get_mut("secrets") {
                for (index, secret) in secrets.iter_mut().enumerate() {
                    let path = item_path(&key_path(&path, "secrets"), index);
                    if secret.is_string() {
                        self.resolve_all(&path, secret, &all, &mut problems);
                    } else if let Some(value) = secret.get_mut("value") {
                        self.resolve_all(&key_path(&path, "value"), value, &all, &mut problems);
                    }
                }
            }
            if let Some(parameters) = source.get_mut("parameters") {
                self.resolve_all(&key_path(&path, "parameters"), parameters, &all, &mut problems);
            }
        }
        for (index, subscription) in items(document, "subscription") {
            let path = item_path("subscription", index);
            problems.extend(self.resolve_subscription(subscription, &path, &all));
        }
        problems
    }

    /// The same for one subscription, with the references that are `permitted`; others are a problem, too, and not
    /// looked at.
    pub(super) fn resolve_subscription(
        &self,
        document: &mut Value,
        path: &str,
        permitted: &Permitted<'_>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for_each_secret_of_subscription(document, path, |path, value| {
            self.resolve_all(path, value, permitted, &mut problems)
        });
        problems
    }

    /// Resolves a text, or every text of a list or table.
    fn resolve_all(
        &self,
        path: &str,
        value: &mut Value,
        permitted: &Permitted<'_>,
        problems: &mut Vec<Problem>,
    ) {
        match value {
            Value::String(text) if is_reference(text) && !permitted(text) => {
                let problem = Problem::new(path, "this reference may not be used at run time");
                problems.push(problem.with_hint("name it in `references` of [admin]"));
            }
            Value::String(text) => match self.resolve(text) {
                Ok(Some(resolved)) => *text = resolved,
                Ok(None) => {}
                Err(message) => problems.push(Problem::new(path, message)),
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.resolve_all(&item_path(path, index), item, permitted, problems);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.resolve_all(&key_path(path, key), member, permitted, problems);
                }
            }
            _ => {}
        }
    }
}

/// Whether a text refers to a secret instead of being one.
pub(super) fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

fn for_each_secret_of_subscription(
    document: &mut Value,
    path: &str,
    mut visit: impl FnMut(&str, &mut Value),
) {
    let Some(endpoint) = document.get_mut("endpoint") else { return };
    let path = key_path(path, "endpoint");
    for key in ["headers", "secret", "secrets"] {
        let Some(value) = endpoint.get_mut(key) else { continue };
        let path = key_path(&path, key);
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    visit(&item_path(&path, index), item);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    visit(&key_path(&path, key), member);
                }
            }
            value => visit(&path, value),
        }
    }
}

fn items<'a>(document: &'a mut Value, key: &str) -> impl Iterator<Item = (usize, &'a mut Value)> {
    let list = document.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().enumerate()
}
