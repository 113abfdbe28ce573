//! What can still be true of an event that lacks something.

use super::gate::{Gate, GateId};
use super::graph::Graph;
use super::strict::strict_paths;
use crate::json::NodeId;

/// Whether a gate can be true (or, without `truth`, false) of an event in which every test of a path that `is_missing` fails. What is not
/// known is possible.
pub(crate) fn is_possible(
    graph: &Graph,
    gate: GateId,
    truth: bool,
    is_missing: &dyn Fn(NodeId) -> bool,
) -> bool {
    let possible = |gate: &GateId, truth| is_possible(graph, *gate, truth, is_missing);
    match graph.gate(gate) {
        Gate::Constant(value) => *value == truth,
        Gate::Test(path, _) => !is_missing(*path),
        Gate::Not(inner) => possible(inner, !truth),
        Gate::And(parts) if truth => parts.iter().all(|part| possible(part, true)),
        Gate::Or(parts) if !truth => parts.iter().all(|part| possible(part, false)),
        Gate::And(parts) | Gate::Or(parts) => parts.iter().any(|part| possible(part, truth)),
        Gate::Choose(condition, then, otherwise) => {
            (possible(condition, true) && possible(then, truth))
                || (possible(condition, false) && possible(otherwise, truth))
        }
        Gate::Opaque(_, opaque) => {
            let mut missing = false;
            strict_paths(&opaque.program, &mut |path| missing |= is_missing(path.into()));
            !missing
        }
        Gate::Unknown => true,
    }
}
