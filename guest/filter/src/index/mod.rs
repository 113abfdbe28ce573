//! Which of many expressions can be true of one event.
//!
//! [`gate`] holds the expressions as a graph of shared gates over tests of single paths; [`lower`] makes gates of a program.
//! [`need`] derives from a gate what an event must have for it to be true: its *witnesses*. [`level`] files rules under the
//! keys of their witnesses, and [`probe`] looks up what an event has.
//!
//! CEL's `&&` and `||` absorb errors so that this is possible: `a && b` is true only if both are, `a || b` only if one is, and
//! a test of a path that is not there is an error, which is never true. No normal form is made anywhere.

mod blocks;
mod chain;
mod event_view;
mod excerpt;
mod gate;
mod graph;
mod hash;
mod key;
mod level;
mod lower;
mod need;
mod opaque;
mod order;
mod packed;
mod possible;
mod probe;
mod roots;
mod rule;
mod scalar;
mod small_list;
mod strict;
mod test;

pub(crate) use blocks::Blocks;
pub(crate) use event_view::EventView;
pub(crate) use gate::GateId;
pub(crate) use graph::{Graph, Run};
pub(crate) use key::{Key, Witness};
pub(crate) use level::LevelId;
pub(crate) use lower::{Lowering, within};
pub(crate) use packed::{ByKey, pack};
pub(crate) use possible::is_possible;
pub(crate) use probe::{Elements, Probe};
pub(crate) use roots::{Roots, acquire, fill, name};
pub(crate) use rule::{Place, Rule, Rules};
pub(crate) use scalar::Scalar;
pub(crate) use test::Truth;
