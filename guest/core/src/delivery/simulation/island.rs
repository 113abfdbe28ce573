//! An island's trouble moves nobody else's schedule: the attempts of one subscription are the same, to the
//! millisecond, whatever befalls its neighbours.

use super::plan::{Action, Mood, Plan, TROUBLED, mood};
use super::random::Random;
use super::world::{Begun, World};

/// Plays one subscription's history twice, beside healthy neighbours and beside troubled ones. An error has the two
/// histories at the place where they part.
pub(super) fn compare(seed: u64) -> Result<(), (String, Vec<String>)> {
    let broken = |is_troubled| move |promise| (promise, trace(seed, is_troubled, u64::MAX));
    let quiet = attempts(seed, false).map_err(broken(false))?;
    let troubled = attempts(seed, true).map_err(broken(true))?;
    if quiet == troubled {
        return Ok(());
    }
    let place = quiet.iter().zip(&troubled).position(|(one, other)| one != other).unwrap_or(0);
    let (one, other) = (quiet.get(place), troubled.get(place));
    let at = one.into_iter().chain(other).map(|(at, _)| *at).min().unwrap_or_default();
    let mut story = vec!["beside healthy neighbours:".to_owned()];
    story.extend(trace(seed, false, at));
    story.push("beside troubled ones:".to_owned());
    story.extend(trace(seed, true, at));
    Err((format!("its neighbours' trouble moves attempt {place} of s0 from {one:?} to {other:?}"), story))
}

fn attempts(seed: u64, is_troubled: bool) -> Result<Vec<Begun>, String> {
    let mut world = World::new(plan(seed, is_troubled));
    world.run()?;
    Ok(world.begun.swap_remove(0))
}

/// The steps of a history in the tenth of a second before a time, in microseconds; all of them if it has no end.
fn trace(seed: u64, is_troubled: bool, at: u64) -> Vec<String> {
    let mut world = World::new(plan(seed, is_troubled));
    world.trace = Some(Vec::new());
    drop(world.run());
    let near = |line: &String| {
        let time: f64 = line.trim_start().split(' ').next().unwrap_or_default().parse().unwrap_or_default();
        at == u64::MAX || (time > at as f64 / 1e6 - 0.1 && time <= at as f64 / 1e6)
    };
    world.trace.unwrap_or_default().into_iter().filter(near).collect()
}

/// What befalls the first subscription depends on the seed alone, and so does what befalls the others; the latter is
/// left out if they are to be healthy.
fn plan(seed: u64, is_troubled: bool) -> Plan {
    let mut own = Random::new(seed, 3);
    let mut actions = vec![(0, Action::Mood { subscription: 0, mood: mood(own.next()) })];
    for _ in 0..own.range(2, 10) {
        let times = u8::try_from(own.range(1, 5)).unwrap();
        actions.push((own.range(1, TROUBLED), Action::Commit { subscriptions: 1, times }));
    }
    let mut others = Random::new(seed, 4);
    for _ in 0..others.range(5, 20) {
        let subscription = u8::try_from(others.range(1, 4)).unwrap();
        let number = others.next();
        let action = match others.range(0, 8) {
            0 => Action::Remove { subscription },
            1 => Action::Replace { subscription },
            2 => Action::Put { subscription },
            3 => Action::Mood { subscription, mood: Mood::Local },
            4 => Action::Mood { subscription, mood: mood(number) },
            _ => {
                Action::Commit { subscriptions: 1 << subscription, times: u8::try_from(number % 40).unwrap() }
            }
        };
        if is_troubled {
            actions.push((others.range(0, TROUBLED), action));
        }
    }
    actions.sort_by_key(|(at, _)| *at);
    // As fine as the wall clock: else a neighbour's step within the same millisecond shows that it has struck.
    Plan { seed, subscriptions: 4, lease: None, attempts: 1000, grain: 1000, late: 0, shared: None, actions }
}
