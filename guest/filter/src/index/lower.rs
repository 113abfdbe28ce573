//! Making gates of a program.

use super::gate::{Gate, GateId, Hint, Opaque, Shortcut};
use super::graph::Graph;
use super::roots::{Roots, acquire};
use super::scalar::{BorrowedScalar, Scalar};
use super::test::Test;
use crate::function::Function;
use crate::ir::{Children, Comparison, Comprehension, Fold, Node, NodeId, Path, PathId, Program, Slot};
use crate::json::{self, Step, Trie};
use crate::value::Value;

/// A program on its way into a graph.
pub(crate) struct Lowering<'t> {
    pub(crate) program: &'t Program,
    /// The program's paths.
    pub(crate) paths: &'t [Path],
    pub(crate) graph: &'t mut Graph,
    pub(crate) trie: &'t mut Trie,
    pub(crate) roots: &'t Roots,
}

/// The paths that variables of comprehensions stand for, in a hint.
type Scope = [(Slot, json::NodeId)];

impl Lowering<'_> {
    /// The gate of the whole program; the caller holds one use of it.
    pub(crate) fn whole(&mut self) -> GateId {
        self.gate(self.program.root())
    }

    fn intern(&mut self, gate: Gate) -> GateId {
        self.graph.intern(gate, self.trie)
    }

    fn gate(&mut self, node: NodeId) -> GateId {
        match self.simple(node, &[]) {
            Some(gate) => self.intern(gate),
            None => match self.program.node(node) {
                Node::Not(inner) => {
                    let inner = self.gate(inner);
                    self.intern(Gate::Not(inner))
                }
                Node::And(run) => {
                    let parts = self.parts(run);
                    self.junction(parts, true)
                }
                Node::Or(run) => {
                    let parts = self.parts(run);
                    self.junction(parts, false)
                }
                Node::Conditional { condition, then, otherwise } => {
                    let gate = Gate::Choose(self.gate(condition), self.gate(then), self.gate(otherwise));
                    self.intern(gate)
                }
                _ => self.opaque(node),
            },
        }
    }

    fn parts(&mut self, run: Children) -> Vec<GateId> {
        self.program.children(run).iter().map(|child| self.gate(*child)).collect()
    }

    fn junction(&mut self, parts: Vec<GateId>, and: bool) -> GateId {
        junction(self.graph, self.trie, parts, and)
    }

    /// A test of one path or a constant.
    fn simple(&mut self, node: NodeId, scope: &Scope) -> Option<Gate> {
        match self.program.node(node) {
            Node::Constant(id) => match self.program.constant(id) {
                Value::Bool(value) => Some(Gate::Constant(*value)),
                _ => None,
            },
            Node::Path(_) | Node::Local(_) | Node::Select { .. } => {
                Some(Gate::Test(self.path(node, scope)?, Test::Truth))
            }
            Node::Has(path) => Some(Gate::Test(self.acquire(path)?, Test::Has)),
            Node::Compare { relation, left, right } => {
                let (relation, path, constant) = match (self.scalar(left), self.scalar(right)) {
                    (None, Some(constant)) => (relation, left, constant),
                    (Some(constant), None) => (relation.mirrored(), right, constant),
                    _ => return None,
                };
                Some(Gate::Test(self.path(path, scope)?, Test::Compare(relation, constant)))
            }
            Node::In { item, container } => {
                let Node::Constant(list) = self.program.node(container) else { return None };
                let Value::List(list) = self.program.constant(list) else { return None };
                let mut constants = Vec::with_capacity(list.len());
                for value in list.iter() {
                    constants.extend(BorrowedScalar::of(value)?.canonical().map(|seen| Scalar::from(&seen)));
                }
                Some(Gate::Test(self.path(item, scope)?, Test::In(set(constants))))
            }
            Node::Call { function, arguments } => {
                let [subject, part] = *self.program.children(arguments) else { return None };
                let Some(Scalar::Text(part)) = self.scalar(part) else { return None };
                let test = match function {
                    Function::StartsWith => Test::Prefix(part),
                    Function::EndsWith => Test::Suffix(part),
                    Function::Contains => Test::Contains(part),
                    _ => return None,
                };
                Some(Gate::Test(self.path(subject, scope)?, test))
            }
            _ => None,
        }
    }

    fn scalar(&self, node: NodeId) -> Option<Scalar> {
        match self.program.node(node) {
            Node::Constant(id) => Scalar::new(self.program.constant(id)),
            _ => None,
        }
    }

    fn acquire(&mut self, path: PathId) -> Option<json::NodeId> {
        let path = self.paths.get(path.0 as usize)?;
        Some(acquire(self.trie, self.roots, path))
    }

    /// The path that a node reads; in a hint also one from a variable. The caller holds one use of it.
    fn path(&mut self, node: NodeId, scope: &Scope) -> Option<json::NodeId> {
        match self.program.node(node) {
            Node::Path(path) => self.acquire(path),
            Node::Local(slot) => {
                let path = scope.iter().find(|(variable, _)| *variable == slot).map(|(_, path)| *path)?;
                self.trie.hold(path);
                Some(path)
            }
            Node::Select { target, field } => {
                let target = self.path(target, scope)?;
                let path = self.trie.acquire(target, &Step::Key(self.program.text(field)));
                self.trie.release(target);
                Some(path)
            }
            _ => None,
        }
    }

    fn opaque(&mut self, node: NodeId) -> GateId {
        let (paths, trie, roots) = (self.paths, &mut *self.trie, self.roots);
        let program = self.graph.excerpt(self.program, node, |path| match paths.get(path.0 as usize) {
            Some(named) => acquire(trie, roots, named).into(),
            None => path,
        });
        let hint = self.hint(node, &[]);
        self.intern(Gate::Opaque(Shortcut::NONE, Box::new(Opaque { program, hint })))
    }

    /// What must hold for some element of a list at a path if `node` is true.
    fn hint(&mut self, node: NodeId, scope: &Scope) -> Option<Hint> {
        match self.program.node(node) {
            Node::In { item, container } => {
                let constant = self.scalar(item)?;
                let path = self.path(container, scope)?;
                let each = self.trie.acquire(path, &Step::Each);
                let gate = self.intern(Gate::Test(each, Test::Compare(Comparison::Equal, constant)));
                Some(Hint { path, gate })
            }
            Node::Comprehension(id) => {
                let comprehension = *self.program.comprehension(id)?;
                let Comprehension {
                    fold: Fold::Exists | Fold::ExistsOne, slot, variables, range, body, ..
                } = comprehension
                else {
                    return None;
                };
                let path = self.path(range, scope)?;
                let each = self.trie.acquire(path, &Step::Each);
                let element = Slot(slot.0 + u16::from(variables.saturating_sub(1)));
                let mut inner = scope.to_vec();
                inner.push((element, each));
                let gate = self.hinted(body, &inner);
                self.trie.release(each);
                Some(Hint { path, gate })
            }
            _ => None,
        }
    }

    /// A gate that is true whenever `node` is true with the variables standing for the paths in `scope`.
    fn hinted(&mut self, node: NodeId, scope: &Scope) -> GateId {
        let gate = match self.simple(node, scope) {
            Some(gate) => gate,
            None => match self.program.node(node) {
                Node::And(run) | Node::Or(run) => {
                    let and = matches!(self.program.node(node), Node::And(_));
                    let parts =
                        self.program.children(run).iter().map(|part| self.hinted(*part, scope)).collect();
                    return self.junction(parts, and);
                }
                _ => Gate::Unknown,
            },
        };
        self.intern(gate)
    }
}

/// A gate, which comes with one use, true only of events of these sources.
pub(crate) fn within(
    graph: &mut Graph,
    trie: &mut Trie,
    roots: &Roots,
    gate: GateId,
    sources: &[&str],
) -> GateId {
    let constants = set(sources.iter().map(|source| Scalar::Text(Box::from(*source))).collect());
    trie.hold(roots.source);
    let mut parts = vec![graph.intern(Gate::Test(roots.source, Test::In(constants)), trie)];
    match graph.gate(gate) {
        Gate::Constant(true) => {}
        // The conjunction stays one, so that each of its parts can be a witness.
        Gate::And(inner) => {
            parts.extend(inner);
            parts.iter().skip(1).for_each(|part| graph.hold(*part));
            graph.release(gate, trie);
        }
        _ => parts.push(gate),
    }
    junction(graph, trie, parts, true)
}

/// The constants of an `in` list in their one order, each once.
fn set(constants: Vec<Scalar>) -> Box<[Scalar]> {
    let mut set: Vec<Scalar> = Vec::with_capacity(constants.len());
    for constant in constants {
        if let Err(place) = set.binary_search_by(|other| other.seen().arrange(constant.seen())) {
            set.insert(place, constant);
        }
    }
    set.into()
}

/// A conjunction or disjunction of gates, each of which comes with one use: what is cheap comes first, and the order written
/// does not matter, as CEL has it.
pub(super) fn junction(graph: &mut Graph, trie: &mut Trie, parts: Vec<GateId>, and: bool) -> GateId {
    let mut set: Vec<(bool, GateId)> = Vec::with_capacity(parts.len());
    for part in parts {
        let cost = (graph.is_heavy(part), part);
        match set.binary_search(&cost) {
            Ok(_) => graph.release(part, trie),
            Err(place) => set.insert(place, cost),
        }
    }
    let parts = || set.iter().map(|(_, part)| *part).collect();
    match *set {
        [(_, only)] => only,
        _ if and => graph.intern(Gate::And(parts()), trie),
        _ => graph.intern(Gate::Or(parts()), trie),
    }
}
