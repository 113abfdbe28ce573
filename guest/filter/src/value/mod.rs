//! CEL's values: the number model, strings that borrow from the event, and exact comparison.

mod duration;
mod equality;
mod key;
mod kind;
mod list;
mod map;
mod network;
pub mod number;
mod text;
mod timestamp;
mod variant;

pub use duration::Duration;
pub use equality::{Budget, Exhausted, equal};
pub use key::Key;
pub use kind::Type;
pub use list::List;
pub use map::{DuplicateKey, Map};
pub use network::{Address, Network};
pub use text::{Blob, Text};
pub use timestamp::Timestamp;
pub use variant::Value;
