//! HTTP servers: accepting connections within limits, and letting them go.

mod acceptor;
mod activity;
mod answer;
mod connection;
mod descriptor;
mod framing;
mod gate;
mod listener;
mod peer;
mod request_body;
mod sender;
mod tally;
mod tracked;

pub(crate) use acceptor::{AcceptLimits, Acceptor, Overflow};
pub(crate) use activity::ConnectionWatch;
pub use descriptor::Descriptors;
pub use gate::Gate;
pub use listener::{Ending, Limits, Listener};
pub use peer::Peer;
pub use request_body::RequestBody;
pub(crate) use sender::sender;
pub(crate) use tally::{Counted, Tally};
