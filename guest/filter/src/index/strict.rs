//! Paths without which a condition fails.

use crate::function::Function;
use crate::ir::{Fold, Node, NodeId, PathId, Program};

/// Adds the paths that evaluating `node` always reads, so that it is an error if one is not there.
pub(super) fn strict_paths(program: &Program, node: NodeId, paths: &mut Vec<PathId>) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match program.node(node) {
            Node::Path(path) => paths.push(path),
            Node::Not(inner) | Node::Negate(inner) => open.push(inner),
            Node::Compare { left, right, .. } | Node::Arithmetic { left, right, .. } => {
                open.extend([left, right])
            }
            Node::In { item, container } => open.extend([item, container]),
            Node::Index { target, index } => open.extend([target, index]),
            Node::Select { target, .. } | Node::HasField { target, .. } => open.push(target),
            Node::Conditional { condition, .. } => open.push(condition),
            Node::Matches { subject, .. } => open.push(subject),
            Node::Call { function, arguments } => {
                // The second side of or() and orValue() is only looked at if it is needed.
                let all = program.children(arguments);
                let lazy = matches!(function, Function::Or | Function::OrValue);
                open.extend(all.iter().take(if lazy { 1 } else { all.len() }));
            }
            Node::Comprehension(scope) => {
                if let Some(comprehension) = program.comprehension(scope)
                    && !matches!(comprehension.fold, Fold::Bind | Fold::Optional | Fold::FlatOptional)
                {
                    open.push(comprehension.range);
                }
            }
            // `&&` and `||` absorb errors; everything about optionals is left alone.
            _ => {}
        }
    }
}
