//! One expression, from its text to its verdict.

use crate::environment::Environment;
use crate::eval::EvalError;
use crate::eval::Evaluator;
use crate::explain::{Explanation, explain};
use crate::fact::Facts;
use crate::failure::Failure;
use crate::ir::{NodeId, Path, Program, Root, Span};
use crate::lower::{Lowered, lower};
use crate::problem::CompileError;
use crate::projection::to_json;
use crate::syntax::parse;
use crate::value::Value;
use std::sync::LazyLock;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Expression {
    program: Program,
    /// The paths that the program reads, each once.
    paths: Box<[Path]>,
    source: Box<str>,
    /// Where each node of the program stands in the source text.
    spans: Box<[Span]>,
    steps: u32,
}

impl Expression {
    /// Compiles a subscription's filter: see [`Environment::filter`].
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        static FILTER: LazyLock<Environment> = LazyLock::new(Environment::filter);
        Self::compile_in(&FILTER, text)
    }

    /// Compiles the filter of a resource's subscriber: see [`Environment::documents`].
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn compile_for_documents(text: &str) -> Result<Self, CompileError> {
        static DOCUMENTS: LazyLock<Environment> = LazyLock::new(Environment::documents);
        Self::compile_in(&DOCUMENTS, text)
    }

    /// Compiles an expression that sees what a filter does and may have any value: see [`Environment::value`].
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn compile_value(text: &str) -> Result<Self, CompileError> {
        static VALUE: LazyLock<Environment> = LazyLock::new(Environment::value);
        Self::compile_in(&VALUE, text)
    }

    /// Compiles an expression in an environment of its own.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn compile_in(environment: &Environment, text: &str) -> Result<Self, CompileError> {
        let tree = parse(text, environment.limits()).map_err(|fault| CompileError::new(text, vec![fault]))?;
        let Lowered { program, paths, spans } =
            lower(&tree, environment).map_err(|faults| CompileError::new(text, faults))?;
        Ok(Self { program, paths, source: text.into(), spans, steps: environment.limits().steps })
    }

    /// Whether the event is a match.
    ///
    /// # Errors
    /// The expression has no value for this event, or one that is not a bool. That is not a match.
    pub fn evaluate<F: Facts + ?Sized>(&self, facts: &F) -> Result<bool, EvalError> {
        Evaluator::new(&self.program, facts, self.steps).test()
    }

    /// The value as text: a string as it is, a number or a bool as JSON writes it.
    ///
    /// # Errors
    /// The expression has no value for this event, or one that is none of these.
    pub fn evaluate_text<F: Facts + ?Sized>(&self, facts: &F) -> Result<String, EvalError> {
        let node = self.program.root();
        match Evaluator::new(&self.program, facts, self.steps).value(node)? {
            Value::String(text) => Ok(text.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Int(value) => Ok(value.to_string()),
            Value::Uint(value) => Ok(value.to_string()),
            // Without a fraction it is written as the integer that it is: JSON does not tell them apart.
            Value::Double(value) => Ok(value.to_string()),
            other => Err(EvalError { failure: Failure::NotText(other.kind()), node }),
        }
    }

    /// The value as JSON text of at most `most` bytes: see [`to_json`].
    ///
    /// # Errors
    /// The expression has no value for this event, or one that JSON cannot say, or its text is longer.
    pub fn evaluate_json<F: Facts + ?Sized>(&self, facts: &F, most: usize) -> Result<String, EvalError> {
        let node = self.program.root();
        let value = Evaluator::new(&self.program, facts, self.steps).value(node)?;
        to_json(&value, most).map_err(|failure| EvalError { failure, node })
    }

    /// Why the event is a match or not: the first part that made the expression false or failed, with its values from the event.
    #[must_use]
    pub fn explain<F: Facts + ?Sized>(&self, facts: &F) -> Explanation {
        explain(self, facts)
    }

    /// The lowered form.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The paths that the expression reads, each once.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Whether a filter on documents looks at what its subscriber has.
    #[must_use]
    pub fn names_old(&self) -> bool {
        let is_old = |path: &Path| path.fields.iter().next() == Some(Environment::OLD);
        self.paths.iter().any(|path| path.root == Root::MESSAGE && is_old(path))
    }

    /// The text that a node of the program was made of.
    #[must_use]
    pub fn text(&self, node: NodeId) -> &str {
        self.span(node).of(&self.source)
    }

    /// Where that text stands.
    #[must_use]
    pub fn span(&self, node: NodeId) -> Span {
        self.spans.get(node.index()).copied().unwrap_or_default()
    }

    /// How many steps one evaluation may take.
    #[must_use]
    pub const fn steps(&self) -> u32 {
        self.steps
    }
}
