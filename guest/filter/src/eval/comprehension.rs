//! Evaluating comprehensions.

use super::EvalError;
use super::Evaluator;
use crate::fact::Facts;
use crate::failure::Failure;
use crate::ir::{Comprehension, Fold, NodeId, ScopeId};
use crate::value::{Key, List, Map, Value};

/// What a fold has gathered so far.
#[derive(Default)]
struct Accumulator<'a> {
    values: Vec<Value<'a>>,
    entries: Vec<(Key<'a>, Value<'a>)>,
    hits: usize,
    /// The first error that a later element may still absorb.
    error: Option<EvalError>,
}

impl<'a, F: Facts + ?Sized> Evaluator<'a, F> {
    pub(super) fn comprehension(&mut self, scope: ScopeId, id: NodeId) -> Result<Value<'a>, EvalError> {
        let fail = |failure| EvalError { failure, node: id };
        let Some(scope) = self.program.comprehension(scope).copied() else {
            return Err(fail(Failure::NoOverload));
        };
        let range = self.operand(scope.range)?;
        match scope.fold {
            Fold::Bind => return self.with(&scope, range, None, |this| this.value(scope.body)),
            Fold::Optional | Fold::FlatOptional => {
                let Value::Optional(range) = range else { return Err(fail(Failure::NoOverload)) };
                let Some(range) = range else { return Ok(Value::Optional(None)) };
                let value = self.with(&scope, (*range).clone(), None, |this| this.value(scope.body))?;
                return match (scope.fold, value) {
                    (Fold::Optional, value) => Ok(Value::Optional(Some(value.into()))),
                    (_, value @ Value::Optional(_)) => Ok(value),
                    _ => Err(fail(Failure::NoOverload)),
                };
            }
            _ => {}
        }
        let mut gathered = Accumulator::default();
        match &range {
            Value::List(list) => {
                for (at, element) in list.iter().enumerate() {
                    let (first, second) = if scope.variables == 1 {
                        (element.clone(), None)
                    } else {
                        (Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), Some(element.clone()))
                    };
                    let key = || Some(Key::Int(i64::try_from(at).unwrap_or(i64::MAX)));
                    if let Some(decided) = self.element_of(&scope, first, second, key, &mut gathered, id)? {
                        return Ok(Value::Bool(decided));
                    }
                }
            }
            Value::Map(map) => {
                for (key, value) in map.entries() {
                    let second = (scope.variables == 2).then(|| value.clone());
                    let entry = || Some(key.clone());
                    if let Some(decided) =
                        self.element_of(&scope, key.value(), second, entry, &mut gathered, id)?
                    {
                        return Ok(Value::Bool(decided));
                    }
                }
            }
            _ => return Err(fail(Failure::NoOverload)),
        }
        if let Some(error) = gathered.error {
            return Err(error);
        }
        Ok(match scope.fold {
            Fold::All => Value::Bool(true),
            Fold::Exists => Value::Bool(false),
            Fold::ExistsOne => Value::Bool(gathered.hits == 1),
            Fold::Map | Fold::Entries => {
                Value::Map(Map::try_new(gathered.entries).map_err(|_| fail(Failure::DuplicateKey))?)
            }
            _ => Value::List(List::new(gathered.values)),
        })
    }

    /// Evaluates with the scope's variables set.
    fn with<T>(
        &mut self,
        scope: &Comprehension,
        first: Value<'a>,
        second: Option<Value<'a>>,
        run: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let outer = usize::from(scope.slot.0);
        self.locals.truncate(outer);
        self.locals.push(first);
        self.locals.extend(second);
        let result = run(self);
        self.locals.truncate(outer);
        result
    }

    /// Takes one element into the fold; a value, if that decides it.
    fn element_of(
        &mut self,
        scope: &Comprehension,
        first: Value<'a>,
        second: Option<Value<'a>>,
        key: impl FnOnce() -> Option<Key<'a>>,
        gathered: &mut Accumulator<'a>,
        id: NodeId,
    ) -> Result<Option<bool>, EvalError> {
        let kept = (scope.fold == Fold::Filter).then(|| first.clone());
        self.with(scope, first, second, |this| {
            if let Some(filter) = scope.filter
                && !this.truth(filter)?
            {
                return Ok(None);
            }
            match scope.fold {
                Fold::All | Fold::Exists => {
                    let decisive = scope.fold == Fold::Exists;
                    match this.truth(scope.body) {
                        Ok(truth) if truth == decisive => return Ok(Some(decisive)),
                        Ok(_) => {}
                        Err(exhausted) if exhausted.failure == Failure::Exhausted => return Err(exhausted),
                        Err(error) => gathered.error = gathered.error.or(Some(error)),
                    }
                }
                Fold::ExistsOne => gathered.hits += usize::from(this.truth(scope.body)?),
                Fold::Filter => {
                    if this.truth(scope.body)? {
                        gathered.values.extend(kept);
                    }
                }
                Fold::Map => {
                    let value = this.value(scope.body)?;
                    gathered.entries.extend(key().map(|key| (key, value)));
                }
                Fold::Entries => match this.value(scope.body)? {
                    Value::Map(map) => {
                        this.budget
                            .spend(map.len())
                            .map_err(|_| EvalError { failure: Failure::Exhausted, node: id })?;
                        gathered.entries.extend(map.entries().iter().cloned());
                    }
                    _ => return Err(EvalError { failure: Failure::NoOverload, node: id }),
                },
                _ => gathered.values.push(this.value(scope.body)?),
            }
            Ok(None)
        })
    }
}
