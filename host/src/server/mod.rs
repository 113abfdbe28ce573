//! HTTP servers: accepting connections within limits, and letting them go.

mod activity;
mod connection;
mod descriptor;
mod framing;
mod gate;
mod listener;
mod peer;
mod request_body;
mod sender;
mod tracked;

pub use descriptor::Descriptors;
pub use gate::Gate;
pub use listener::{Ending, Limits, Listener};
pub use peer::Peer;
pub use request_body::RequestBody;
pub(crate) use sender::sender;
