//! CEL filters over JSON events.
//!
//! - [`value`]: CEL's values, with exact numbers.
//! - [`ir`]: an expression after it was parsed and lowered.
//! - [`fact`]: what an evaluator asks an event for.
//! - [`function`]: what an expression can call.

pub mod fact;
pub mod function;
pub mod ir;
pub mod value;
