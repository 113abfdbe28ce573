//! What a body says, whatever form it came in: JSON as it is, a form as an object of its fields, either of them out of its
//! content coding.
//!
//! Verification, definitions and filters see the same message. The bytes that are delivered stay as they came.

mod body;
mod coding;
mod form;
mod gzip;
mod multipart;

pub(crate) use body::{Message, ReceivedBody};
pub(crate) use coding::plain;
pub(crate) use form::{MOST_FIELDS, pairs};
