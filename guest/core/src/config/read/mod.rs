//! From a document to valid configuration, or to every problem that it has.
//!
//! [`node`] walks a JSON value and collects problems with their paths; `source`, `subscription`, `endpoint` and `policy`
//! know the keys; `document` puts them together.

mod document;
mod endpoint;
mod node;
mod path;
mod policy;
mod source;
mod source_event;
mod subscription;
mod suggestion;

pub use document::{Document, read_document, read_subscription};
pub use node::{Node, Problems, Table};
pub use path::{is_name, item_path, key_path};
pub use suggestion::nearest;
