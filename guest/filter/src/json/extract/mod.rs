//! The pass itself.

#[cfg(test)]
mod agreement;
mod pass;
#[cfg(test)]
mod tests;

pub use pass::DEPTH_LIMIT;
pub(crate) use pass::{Extractor, elements};
