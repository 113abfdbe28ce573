//! From what an operator wrote to a verifier with its keys: everything that can be wrong is found here.

use super::algorithm::Algorithm;
use super::builder;
use super::catalogue;
use super::config::{SecretConfig, VerificationConfig};
use super::judgement::Judgement;
use super::key::Key;
use super::place::Place;
use super::scheme::{Parameter, Scheme, Variant};
use super::verification::SecretName;
use super::verifier::Verifier;
use crate::node::nearest;
use crate::problem::Problem;
use crate::request::UnixMillis;
use serde_json::Value;
use std::collections::BTreeMap;

/// One secret with the keys that the variants make of it.
pub(super) struct Secret {
    pub(super) name: SecretName,
    pub(super) text: String,
    pub(super) not_before: Option<UnixMillis>,
    pub(super) not_after: Option<UnixMillis>,
    /// One for each variant; `None` where the secret is no key for it.
    pub(super) keys: Vec<Option<Key>>,
}

impl Verifier {
    /// Reads the configuration of one source at `path` of the document.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with its path; none quotes a secret.
    pub fn try_new(path: &str, config: &VerificationConfig) -> Result<Self, Vec<Problem>> {
        Self::judge(path, config).result
    }

    /// The same with all else that there is to say, whether the source can be used or not.
    #[must_use]
    pub fn judge(path: &str, config: &VerificationConfig) -> Judgement {
        let mut problems = Vec::new();
        let Some((name, needs, mut scheme)) = definition(path, config, &mut problems) else {
            // What the source says of its events can be judged without a scheme, but for what it knows itself.
            let config = VerificationConfig { split: None, ..config.clone() };
            super::source::override_event(path, &config, &mut Scheme::default(), &mut problems);
            return Judgement::unknown(problems);
        };
        select_variants(path, config, name, &mut scheme, &mut problems);
        override_windows(path, config, name, &mut scheme, &mut problems);
        super::source::override_event(path, config, &mut scheme, &mut problems);
        let parameters = read_parameters(path, config, name, &scheme, &mut problems);
        if let Some(url) = &config.public_url
            && !is_absolute(url)
        {
            let message = "is no absolute URL; it begins with `https://` or `http://` and a host";
            problems.push(Problem::new(format!("{path}.public_url"), message));
        }
        if scheme.variants.is_empty() && !config.secrets.is_empty() {
            let message = format!("scheme `{name}` checks no signature, so a secret would mean nothing");
            problems.push(Problem::new(format!("{path}.secrets"), message));
        }
        if !scheme.variants.is_empty() && config.secrets.is_empty() {
            let message = format!("scheme `{name}` needs a secret: {needs}");
            problems.push(Problem::new(format!("{path}.secrets"), message));
        }
        let mut secrets = Vec::new();
        if !scheme.variants.is_empty() {
            for (index, secret) in config.secrets.iter().enumerate() {
                let path = format!("{path}.secrets[{index}]");
                secrets.extend(read_secret(&path, index, secret, &scheme, &mut problems));
            }
        }
        let replay_window = scheme.replay_window();
        let mut warnings = missing_for_handshakes(path, config, &scheme);
        warnings.extend(odd_secrets(path, name, &config.secrets));
        if !problems.is_empty() {
            return Judgement { result: Err(problems), warnings, replay_window };
        }
        scheme.collect_wanted();
        scheme.choose_remembered();
        let (credential_headers, credential_parameters) = credentials(&scheme);
        let verifier = Self {
            name,
            scheme,
            secrets,
            public_url: config.public_url.clone(),
            parameters,
            credential_headers,
            credential_parameters,
        };
        Judgement { result: Ok(verifier), warnings, replay_window }
    }
}

/// What is right as it is written and will not do what it seems to: a handshake that lacks a parameter.
fn missing_for_handshakes(path: &str, config: &VerificationConfig, scheme: &Scheme) -> Vec<Problem> {
    let given = |parameter: &Parameter| {
        parameter.default.is_some() || config.parameters.contains_key(&parameter.name)
    };
    let missing = scheme.parameters.iter().filter(|parameter| parameter.handshake && !given(parameter));
    missing
        .map(|parameter| {
            let message =
                format!("is missing, so the provider's handshake will be refused: {}", parameter.about);
            Problem::new(format!("{path}.parameters.{}", parameter.name), message)
        })
        .collect()
}

/// Secrets that no request will match: what the field has in front of them is not theirs, and a user needs a password.
fn odd_secrets(path: &str, scheme: &str, secrets: &[SecretConfig]) -> Vec<Problem> {
    let odd = |secret: &SecretConfig| match scheme {
        "bearer" if secret.value.starts_with("Bearer ") => {
            Some("begins with `Bearer `, which is no part of the token: a request would have to say it twice")
        }
        "basic" if secret.value.starts_with("Basic ") => {
            Some("begins with `Basic `: it is the user and the password as they are, `USER:PASSWORD`")
        }
        "basic" if !secret.value.contains(':') => {
            Some("has no `:` between user and password, so no request will match it: `USER:PASSWORD`")
        }
        _ => None,
    };
    let found = secrets.iter().enumerate().filter_map(|(index, secret)| Some((index, odd(secret)?)));
    found.map(|(index, message)| Problem::new(format!("{path}.secrets[{index}]"), message)).collect()
}

/// The name of the scheme, what it needs, and itself; nothing if there is none or it has problems.
fn definition(
    path: &str,
    config: &VerificationConfig,
    problems: &mut Vec<Problem>,
) -> Option<(&'static str, &'static str, Scheme)> {
    let (name, needs, key, mut value) = if config.scheme == "custom" {
        let Some(definition) = &config.definition else {
            let message = "is missing: scheme `custom` is what it says";
            problems.push(Problem::new(format!("{path}.definition"), message));
            return None;
        };
        ("custom", "the one that the definition is about", "definition", definition.clone())
    } else {
        let place = format!("{path}.scheme");
        let definition =
            catalogue::find(&place, &config.scheme).map_err(|problem| problems.push(problem)).ok()?;
        if config.definition.is_some() {
            let message = format!("belongs to scheme `custom`; scheme `{}` has its own", definition.name);
            problems.push(Problem::new(format!("{path}.definition"), message));
        }
        let value = serde_json::from_slice(definition.scheme.as_bytes());
        let value: Value =
            value.map_err(|error| problems.push(Problem::new(place, error.to_string()))).ok()?;
        (definition.name, definition.needs, "scheme", value)
    };
    substitute(&mut value, &config.parameters);
    match builder::scheme(&format!("{path}.{key}"), &value) {
        Ok(scheme) => Some((name, needs, scheme)),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// Writes the parameters into the places of the variants that name them as `${NAME}`: the name of a header, say.
fn substitute(definition: &mut Value, given: &BTreeMap<String, String>) {
    let declared = definition.get("parameter").and_then(Value::as_object).cloned().unwrap_or_default();
    let values: Vec<(String, String)> = { declared.iter() }
        .map(|(name, about)| {
            let default = about.get("default").and_then(Value::as_str).map(str::to_owned);
            // One that is missing is reported where parameters are read.
            (
                format!("${{{name}}}"),
                given.get(name).cloned().or(default).unwrap_or_else(|| "missing".to_owned()),
            )
        })
        .collect();
    if let Some(variants) = definition.get_mut("variant") {
        replace(variants, &values);
    }
}

fn replace(value: &mut Value, values: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (name, value) in values {
                if text.contains(name.as_str()) {
                    *text = text.replace(name.as_str(), value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, values)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, values)),
        _ => {}
    }
}

fn select_variants(
    path: &str,
    config: &VerificationConfig,
    name: &str,
    scheme: &mut Scheme,
    problems: &mut Vec<Problem>,
) {
    let before = problems.len();
    for (index, wanted) in config.variants.iter().enumerate() {
        if !scheme.variants.iter().any(|variant| variant.name == *wanted) {
            let names: Vec<&str> = scheme.variants.iter().map(|variant| variant.name.as_str()).collect();
            let message = format!("scheme `{name}` has no variant `{wanted}`; it has {}", names.join(", "));
            problems.push(Problem::new(format!("{path}.variants[{index}]"), message));
        }
    }
    if problems.len() == before {
        scheme.variants.retain(|variant| match config.variants.is_empty() {
            true => !variant.opt_in,
            false => config.variants.contains(&variant.name),
        });
    }
}

fn override_windows(
    path: &str,
    config: &VerificationConfig,
    name: &str,
    scheme: &mut Scheme,
    problems: &mut Vec<Problem>,
) {
    // A window that is stored but not enforced would be a false promise.
    if !scheme.variants.iter().any(Variant::is_timed) {
        if config.past_seconds.or(config.future_seconds).is_some() {
            let message = format!("scheme `{name}` signs no timestamp, so this could not be enforced");
            problems.push(Problem::new(format!("{path}.tolerance"), message));
        }
        return;
    }
    for variant in scheme.variants.iter_mut().filter(|variant| variant.is_timed()) {
        variant.window.past = config.past_seconds.or(variant.window.past);
        variant.window.future = config.future_seconds.or(variant.window.future);
    }
}

fn read_parameters(
    path: &str,
    config: &VerificationConfig,
    name: &str,
    scheme: &Scheme,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for parameter in &scheme.parameters {
        let path = format!("{path}.parameters.{}", parameter.name);
        match config.parameters.get(&parameter.name).or(parameter.default.as_ref()) {
            Some(value) if value.trim().is_empty() => problems.push(Problem::new(path, "is empty")),
            Some(value) => {
                parameters.insert(parameter.name.clone(), value.clone());
            }
            None if parameter.required => {
                problems.push(Problem::new(path, format!("is missing: {}", parameter.about)));
            }
            None => {}
        }
    }
    for given in config.parameters.keys() {
        if !scheme.parameters.iter().any(|parameter| parameter.name == *given) {
            let names = scheme.parameters.iter().map(|parameter| parameter.name.as_str());
            let message = format!("scheme `{name}` has no such parameter");
            let problem = Problem::new(format!("{path}.parameters.{given}"), message);
            problems.push(match nearest(given, names) {
                Some(near) => problem.with_hint(format!("did you mean {near:?}?")),
                None => problem,
            });
        }
    }
    parameters
}

fn read_secret(
    path: &str,
    index: usize,
    config: &SecretConfig,
    scheme: &Scheme,
    problems: &mut Vec<Problem>,
) -> Option<Secret> {
    let before = problems.len();
    if config.value.trim().is_empty() {
        problems.push(Problem::new(path, "is empty"));
        return None;
    }
    if config.value.trim() != config.value {
        problems
            .push(Problem::new(path, "begins or ends with white space, which providers' secrets never do"));
        return None;
    }
    if config.label.as_ref().is_some_and(|label| label.trim().is_empty()) {
        problems.push(Problem::new(format!("{path}.label"), "is empty"));
    }
    if let (Some(start), Some(end)) = (config.not_before, config.not_after)
        && start >= end
    {
        problems.push(Problem::new(format!("{path}.not_after"), "is not later than `not_before`"));
    }
    let mut reasons: Vec<String> = Vec::new();
    let mut keys = Vec::new();
    for variant in &scheme.variants {
        let mut key = None;
        for form in &variant.keys {
            match Key::parse(variant.algorithm, *form, &config.value) {
                Ok(parsed) if key.is_none() => key = Some(parsed),
                Ok(_) => {}
                Err(reason) if reasons.contains(&reason) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        keys.push(key);
    }
    if keys.iter().all(Option::is_none) {
        problems.push(Problem::new(path, reasons.join("; or ")));
    }
    let name = SecretName { index, label: config.label.clone() };
    let SecretConfig { value: text, not_before, not_after, .. } = config.clone();
    (problems.len() == before).then_some(Secret { name, text, not_before, not_after, keys })
}

/// The header fields and the parameters of the query that are compared with the secret itself.
fn credentials(scheme: &Scheme) -> (Vec<String>, Vec<String>) {
    let (mut headers, mut parameters) = (Vec::new(), Vec::new());
    for variant in scheme.variants.iter().filter(|variant| variant.algorithm == Algorithm::Equal) {
        for field in &variant.signatures {
            match &field.place {
                Place::Header(names) => headers.extend(names.iter().cloned()),
                Place::Query(name) => parameters.push(name.clone()),
                _ => {}
            }
        }
    }
    (headers, parameters)
}

fn is_absolute(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        !host.is_empty() && !url.contains(char::is_whitespace) && !url.contains('#')
    })
}
