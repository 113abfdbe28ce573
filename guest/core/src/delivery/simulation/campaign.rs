//! Playing many histories, and finding the core of one that fails.

use super::island;
use super::job::Defect;
use super::plan::{Action, Plan};
use super::world::World;
use crate::delivery::fault::{self, Fault};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How many histories the tests play.
const SEEDS: u64 = 10_000;

/// A history that broke a promise.
#[derive(Debug)]
struct Broken {
    seed: u64,
    promise: String,
    /// What has to befall the world for it, and each step then.
    story: Vec<String>,
}

/// Plays one history.
fn play(seed: u64) -> Result<(), Broken> {
    let plan = Plan::new(seed);
    if World::new(plan.clone()).run().is_err() {
        return Err(tell(shrink(plan)));
    }
    island::compare(seed).map_err(|(promise, story)| Broken { seed, promise, story })
}

/// Takes away whatever is not needed for a promise to be broken.
fn shrink(mut plan: Plan) -> Plan {
    let mut step = plan.actions.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < plan.actions.len() {
            let mut less = plan.clone();
            less.actions.drain(from..(from + step).min(plan.actions.len()));
            if World::new(less.clone()).run().is_err() {
                plan = less;
            } else {
                from += step;
            }
        }
        if step == 1 {
            return plan;
        }
        step /= 2;
    }
}

fn tell(plan: Plan) -> Broken {
    let mut world = World::new(plan.clone());
    world.trace = Some(Vec::new());
    let promise = world.run().err().unwrap_or_default();
    let settings = format!(
        "{} subscriptions, leases of {:?}, {} attempts in all, woken up to {} ms late",
        plan.subscriptions, plan.lease, plan.attempts, plan.late
    );
    let mut story = vec![settings];
    for subscription in 0..plan.subscriptions {
        story.push(format!("s{subscription}: {:?}", plan.policy(subscription, false)));
    }
    story.extend(plan.actions.iter().map(|(at, action)| format!("{at:>6} ms {action:?}")));
    story.extend(world.trace.unwrap_or_default());
    Broken { seed: plan.seed, promise, story }
}

/// Plays histories on all processors; the first one that breaks a promise ends it.
fn campaign(first: u64, count: u64) -> Result<(), Broken> {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(count);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(());
            }
            if let Err(broken) = play(seed) {
                next.store(end, Ordering::Relaxed);
                return Err(broken);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap())
    })
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

/// `cargo xtask simulate` says which histories.
#[test]
#[expect(clippy::disallowed_methods, reason = "the time that the test itself takes")]
fn every_history_keeps_every_promise() {
    let seed = number("ANGLERFISH_SIMULATE_SEED");
    let count = number("ANGLERFISH_SIMULATE_SEEDS").unwrap_or(if seed.is_some() { 1 } else { SEEDS });
    let begun = std::time::Instant::now();
    if let Err(broken) = campaign(seed.unwrap_or(0), count) {
        let (seed, promise, story) = (broken.seed, broken.promise, broken.story.join("\n"));
        panic!("{story}\nseed {seed}: {promise}\nagain with: cargo xtask simulate --seed {seed}");
    }
    println!("{count} histories in {:.1?}", begun.elapsed());
}

/// The first history of so many in which a defect shows, and how.
fn search(defect: Fault, most: u64) -> Option<Broken> {
    fault::seed(Some(defect));
    let found = (0..most).find_map(|seed| play(seed).err());
    fault::seed(None);
    found
}

#[test]
fn defects_are_found() {
    for defect in [
        Fault::LostWakeUp,
        Fault::ReleasedTwice,
        Fault::HiddenRetry,
        Fault::ExpiredLease,
        Fault::FreedTwice,
        Fault::SharedTrouble,
        Fault::UnnoticedClock,
        Fault::SilentProbe,
        Fault::IgnoredThrottle,
        Fault::ForgottenStanding,
        Fault::FreeRate,
        Fault::LostProbe,
        Fault::NoRamp,
        Fault::FreeSharedRate,
        Fault::ForgottenSuccessor,
        Fault::RetriesFirst,
        Fault::RetriesLast,
        Fault::SilentInterruption,
        Fault::KeptPlace,
    ] {
        let found = search(defect, SEEDS);
        let broken = found.unwrap_or_else(|| panic!("{defect:?} is not found"));
        println!("{defect:?}: seed {}, {}, {} lines", broken.seed, broken.promise, broken.story.len());
    }
}

/// A process that dies in the middle of a backlog: among all that can happen that is rare for a subscription with a slow
/// rate and a large burst.
#[test]
fn a_burst_that_comes_again_after_a_crash_is_found() {
    let play = |seed| {
        let mut plan = Plan::new(seed);
        let commit = Action::Commit { subscriptions: 1, times: 60 };
        plan.actions = vec![(1_000, commit), (1_600, Action::Crash), (1_900, Action::Crash)];
        World::new(plan).run()
    };
    let most = 2_000;
    let kept = (0..most).find_map(|seed| play(seed).err().map(|promise| (seed, promise)));
    assert_eq!(kept, None);
    fault::seed(Some(Fault::FreshRate));
    let found = (0..most).find_map(|seed| play(seed).err().map(|promise| (seed, promise)));
    fault::seed(None);
    println!("{:?}: {:?}", Fault::FreshRate, found.expect("it is not found"));
}

#[test]
fn defects_of_jobs_are_found() {
    for defect in [Defect::RepeatedStep, Defect::HalfStep, Defect::ForgottenJob] {
        let found = (0..SEEDS).find_map(|seed| {
            let mut world = World::new(Plan::new(seed));
            world.defect = Some(defect);
            world.run().err().map(|promise| (seed, promise))
        });
        let (seed, promise) = found.unwrap_or_else(|| panic!("{defect:?} is not found"));
        println!("{defect:?}: seed {seed}, {promise}");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let story = |seed| {
        let mut world = World::new(Plan::new(seed));
        world.trace = Some(Vec::new());
        world.run().unwrap();
        world.trace.unwrap()
    };
    for seed in 0..20 {
        assert!(story(seed) == story(seed), "{seed}");
    }
}
