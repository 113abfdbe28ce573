//! Evaluating list and map literals whose elements are not all constant.

use super::EvalError;
use super::Evaluator;
use crate::fact::Facts;
use crate::failure::Failure;
use crate::ir::{Children, Node, NodeId};
use crate::value::{Key, Map, Value};

impl<'a, F: Facts + ?Sized> Evaluator<'a, F> {
    /// The value of an element, or nothing for an optional one that is none.
    fn element(&mut self, id: NodeId) -> Result<Option<Value<'a>>, EvalError> {
        let Node::Optional(inner) = self.program.node(id) else { return self.operand(id).map(Some) };
        match self.operand(inner)? {
            Value::Optional(value) => Ok(value.map(|value| (*value).clone())),
            _ => Err(EvalError { failure: Failure::NoOverload, node: id }),
        }
    }

    pub(super) fn list(&mut self, elements: Children, _id: NodeId) -> Result<Value<'a>, EvalError> {
        let elements = self.program.children(elements);
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            values.extend(self.element(*element)?);
        }
        Ok(Value::list(values))
    }

    pub(super) fn map(&mut self, entries: Children, id: NodeId) -> Result<Value<'a>, EvalError> {
        let children = self.program.children(entries);
        let mut entries = Vec::with_capacity(children.len() / 2);
        for pair in children.chunks_exact(2) {
            let [key, value] = *pair else { continue };
            let named = self.operand(key)?;
            let named = Key::new(named).ok_or(EvalError { failure: Failure::BadKey, node: key })?;
            if let Some(value) = self.element(value)? {
                entries.push((named, value));
            }
        }
        Map::try_new(entries)
            .map(Value::Map)
            .map_err(|_| EvalError { failure: Failure::DuplicateKey, node: id })
    }
}
