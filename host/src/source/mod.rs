//! The sources of a running gateway: those of the configuration file and those written at run time.
//!
//! [`Sources`] keeps the table of sources and the store in step. It reaches the first through [`SourceTable`].

mod error;
mod port;
mod registry;
mod reload;
mod write;

pub use error::SourceError;
pub use port::{SourceReader, SourceTable};
pub use registry::{Source, Sources, StoredSources};
pub use reload::SourceReload;
