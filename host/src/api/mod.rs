//! The management API: what the gateway holds and how it is, over HTTP.

mod problem;

pub use problem::{PROBLEM_JSON, ProblemDetails};
