//! The HTTP API of Flare: its addresses, its documents and the words of its errors.

mod body;
mod document;
mod fault;
mod pagination;
mod resource;
mod router;
mod subscription;

pub use router::{Flare, router};
