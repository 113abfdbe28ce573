//! Reading a document (a JSON value) key by key, so that all of its problems are found, each with its place.
//!
//! What the keys mean is said in the rooms that own them: [`crate::config`], and [`crate::verify`] for providers.

mod path;
mod suggestion;
mod walk;

pub use path::{is_name, is_within, item_path, key_path, overlap};
pub use suggestion::nearest;
pub use walk::{Node, Problems, Table};
