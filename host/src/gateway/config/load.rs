//! From a file to a configuration.

use super::apis::{self, Apis};
use super::inert::inert;
use super::review::{self, filter_problems, forgetful};
use super::section::{self, Sections};
use crate::call::ApiDefinition;
use crate::clock::{Clock, SystemClock, millis};
use crate::config::environment::{self, Environment};
use crate::config::file::read_text;
use crate::config::place::{Place, Places};
use crate::config::secret::{Resolver, configuration_doubts};
use crate::config::{ConfigError, ConfigProblem, SourceReader, SubscriptionReader, allow, hide_url, syntax};
use crate::document::DocumentsConfig;
use crate::ingress::ServerConfig;
use crate::outbound::OutboundConfig;
use crate::passive::OutConfig;
use crate::plugin::{self, PluginConfig};
use crate::store::StoreConfig;
use crate::subscription::future_start;
use crate::telemetry::{LogConfig, TelemetryConfig};
use crate::web::AdminConfig;
use anglerfish_core::config::{Document, key_path, overlap, read_document};
use anglerfish_core::problem::Problem;
use anglerfish_core::verify::Verifier;
use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// The largest configuration file, in bytes: hundreds of thousands of subscriptions.
const LONGEST: u64 = 256 << 20;

/// A whole configuration, valid but for what only the component can say. Its `Debug` form shows no secret.
#[derive(Clone)]
pub struct Config {
    /// How events are taken in and decided.
    pub server: ServerConfig,
    /// The management API.
    pub admin: AdminConfig,
    /// The listener of passive subscriptions.
    pub out: OutConfig,
    /// The listener of documents.
    pub documents: DocumentsConfig,
    /// How others are called.
    pub outbound: OutboundConfig,
    /// The store.
    pub store: StoreConfig,
    /// Log lines.
    pub log: LogConfig,
    /// Traces.
    pub telemetry: TelemetryConfig,
    /// Sources and subscriptions, with their secrets resolved and with the networks that `[server]` allows.
    pub document: Document,
    /// The APIs that are called on behalf of others, each with its place.
    pub apis: Vec<(String, ApiDefinition)>,
    /// The subscriptions as they are written, in the order of `document`, with references unresolved: what may be
    /// shown after literals have been hidden.
    pub written: Vec<Value>,
    /// The plugins that subscriptions may use.
    pub plugins: Vec<PluginConfig>,
    /// What may be meant as it stands and hardly is, at its places.
    pub warnings: Vec<ConfigProblem>,
    places: Places,
    resolver: Resolver,
}

/// A configuration that was looked at as a whole.
#[derive(Debug)]
pub struct Examination {
    /// The configuration, or every problem that it has.
    pub result: Result<Config, ConfigError>,
    /// What may be meant as it stands and hardly is; known of a configuration with problems, too.
    pub warnings: Vec<ConfigProblem>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or with every problem that it has.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        Self::examine(file, environment).result
    }

    /// The same where another clock says what is in the future, and what is in use no more.
    ///
    /// # Errors
    ///
    /// Like [`Config::load`].
    pub fn load_by(file: &Path, environment: &Environment, clock: &dyn Clock) -> Result<Self, ConfigError> {
        Self::examine_by(file, environment, clock).result
    }

    /// Reads a configuration file, and says what is odd in it also where it has problems.
    #[must_use]
    pub fn examine(file: &Path, environment: &Environment) -> Examination {
        Self::examine_by(file, environment, &SystemClock)
    }

    fn examine_by(file: &Path, environment: &Environment, clock: &dyn Clock) -> Examination {
        let shown = file.display().to_string();
        let directory = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        match read_text(file, LONGEST) {
            Ok(text) => Self::examine_text(&shown, &text, &directory, environment, clock),
            Err(error) => {
                let error = ConfigError::Unreadable { file: shown, reason: error.to_string() };
                Examination { result: Err(error), warnings: Vec::new() }
            }
        }
    }

    /// Reads a configuration file, and gives its whole document too, with the variables of the environment in it and references
    /// resolved: what another shell is given, which has neither.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or with every problem that it has.
    pub fn resolve(file: &Path, environment: &Environment) -> Result<(Self, Value), ConfigError> {
        let config = Self::load(file, environment)?;
        let shown = file.display().to_string();
        let text = read_text(file, LONGEST)
            .map_err(|error| ConfigError::Unreadable { file: shown.clone(), reason: error.to_string() })?;
        let (mut document, mut places) = syntax::parse(&shown, &text).map_err(ConfigError::Invalid)?;
        let mut problems = Vec::new();
        environment::apply(environment, section::TABLES, &mut document, &mut places, &mut problems);
        problems.extend(config.resolver.resolve_configuration(&mut document));
        if problems.is_empty() { Ok((config, document)) } else { Err(config.locate(problems)) }
    }

    /// Reads a configuration from a text. `file` is what problems call it; relative paths begin at `directory`.
    ///
    /// # Errors
    ///
    /// With every problem that it has.
    pub fn parse(
        file: &str,
        text: &str,
        directory: &Path,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        Self::examine_text(file, text, directory, environment, &SystemClock).result
    }

    fn examine_text(
        file: &str,
        text: &str,
        directory: &Path,
        environment: &Environment,
        clock: &dyn Clock,
    ) -> Examination {
        let (document, places) = match syntax::parse(file, text) {
            Ok(parsed) => parsed,
            Err(problems) => {
                return Examination { result: Err(ConfigError::Invalid(problems)), warnings: Vec::new() };
            }
        };
        let mut warnings = Vec::new();
        let around = (environment, clock);
        let mut result = Self::read(None, document, places, directory, around, &mut warnings);
        if let Ok(config) = &mut result {
            config.warnings.clone_from(&warnings);
        }
        Examination { result, warnings }
    }

    /// One whose tables are given, and whose lists (sources, subscriptions, …) are these, as a file would have them.
    ///
    /// # Errors
    ///
    /// With every problem that it has.
    pub(crate) fn of(
        tables: Sections,
        lists: Map<String, Value>,
        environment: &Environment,
        clock: &dyn Clock,
    ) -> Result<Self, ConfigError> {
        let document = Value::Object(lists);
        let (places, mut warnings) = (Places::new("builder", ""), Vec::new());
        let around = (environment, clock);
        let read = Self::read(Some(tables), document, places, Path::new(""), around, &mut warnings);
        read.map(|config| Self { warnings, ..config })
    }

    fn read(
        tables: Option<Sections>,
        mut document: Value,
        mut places: Places,
        directory: &Path,
        (environment, clock): (&Environment, &dyn Clock),
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        if tables.is_none() {
            environment::apply(environment, section::TABLES, &mut document, &mut places, &mut problems);
        }

        let mut resolved = document.clone();
        let resolver = Resolver { directory: directory.to_path_buf(), environment: environment.clone() };
        let mut odd = configuration_doubts(&document);
        let unresolved = resolver.resolve_configuration(&mut resolved);

        let is_given = tables.is_some();
        let (sections, found) =
            tables.map_or_else(|| Sections::read(&resolved), |tables| (tables, Vec::new()));
        let Sections { mut server, admin, out, documents, outbound, store, log, telemetry } = sections;
        problems.extend(found);
        if !is_given && !matches!(places.get("server.data_dir"), Some(Place::Variable(_))) {
            server.data_dir = directory.join(server.data_dir);
        }

        let Apis { apis, problems: found, odd: odd_apis } =
            apis::read(&resolved, &document, &server.allow_networks, &outbound);
        problems.extend(found);
        odd.extend(odd_apis);
        if let Some(name) = &admin.requests {
            let named = apis.iter().map(|(_, api)| &api.config).find(|api| api.name == *name);
            let problem = match named {
                None => Some(format!("there is no api {name:?}")),
                Some(api) if api.any_url => Some(format!("api {name:?} has no url of its own")),
                Some(_) => None,
            };
            problems.extend(problem.map(|problem| Problem::new("admin.requests", problem)));
        }
        let (plugins, found) = plugin::read(&resolved, directory);
        problems.extend(found);
        let routed = routing_part(resolved);
        let (mut routing, found) = match read_document(&routed) {
            Ok(document) => (document, Vec::new()),
            Err(both) => both,
        };
        problems.extend(found);
        // What stands behind a reference that leads nowhere is not known, so nothing else is said of it.
        problems.retain(|problem| !unresolved.iter().any(|other| overlap(&problem.path, &other.path)));
        problems.extend(unresolved);
        let now = millis(clock.now());
        for (path, source) in &routing.sources {
            let judged = Verifier::judge(path, &source.verification);
            let written = places.get("store.retention").is_some();
            let short = forgetful(path, source, judged.replay_window, store.retention, written);
            let judged = judged.beside(&problems);
            odd.extend(judged.warnings);
            odd.extend(review::inactive(path, source, now));
            problems.extend(short);
            problems.extend(judged.result.err().into_iter().flatten());
        }
        for (path, topic) in &routing.topics {
            problems.extend(review::long_history(path, topic, store.retention));
        }
        for (path, subscription) in &routing.subscriptions {
            problems.extend(review::tls(path, subscription));
            problems.extend(future_start(subscription.start, now).map(|problem| below(path, problem)));
            problems.extend(review::notification(path, subscription, &routing.resources));
        }
        if !problems.is_empty() {
            let subscriptions =
                document.get("subscription").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            problems.extend(filter_problems(subscriptions));
            odd.extend(review::subscriptions(
                &routed,
                subscriptions,
                &routing.sources,
                &server.allow_networks,
                &outbound,
            ));
            *warnings = located(&places, odd);
            return Err(ConfigError::Invalid(located(&places, problems)));
        }
        odd.extend(review::filters(&routing));
        // A program may serve them without a listener of the gateway's.
        odd.extend(review::unserved_topics(&routing, &out).filter(|_| !is_given));
        odd.extend(review::shadowed_topics(&routing));
        let written = match document.get_mut("subscription").map(Value::take) {
            Some(Value::Array(subscriptions)) => subscriptions,
            _ => Vec::new(),
        };
        for ((path, subscription), written) in routing.subscriptions.iter_mut().zip(&written) {
            if let Some(endpoint) = &mut subscription.endpoint {
                allow(endpoint, &server.allow_networks);
                if subscription.notification.is_some() {
                    allow(endpoint, &documents.allow_networks);
                }
                hide_url(endpoint, written);
                odd.extend(review::endpoint(path, endpoint, &outbound));
            }
            odd.extend(inert(subscription).into_iter().map(|problem| below(path, problem)));
            odd.extend(review::unsigned(subscription, now).map(|problem| below(path, problem)));
            // A program may serve them without a listener of the gateway's.
            let unserved = review::unserved(subscription, out.listen).filter(|_| !is_given);
            odd.extend(unserved.map(|problem| below(path, problem)));
        }
        *warnings = located(&places, odd);
        Ok(Self {
            server,
            admin,
            out,
            documents,
            outbound,
            store,
            log,
            telemetry,
            document: routing,
            apis,
            written,
            plugins,
            warnings: Vec::new(),
            places,
            resolver,
        })
    }

    /// Problems that were found later in this configuration's document (by the component, say), at their places.
    #[must_use]
    pub fn locate(&self, problems: Vec<Problem>) -> ConfigError {
        ConfigError::Invalid(located(&self.places, problems))
    }

    /// Reads sources that are written at run time.
    #[must_use]
    pub fn source_reader(&self) -> SourceReader {
        SourceReader::new(self.resolver.clone(), self.admin.references.clone(), self.store.retention)
    }

    /// Reads subscriptions that are written at run time.
    #[must_use]
    pub fn subscription_reader(&self) -> SubscriptionReader {
        SubscriptionReader::new(
            self.resolver.clone(),
            self.server.allow_networks.clone(),
            self.documents.allow_networks.clone(),
            self.admin.references.clone(),
            self.admin.networks.clone(),
        )
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("server", &self.server)
            .field("admin", &self.admin)
            .field("out", &self.out)
            .field("outbound", &self.outbound)
            .field("store", &self.store)
            .field("log", &self.log)
            .field("document", &self.document)
            .field("apis", &self.apis)
            .finish_non_exhaustive()
    }
}

/// A problem of a subscription, as one of the configuration.
fn below(path: &str, problem: Problem) -> Problem {
    Problem { path: key_path(path, &problem.path), ..problem }
}

/// What the core reads.
fn routing_part(document: Value) -> Value {
    let Value::Object(mut members) = document else { return Value::Null };
    let keys = ["source", "resource", "subscription", "topic"];
    Value::Object(keys.iter().filter_map(|key| members.remove_entry(*key)).collect::<Map<_, _>>())
}

fn located(places: &Places, problems: Vec<Problem>) -> Vec<ConfigProblem> {
    let mut located: Vec<ConfigProblem> =
        problems.into_iter().map(|problem| places.locate(problem)).collect();
    located.sort_by_key(|problem| (problem.line.unwrap_or(0), problem.column));
    located
}
