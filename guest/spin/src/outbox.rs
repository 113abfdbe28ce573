//! The outbox of this instance.

use crate::bucket::Bucket;
use crate::clock;
use crate::setting;
use anglerfish_core::edge::{Outbox, Slots};
use std::cell::RefCell;

thread_local! {
    static SLOTS: RefCell<Slots> = RefCell::default();
}

/// Does something with the outbox. Nothing waits in between, so that the requests of one instance do not meet here.
pub(crate) fn outbox<T>(act: impl FnOnce(&Outbox<'_>) -> Result<T, String>) -> Result<T, String> {
    let bucket = Bucket::open()?;
    SLOTS.with(|slots| act(&Outbox::new(&bucket, &clock::now, slots, setting::retention())))
}
