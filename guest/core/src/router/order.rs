//! By what a subscription's deliveries are ordered.

use super::filters::FilterInput;
use crate::config::OrderingConfig;
use anglerfish_filter::table::ExpressionView;
use anglerfish_filter::{CompileError, Expression};
use sha2::{Digest, Sha256};

/// A longer key is told by its digest, in bytes: the store has it in an index.
const LONGEST: usize = 200;

/// By what a subscription's deliveries are ordered.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// All of them are.
    Whole,
    /// Those are whose events have the same value.
    By(Box<Expression>),
}

impl Order {
    /// Compiles the expression, if there is one.
    pub(super) fn compile(config: &OrderingConfig) -> Result<Option<Self>, CompileError> {
        Ok(match config {
            OrderingConfig::None => None,
            OrderingConfig::Subscription => Some(Self::Whole),
            OrderingConfig::Key(text) => Some(Self::By(Box::new(Expression::compile_value(text)?))),
        })
    }

    /// The key of an event. Events without a value have one key together: that keeps more in order than was asked for, and
    /// never less. It is none that a value can have.
    pub(super) fn key(&self, input: FilterInput<'_>, data: &[u8]) -> String {
        let Self::By(expression) = self else { return String::new() };
        let value = input.with(|seen| {
            ExpressionView::new(expression, seen, Some(data)).with(|facts| expression.evaluate_text(facts))
        });
        match value {
            Err(_) => String::new(),
            Ok(text) => bounded(&text),
        }
    }
}

/// The ordering key of a document's deliveries, by its URL.
#[must_use]
pub fn document_lane(url: &str) -> String {
    bounded(url)
}

/// The key of a value.
pub(super) fn bounded(text: &str) -> String {
    if text.len() > LONGEST {
        return format!("#{}", hex::encode(Sha256::digest(text)));
    }
    format!("={text}")
}
