//! How large an expression may be, and how much work one evaluation may do.

/// The limits of one expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes. Never more than 65,535.
    pub length: usize,
    /// How deeply operations, brackets, fields and conditionals may be nested in each other.
    pub depth: u16,
    /// How many comprehensions (`all`, `exists`, `map`…) may be nested in each other.
    pub comprehensions: u16,
    /// How many elements a list or map literal may have, and how many arguments a call.
    pub elements: usize,
    /// How many steps one evaluation may take: about one for each operation inside a comprehension and for each 64 bytes handled.
    pub steps: u32,
}

impl Limits {
    /// The limits of a subscription's filter.
    pub const FILTER: Self =
        Self { length: 4096, depth: 80, comprehensions: 4, elements: 512, steps: 100_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::FILTER
    }
}
