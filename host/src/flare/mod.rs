//! The HTTP API of Flare over documents: its addresses, its documents and the words of its errors.

mod body;
mod document;
mod fault;
mod openapi;
mod pagination;
mod resource;
mod router;
mod schema;
mod subscription;
mod url_table;

pub use router::{Flare, router};
