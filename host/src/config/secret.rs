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
        if let Some(token) = document.get_mut("admin").and_then(|admin| admin.get_mut("token")) {
            self.resolve_all("admin.token", token, &mut problems);
        }
        for (index, source) in items(document, "source") {
            let path = item_path("source", index);
            if let Some(Value::Array(secrets)) = source.get_mut("secrets") {
                for (index, secret) in secrets.iter_mut().enumerate() {
                    let path = item_path(&key_path(&path, "secrets"), index);
                    if secret.is_string() {
                        self.resolve_all(&path, secret, &mut problems);
                    } else if let Some(value) = secret.get_mut("value") {
                        self.resolve_all(&key_path(&path, "value"), value, &mut problems);
                    }
                }
            }
            if let Some(parameters) = source.get_mut("parameters") {
                self.resolve_all(&key_path(&path, "parameters"), parameters, &mut problems);
            }
        }
        for (index, subscription) in items(document, "subscription") {
            problems.extend(self.resolve_subscription(subscription, &item_path("subscription", index)));
        }
        problems
    }

    /// The same for one subscription.
    pub(super) fn resolve_subscription(&self, document: &mut Value, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for_each_secret_of_subscription(document, path, |path, value| {
            self.resolve_all(path, value, &mut problems)
        });
        problems
    }

    /// Resolves a text, or every text of a list or table.
    fn resolve_all(&self, path: &str, value: &mut Value, problems: &mut Vec<Problem>) {
        match value {
            Value::String(text) => match self.resolve(text) {
                Ok(Some(resolved)) => *text = resolved,
                Ok(None) => {}
                Err(message) => problems.push(Problem::new(path, message)),
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.resolve_all(&item_path(path, index), item, problems);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.resolve_all(&key_path(path, key), member, problems);
                }
            }
            _ => {}
        }
    }
}

/// The places of a subscription that are references, as problems: for documents that may not hold any.
pub(super) fn refuse_references(document: &Value, message: &str, hint: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut document = document.clone();
    for_each_secret_of_subscription(&mut document, "", |path, value| {
        let reference =
            value.as_str().is_some_and(|text| text.starts_with("env:") || text.starts_with("file:"));
        if reference {
            problems.push(Problem::new(path, message).with_hint(hint));
        }
    });
    problems
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
