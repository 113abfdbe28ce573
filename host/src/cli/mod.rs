//! The command line: data on stdout, talk on stderr, exit 0 fine, 1 a negative answer, 2 misuse or bad configuration.
//!
//! [`command`] is the frame, one file beside it is one command. A command is a function from its arguments and an
//! [`Output`] to an [`Outcome`] or a [`Failure`]; it neither prints errors nor exits.

mod allocator;
mod brittle;
mod bulk;
mod callbacks;
mod calls;
mod check;
mod client;
mod clock;
mod command;
mod completions;
mod configuration;
mod deliveries;
mod deploy;
mod documents;
mod events;
mod exit;
mod explain;
mod filter;
mod flows;
mod init;
mod input;
mod jobs;
mod listen;
mod manual;
mod output;
mod page;
mod period;
mod plugin;
mod providers;
mod rejections;
mod reload;
mod request_file;
mod resources;
mod rotate;
mod schedule;
mod send;
mod serve;
mod sink;
mod sources;
mod subscriptions;
mod table;
#[cfg(test)]
mod test;
mod watch;

pub use command::main;
pub use exit::{Failure, Outcome};
pub use output::{Format, Output};
