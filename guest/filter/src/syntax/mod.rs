//! From text to a syntax tree, with bounded depth.

mod lexer;
mod literal;
mod parser;
mod tree;

pub(crate) use parser::parse;
pub(crate) use tree::{Binary, Element, Entry, Expr, ExprId, Kind, Run, Tree};
