//! The APIs that are called on behalf of others.

use super::review;
use crate::call::ApiDefinition;
use crate::config::allow;
use crate::config::secret::has_reference;
use crate::outbound::{OutboundConfig, tls_problem};
use anglerfish_core::config::{item_path, read_api};
use anglerfish_core::problem::Problem;
use serde_json::Value;
use std::collections::HashSet;

/// The APIs of a document, each with its place, with what is wrong and what is odd about them.
#[derive(Debug, Default)]
pub(super) struct Apis {
    pub(super) apis: Vec<(String, ApiDefinition)>,
    pub(super) problems: Vec<Problem>,
    pub(super) odd: Vec<Problem>,
}

/// Reads them. `written` has references as they are written; `networks` are open to all.
pub(super) fn read(
    resolved: &Value,
    written: &Value,
    networks: &[String],
    outbound: &OutboundConfig,
) -> Apis {
    let mut found = Apis::default();
    let items = match resolved.get("api") {
        None => return found,
        Some(Value::Array(items)) => items,
        Some(_) => {
            let problem = Problem::new("api", "expected a list of tables");
            found.problems.push(problem.with_hint("write [[api]]"));
            return found;
        }
    };
    let mut names = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = item_path("api", index);
        let mut config = match read_api(item, &path) {
            Ok(config) => config,
            Err(problems) => {
                found.problems.extend(problems);
                continue;
            }
        };
        if !names.insert(config.name.clone()) {
            let problem = Problem::new(format!("{path}.name"), format!("there is another {:?}", config.name));
            found.problems.push(problem);
        }
        if let Some((key, problem)) = tls_problem(&config.endpoint) {
            found.problems.push(Problem::new(format!("{path}.{key}"), problem));
        }
        allow(&mut config.endpoint, networks);
        let url = written.pointer(&format!("/api/{index}/url")).and_then(Value::as_str);
        if url.is_some_and(has_reference) {
            config.endpoint.url.hide();
        }
        if !config.any_url {
            let refused = review::endpoint(&path, &config.endpoint, outbound);
            found.odd.extend(refused.map(|problem| Problem { path: format!("{path}.url"), ..problem }));
        }
        found.apis.push((path, ApiDefinition::of(config, item)));
    }
    found
}
