//! The operations of a program.

use super::PathId;
use crate::function::Function;

/// The position of a [`Node`] in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// The position of a constant in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConstantId(pub u16);

/// The position of a compiled regular expression in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u16);

/// The position of a [`super::Comprehension`] in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u16);

/// The place of a variable of a comprehension: 0 for the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// A run of children in [`super::Program`]'s list of children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Children {
    /// Where the run starts.
    pub start: u16,
    /// How many children there are.
    pub count: u16,
}

/// A relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The relation with its sides exchanged.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same @ (Self::Equal | Self::NotEqual) => same,
        }
    }

    /// The relation that holds where this one does not, though both sides can be compared: no value of an event is not a
    /// number.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`, also of strings, bytes, lists, timestamps and durations.
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// A constant. A list or map of constants is one as well.
    Constant(ConstantId),
    /// The value at a path; an error if there is none.
    Path(PathId),
    /// `has(path)`: whether the last field is there; an error if an earlier one is not.
    Has(PathId),
    /// `root.a.?b.c`: an optional. Fields before number `from` must be there, from it on an absent one gives `optional.none()`.
    OptionalPath {
        /// The number of the first field that may be absent.
        from: u8,
        /// The whole path.
        path: PathId,
    },
    /// A variable of a comprehension.
    Local(Slot),
    /// `!operand`
    Not(NodeId),
    /// `-operand`
    Negate(NodeId),
    /// `a && b && …`: false if any is false, else an error if any failed, else true. Nested conjunctions are one.
    And(Children),
    /// `a || b || …`: true if any is true, else an error if any failed, else false. Nested disjunctions are one.
    Or(Children),
    /// `condition ? then : otherwise`
    Conditional {
        /// What decides.
        condition: NodeId,
        /// The value if it is true.
        then: NodeId,
        /// The value if it is false.
        otherwise: NodeId,
    },
    /// `left == right` and its like.
    Compare {
        /// The relation.
        relation: Comparison,
        /// The left side.
        left: NodeId,
        /// The right side.
        right: NodeId,
    },
    /// `left + right` and its like.
    Arithmetic {
        /// The operator.
        operator: Arithmetic,
        /// The left side.
        left: NodeId,
        /// The right side.
        right: NodeId,
    },
    /// `item in container`
    In {
        /// What is looked for.
        item: NodeId,
        /// A list, or a map whose keys are looked at.
        container: NodeId,
    },
    /// `target[index]`; a constant string index into a path is part of the path instead.
    Index {
        /// A list or map.
        target: NodeId,
        /// The position or key.
        index: NodeId,
    },
    /// `target[?index]`
    OptionalIndex {
        /// A list, a map, or an optional of one.
        target: NodeId,
        /// The position or key.
        index: NodeId,
    },
    /// `target.field` of something that is not a path.
    Select {
        /// A map, or an optional of one.
        target: NodeId,
        /// The field's name, a string.
        field: ConstantId,
    },
    /// `has(target.field)` of something that is not a path.
    HasField {
        /// A map, or an optional of one.
        target: NodeId,
        /// The field's name, a string.
        field: ConstantId,
    },
    /// `target.?field` of something that is not a path.
    OptionalSelect {
        /// A map, or an optional of one.
        target: NodeId,
        /// The field's name, a string.
        field: ConstantId,
    },
    /// A function's call; a method's receiver is its first argument.
    Call {
        /// Which function.
        function: Function,
        /// The arguments.
        arguments: Children,
    },
    /// `subject.matches("pattern")` with a constant pattern.
    Matches {
        /// The string.
        subject: NodeId,
        /// The compiled pattern.
        pattern: PatternId,
        /// The pattern's text, a string.
        source: ConstantId,
    },
    /// `[a, b, ?c]`
    List(Children),
    /// `{a: b, ?c: d}`: the children are keys and values in turn.
    Map(Children),
    /// `?element` of a list or map: an optional that is left out if it is none. Only below [`Node::List`] and, as a value, [`Node::Map`].
    Optional(NodeId),
    /// `list.exists(x, …)` and its like.
    Comprehension(ScopeId),
}

impl NodeId {
    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn a_node_takes_eight_bytes() {
        assert_eq!(size_of::<Node>(), 8);
    }
}
