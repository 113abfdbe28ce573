//! Many expressions, of which one event asks which are true.

mod class;
#[cfg(test)]
mod differential;
mod expression_view;
mod matches;
mod packed;
mod reading;
mod store;

pub use crate::fact::EventInput;
pub use class::Class;
pub use expression_view::ExpressionView;
pub use matches::{FailedRule, Matches};
pub use packed::{Supplied, Supply};
pub use reading::{Element, Pointer, Reading};
pub use store::{RuleKey, Table};
