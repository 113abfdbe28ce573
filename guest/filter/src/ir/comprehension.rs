//! Comprehensions: what `all`, `exists`, `map` and their like become.

use super::{NodeId, Slot};

/// What a comprehension makes of the values of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// `all`: a conjunction over the elements.
    All,
    /// `exists`: a disjunction over the elements.
    Exists,
    /// `exists_one` and `existsOne`: whether the body is true for exactly one.
    ExistsOne,
    /// `map` and `transformList`: the list of the bodies' values.
    List,
    /// `filter`: the list of the elements for which the body is true.
    Filter,
    /// `transformMap`: the map from each key to the body's value.
    Map,
    /// `transformMapEntry`: the map of the entries in the bodies' maps.
    Entries,
    /// `cel.bind(x, init, body)`: the body's value, evaluated once with `range` as the variable.
    Bind,
    /// `optional.optMap(x, body)`: the body's value as an optional.
    Optional,
    /// `optional.optFlatMap(x, body)`: the body's value, which is an optional.
    FlatOptional,
}

/// A comprehension over a list's elements or a map's keys. Its variables are the slots `slot` and, if there are two, `slot + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comprehension {
    /// What is made of the bodies' values.
    pub fold: Fold,
    /// How many variables there are. With one it is the element or the key; with two they are the index and the element, or the key and the value.
    pub variables: u8,
    /// The first variable.
    pub slot: Slot,
    /// What is gone through.
    pub range: NodeId,
    /// Which elements are looked at; all, if there is none.
    pub filter: Option<NodeId>,
    /// What is evaluated for each.
    pub body: NodeId,
}
