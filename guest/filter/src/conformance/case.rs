//! One case of the specification's suite.

use super::typed;
use crate::eval::Evaluator;
use crate::fact::Bindings;
use crate::{Environment, Expression, Limits, Shape};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One case of the suite.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The file of the suite.
    pub file: String,
    /// The section of the file.
    pub section: String,
    /// The name in the section.
    pub name: String,
    /// The expression.
    pub expr: String,
    /// Variables and their values.
    #[serde(default)]
    bindings: BTreeMap<String, serde_json::Value>,
    /// A typed value, `{"error": true}`, or nothing if the case is only about types.
    #[serde(default)]
    expected: Option<serde_json::Value>,
    /// The namespace of the expression.
    #[serde(default)]
    container: String,
    #[serde(default)]
    disable_check: bool,
    #[serde(default)]
    disable_macros: bool,
    #[serde(default)]
    check_only: bool,
    #[serde(default)]
    type_env: Vec<Declaration>,
}

#[derive(Debug, Deserialize)]
struct Declaration {
    name: String,
    #[serde(default)]
    decl: String,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// The value was the expected one, or there was an error where one was expected.
    Passed,
    /// Something else.
    Failed(String),
    /// It was not run.
    Skipped(String),
}

impl Case {
    /// The file, section and name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}/{}", self.file, self.section, self.name)
    }

    /// Runs the case.
    #[must_use]
    pub fn run(&self) -> CaseResult {
        let skipped = |why: &str| CaseResult::Skipped(why.to_owned());
        if self.check_only {
            return skipped("asks for the deduced type only; types are checked here, but not reported");
        }
        if self.disable_macros {
            return skipped("macros cannot be turned off");
        }
        if self.expr.contains("cel.block(") || self.expr.contains("cel.iterVar(") {
            return skipped("cel.block is what an optimiser makes, not what people write");
        }
        let Some(expected) = &self.expected else { return skipped("expects nothing that can be compared") };
        let error = expected.get("error").and_then(serde_json::Value::as_bool) == Some(true);
        match (self.value(expected), error) {
            (Ok(None), _) => CaseResult::Passed,
            (Ok(Some(difference)), false) => CaseResult::Failed(difference),
            (Ok(Some(difference)), true) => {
                CaseResult::Failed(format!("an error was expected: {difference}"))
            }
            (Err(_), true) => CaseResult::Passed,
            (Err(why), false) => CaseResult::Failed(why),
        }
    }

    /// Evaluates; the difference between the value and the expected one, or why there is none.
    fn value(&self, expected: &serde_json::Value) -> Result<Option<String>, String> {
        // The limits are a filter's, so that the suite shows that they suffice; one expression is a few bytes longer.
        let limits = Limits { length: 1 << 15, ..Limits::FILTER };
        let mut environment = Environment::new(&self.container, !self.disable_check, limits);
        let mut variables = Vec::new();
        for (name, value) in &self.bindings {
            let value = typed::value(value).ok_or("a binding cannot be read")?;
            let root = environment.declare(name, Shape::Any).ok_or("too many variables")?;
            variables.push((root, value));
        }
        for declaration in &self.type_env {
            if !declaration.decl.contains(" function {") && !self.bindings.contains_key(&declaration.name) {
                environment.declare(&declaration.name, Shape::Any);
            }
        }
        let expression =
            Expression::compile_in(&environment, &self.expr).map_err(|error| error.to_string())?;
        let facts = Bindings::new(expression.paths(), variables);
        let mut evaluator = Evaluator::new(expression.program(), &facts, expression.steps());
        let value = evaluator.value(expression.program().root()).map_err(|error| error.to_string())?;
        Ok((!typed::same(&value, expected)).then(|| format!("{value:?} is not {expected}")))
    }
}
