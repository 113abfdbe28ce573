//! CEL filters over JSON events.
