//! Reading expressions that may have any value.

use crate::node::Node;
use anglerfish_filter::Expression;

/// A longer expression is none that a person wrote.
const LONGEST: usize = 8000;

/// The text of an expression that can be used.
pub(super) fn read(node: &Node<'_>) -> Option<String> {
    let text = node.text_up_to(LONGEST)?;
    compiles(node, text).then(|| text.to_owned())
}

/// Whether an expression can be used; what is wrong is reported.
pub(super) fn compiles(node: &Node<'_>, text: &str) -> bool {
    let Err(error) = Expression::compile_value(text) else { return true };
    for problem in error.problems {
        node.report(format!("line {}, column {}: {}", problem.line, problem.column, problem.message));
    }
    false
}
