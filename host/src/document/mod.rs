//! Documents: a producer puts a document under its own URL; each subscriber of its resource is told of it when that is news to it.
//!
//! [`Notices`] says what a delivery has to tell and writes down what a subscriber has; [`Documents`] takes changes in, and tells
//! subscribers of what was there before; [`Resources`] knows which resources there are. The HTTP APIs stand above this room.

mod backfill;
mod changes;
mod notices;
mod port;
mod reload;
mod resources;
mod section;

pub use changes::{ChangeError, Documents};
pub use notices::Notices;
pub use port::DocumentDecider;
pub use reload::ResourceReload;
pub(crate) use resources::moved_from_documents;
pub use resources::{ResourceEntry, ResourceError, Resources};
pub use section::DocumentsConfig;
