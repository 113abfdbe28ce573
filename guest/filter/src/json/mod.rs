//! One pass over an event's JSON bytes.
//!
//! The pass checks the whole text (RFC 8259, UTF-8, nesting) and keeps only the values at paths that some expression
//! names: [`trie`] holds those paths, [`extract`] walks the text along them, [`slot`] keeps what was found. Strings stay
//! where they are unless they have escapes, arrays and objects stay text until somebody looks into them ([`look`],
//! [`value`]).
//!
//! What RFC 8259 leaves open is defined here:
//! - of equal keys in one object the last wins, with everything below it;
//! - a number written as an integer is an `int` if it fits, else a `uint` if it fits, else a `double`;
//!   a number written with a fraction or an exponent is a `double`; one that no `double` can hold has no value, and reading
//!   it is an error;
//! - an escaped surrogate without its partner reads as U+FFFD;
//! - arrays and objects nest at most [`DEPTH_LIMIT`] deep.

mod error;
mod extract;
mod look;
mod number;
mod scan;
mod slot;
mod text;
mod trie;
mod value;

pub use error::{JsonError, JsonErrorKind};
pub use extract::DEPTH_LIMIT;
pub(crate) use extract::{Extractor, elements};
pub use look::Found;
pub(crate) use look::{index, items, look, reach, unescaped};
pub(crate) use slot::{Raw, Slots};
pub(crate) use trie::{NodeId, Step, Trie};
pub(crate) use value::materialise;
