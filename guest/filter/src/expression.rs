//! One expression, from its text to its verdict.

use crate::environment::Environment;
use crate::eval::Evaluator;
use crate::explain::{Explanation, explain};
use crate::fact::Facts;
use crate::failure::EvalError;
use crate::ir::Program;
use crate::lower::lower;
use crate::problem::CompileError;
use crate::syntax::parse;
use std::sync::LazyLock;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Expression {
    program: Program,
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

    /// Compiles an expression in an environment of its own.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn compile_in(environment: &Environment, text: &str) -> Result<Self, CompileError> {
        let tree = parse(text, environment.limits()).map_err(|fault| CompileError::new(text, vec![fault]))?;
        let program = lower(text, &tree, environment).map_err(|faults| CompileError::new(text, faults))?;
        Ok(Self { program, steps: environment.limits().steps })
    }

    /// Whether the event is a match.
    ///
    /// # Errors
    /// The expression has no value for this event, or one that is not a bool. That is not a match.
    pub fn evaluate<F: Facts + ?Sized>(&self, facts: &F) -> Result<bool, EvalError> {
        Evaluator::new(&self.program, facts, self.steps).test()
    }

    /// Why the event is a match or not: the first part that made the expression false or failed, with its values from the event.
    #[must_use]
    pub fn explain<F: Facts + ?Sized>(&self, facts: &F) -> Explanation {
        explain(&self.program, self.program.paths(), facts, self.steps)
    }

    /// The lowered form.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The lowered form, for a table of many.
    #[must_use]
    pub fn into_program(self) -> Program {
        self.program
    }

    /// How many steps one evaluation may take.
    #[must_use]
    pub const fn steps(&self) -> u32 {
        self.steps
    }
}
