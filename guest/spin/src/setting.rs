//! The component's variables, but for the configuration itself.

use anglerfish_core::config::AccessToken;
use spin_sdk::variables;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

/// The largest accepted body where the variable is not set: what the native shell takes.
const MAX_BODY: usize = 1024 * 1024;

/// How long a body may take where the variable is not set, in milliseconds: what the native shell allows.
const BODY_TIMEOUT: u64 = 30_000;

/// How long what is settled is kept where the variable is not set, in hours: a week.
const RETENTION: u64 = 7 * 24;

/// Characters that a token has at least: it must not be guessed.
const SHORTEST_TOKEN: usize = 16;

const HOUR: u64 = 3_600_000;

thread_local! {
    static SETTINGS: RefCell<Option<Rc<Settings>>> = const { RefCell::new(None) };
    static KEPT: Cell<u64> = const { Cell::new(RETENTION * HOUR) };
}

/// What the variables say.
pub(crate) struct Settings {
    /// The largest accepted body, in bytes.
    pub(crate) max_body: usize,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
    /// Who may do anything; nobody if it is not set.
    pub(crate) admin: Vec<AccessToken>,
    /// Who may have the outbox drained, beside those.
    pub(crate) drain: Vec<AccessToken>,
    /// Who may put, show and delete documents, beside those who may do anything.
    pub(crate) documents: Vec<AccessToken>,
}

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("the variable {0:?} cannot be read: {1}")]
    Variable(&'static str, variables::Error),
    #[error("the variable {0:?} is not a whole number")]
    Number(&'static str),
    #[error("the variable {0:?} is no token: it has to have {SHORTEST_TOKEN} characters at least")]
    Token(&'static str),
    #[error("the variable \"retention_hours\" has to be between 1 and 87600")]
    Retention,
}

impl SettingError {
    /// What anybody may know who asks whether the app is ready.
    pub(crate) fn public(&self) -> String {
        match self {
            Self::Variable(name, _) => format!("the variable {name:?} cannot be read"),
            other => other.to_string(),
        }
    }
}

/// The settings of this instance, read at its first request.
pub(crate) async fn settings() -> Result<Rc<Settings>, SettingError> {
    if let Some(settings) = SETTINGS.with_borrow(Clone::clone) {
        return Ok(settings);
    }
    let hours = number("retention_hours", RETENTION).await?;
    if !(1..=87_600).contains(&hours) {
        return Err(SettingError::Retention);
    }
    let settings = Rc::new(Settings {
        max_body: number("max_body_bytes", MAX_BODY).await?,
        body_timeout: Duration::from_millis(number("body_timeout_ms", BODY_TIMEOUT).await?),
        admin: token("admin_token").await?,
        drain: token("drain_token").await?,
        documents: token("documents_token").await?,
    });
    KEPT.set(hours * HOUR);
    SETTINGS.set(Some(Rc::clone(&settings)));
    Ok(settings)
}

/// How long what is settled is kept, in milliseconds.
pub(crate) fn retention() -> u64 {
    KEPT.get()
}

/// A variable that may be missing.
pub(crate) async fn text(name: &'static str) -> Result<Option<String>, SettingError> {
    match variables::get(name).await {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(variables::Error::Undefined(_)) => Ok(None),
        Err(error) => Err(SettingError::Variable(name, error)),
    }
}

async fn number<T: FromStr>(name: &'static str, default: T) -> Result<T, SettingError> {
    match text(name).await? {
        Some(text) => text.parse().map_err(|_| SettingError::Number(name)),
        None => Ok(default),
    }
}

async fn token(name: &'static str) -> Result<Vec<AccessToken>, SettingError> {
    let Some(text) = text(name).await? else { return Ok(Vec::new()) };
    if text.chars().count() < SHORTEST_TOKEN {
        return Err(SettingError::Token(name));
    }
    AccessToken::parse(&text).map(|token| vec![token]).map_err(|_| SettingError::Token(name))
}
