//! Documents with a model of the store, of subscribers and of a process that dies, under one seeded scheduler.
//!
//! A [`world`](world::World) decides by the real router. What it commits is on a model disk that checks what a decision has read; what it
//! is doing is in memory and gone with a crash. Changes come at the same moment as other changes, as acknowledgements and
//! as announcements; subscribers come, with and without what was there before, change their filters, go, lose their data, answer, fail, and are
//! told again by hand of what was given up. It watches that
//! - nobody is told what it has, nor an older revision after a newer one that it confirmed;
//! - nobody is told of an update or a deletion of what it has not, but where an answer was lost with the process;
//! - once all is quiet each subscriber has exactly what exists and its filter wants, and nothing more is kept for it.
//!
//! The same seed is the same history. `ANGLERFISH_TEST_DOCUMENT_HISTORIES=1000000 cargo test -p anglerfish-core histories` plays as
//! many as one likes.

mod disk;
mod subscriber;
mod world;

use world::{Defect, World};

/// How many histories a test plays.
const HISTORIES: u64 = 3000;

/// The steps of one history.
const STEPS: usize = 120;

fn play(seed: u64, defect: Option<Defect>) -> Result<(), String> {
    let mut world = World::new(seed, defect);
    let played = (0..STEPS).try_for_each(|_| world.step()).and_then(|()| world.come_to_rest());
    played.map_err(|fault| format!("{}\n{fault}", world.told.join("\n")))
}

#[test]
fn in_all_histories_each_subscriber_ends_with_exactly_what_exists() {
    let wanted = std::env::var("ANGLERFISH_TEST_DOCUMENT_HISTORIES").ok();
    let histories = wanted.map_or(HISTORIES, |text| text.parse().unwrap());
    for seed in 0..histories {
        if let Err(fault) = play(seed, None) {
            panic!("history {seed}: {fault}");
        }
    }
}

#[test]
fn defects_are_found() {
    for defect in Defect::ALL {
        let found = (0..HISTORIES).find(|seed| play(*seed, Some(defect)).is_err());
        assert!(found.is_some(), "{defect:?} is not found");
    }
}
