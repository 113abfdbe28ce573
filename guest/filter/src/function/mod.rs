//! The functions that an expression can call.

mod apply;
mod calendar;
mod convert;
mod encoding;
mod format;
mod glob;
mod math;
mod network;
mod optional;
mod pattern;
mod table;
mod text;
mod time;
mod zone;
mod zone_table;

pub(crate) use apply::{apply, constant};
pub(crate) use convert::to_string as string;
pub(crate) use table::{Overload, Parameter, names, overloads};
pub(crate) use zone::is_zone;

pub use pattern::Pattern;
pub use table::Function;
