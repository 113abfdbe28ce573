//! Paths without which a condition fails.

use crate::function::Function;
use crate::ir::{Fold, Node, NodeId, PathId, Program};

/// Tells the paths that evaluating a program always reads, so that it is an error if one is not there.
pub(super) fn strict_paths(program: &Program, tell: &mut impl FnMut(PathId)) {
    below(program, program.root(), tell);
}

/// As deep as the program, which is bounded.
fn below(program: &Program, node: NodeId, tell: &mut impl FnMut(PathId)) {
    match program.node(node) {
        Node::Path(path) => tell(path),
        Node::Not(one)
        | Node::Negate(one)
        | Node::Select { target: one, .. }
        | Node::HasField { target: one, .. }
        | Node::Conditional { condition: one, .. }
        | Node::Matches { subject: one, .. } => below(program, one, tell),
        Node::Compare { left: one, right: two, .. }
        | Node::Arithmetic { left: one, right: two, .. }
        | Node::In { item: one, container: two }
        | Node::Index { target: one, index: two } => {
            below(program, one, tell);
            below(program, two, tell);
        }
        Node::Call { function, arguments } => {
            // The second side of or() and orValue() is only looked at if it is needed.
            let all = program.children(arguments);
            let lazy = matches!(function, Function::Or | Function::OrValue);
            let read = all.iter().take(if lazy { 1 } else { all.len() });
            read.for_each(|argument| below(program, *argument, tell));
        }
        Node::Comprehension(scope) => {
            if let Some(comprehension) = program.comprehension(scope)
                && !matches!(comprehension.fold, Fold::Bind | Fold::Optional | Fold::FlatOptional)
            {
                below(program, comprehension.range, tell);
            }
        }
        // `&&` and `||` absorb errors; everything about optionals is left alone.
        _ => {}
    }
}
