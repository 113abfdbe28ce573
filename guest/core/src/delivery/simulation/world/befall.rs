//! What befalls the world.

use super::{ECHO, Event, World};
use crate::delivery::simulation::plan::{Action, Mood, TROUBLED};
use crate::delivery::{Engine, EngineConfig, Lines, Restored, SharedRate, Standing};
use crate::request::UnixMillis;
use std::sync::Arc;
use std::time::Duration;

impl World {
    pub(super) fn put(&mut self, place: usize) {
        let now = self.now();
        let shared = self.plan.shared.map(|rate| Arc::new(SharedRate { name: "host".into(), rate }));
        let island = &mut self.islands[place];
        island.wanted = true;
        let policy = island.policy();
        if let Some(engine) = &mut self.engine
            && island.leaving.is_none()
        {
            let key = engine.handle_configured(now, &island.name, policy, shared);
            if island.key != Some(key) {
                // Its predecessor took along what the store was not told.
                let (standing, failing) = (self.store.standings[place], self.store.failing[place]);
                island.expected = island.expected.restored(standing, failing, now);
                let rests = self.store.rests[place];
                engine.handle_restored(now, key, Restored { standing, failing, rests });
            }
            island.key = Some(key);
        }
    }

    pub(super) fn start(&mut self) {
        let lease = self.plan.lease.unwrap_or(Duration::from_mins(1));
        let config = EngineConfig { seed: self.plan.seed, attempts: self.plan.attempts, lease };
        let mut engine = Engine::new(config);
        if let (Some(rate), Some(rests)) = (self.plan.shared, self.store.shared_rests) {
            engine.handle_resumed(self.now(), &SharedRate { name: "host".into(), rate }, rests);
        }
        self.engine = Some(engine);
        for place in 0..self.islands.len() {
            if self.islands[place].wanted {
                self.put(place);
            }
            if self.time >= TROUBLED * 1000 {
                // Who was told by a process that was ending to go on is told again.
                self.stand(place, Standing::Active);
            }
        }
        self.go_on_with_jobs();
    }

    /// The process is gone, and with it all that it knew.
    pub(super) fn crash(&mut self) {
        self.life += 1;
        self.echo = self.echo.max(self.time + ECHO);
        self.engine = None;
        self.woken = None;
        let unrecorded = std::mem::take(&mut self.running);
        unrecorded.values().for_each(|running| self.count_end(running.delivery));
        // Of an attempt that was not made the next process knows no more than of one that was broken off.
        for delivery in std::mem::take(&mut self.unmade) {
            if self.store.is_under_way(delivery) {
                self.count_end(delivery);
            }
        }
        self.overtaken.fill(Lines::default());
        self.store.crash();
        for island in &mut self.islands {
            (island.key, island.leaving) = (None, None);
            island.expected = island.expected.next();
        }
        if self.random.one_in(4) {
            // The machine was started anew, and with it what is not on disk is gone.
            let unknown = |rests: &mut Option<UnixMillis>| *rests = rests.map(|_| UnixMillis(u64::MAX));
            self.store.rests.iter_mut().for_each(unknown);
            self.store.shared_rests.iter_mut().for_each(|rests| *rests = UnixMillis(u64::MAX));
        }
        self.after(100_000, Event::Start);
    }

    pub(super) fn act(&mut self, action: Action) {
        let now = self.now();
        match action {
            // Without a process nobody commits.
            Action::Commit { .. } if self.engine.is_none() => {}
            Action::Commit { subscriptions, times } => {
                for place in 0..self.plan.subscriptions {
                    for time in 0..u64::from(times) {
                        if subscriptions & (1 << place) != 0 {
                            let lanes = self.plan.lanes(place);
                            if let Some(work) = self.store.commit(place, now.wall.0, lanes) {
                                self.after(100 + time * 300, Event::Offer(place, work));
                            }
                        }
                    }
                }
            }
            Action::Mood { subscription, mood } => {
                self.echo = self.echo.max(self.time + ECHO);
                self.islands[usize::from(subscription)].mood = mood;
            }
            Action::Put { subscription } => {
                let island = &mut self.islands[usize::from(subscription)];
                island.second = !island.second;
                island.expected.replace(&island.policies[usize::from(island.second)]);
                self.put(usize::from(subscription));
            }
            Action::Remove { subscription } => {
                let island = &mut self.islands[usize::from(subscription)];
                island.wanted = false;
                if let (Some(engine), Some(key)) = (&mut self.engine, island.key.take()) {
                    island.leaving = Some(key);
                    engine.handle_removed(now, key);
                }
            }
            Action::Replace { subscription } => {
                let island = &mut self.islands[usize::from(subscription)];
                if let (Some(engine), Some(key)) = (&mut self.engine, island.key.take()) {
                    engine.handle_removed(now, key);
                    self.put(usize::from(subscription));
                }
            }
            Action::Pause { subscription, paused } => {
                let standing = if paused { Standing::Paused } else { Standing::Active };
                self.stand(usize::from(subscription), standing);
            }
            Action::Retry { subscription } => {
                self.store.retry(subscription, now.wall.0);
                if let (Some(engine), Some(key)) =
                    (&mut self.engine, self.islands[usize::from(subscription)].key)
                {
                    engine.handle_woken(now, key);
                }
            }
            Action::Job { subscription, is_retry } => self.add_job(subscription, is_retry),
            Action::Outage { millis } => {
                self.outage = self.time + u64::from(millis) * 1000;
                self.echo = self.echo.max(self.outage + ECHO);
            }
            Action::Refusal { millis } => {
                self.refusal = self.time + u64::from(millis) * 1000;
                self.echo = self.echo.max(self.refusal + ECHO);
            }
            Action::Crash => self.crash(),
            Action::Restart => {
                self.echo = self.echo.max(self.time + ECHO);
                if let Some(engine) = &mut self.engine {
                    engine.handle_drained(now);
                    self.after(500_000, Event::Abort);
                }
            }
            Action::Clock { millis } => self.set_clock(self.wrong + millis),
            Action::Rival => self.store.rival(now.wall.0),
            Action::Drop { subscription, count } => {
                if self.store.drop_oldest(subscription, usize::from(count), now.wall.0)
                    && let (Some(engine), Some(key)) =
                        (&mut self.engine, self.islands[usize::from(subscription)].key)
                {
                    engine.handle_woken(now, key);
                }
            }
        }
    }

    pub(super) fn stand(&mut self, place: usize, standing: Standing) {
        let now = self.now();
        let island = &mut self.islands[place];
        if let (Some(engine), Some(key)) = (&mut self.engine, island.key) {
            island.expected.stand(standing);
            island.stood = self.time;
            engine.handle_standing(now, key, standing);
        }
    }

    pub(super) fn set_clock(&mut self, wrong: i64) {
        // What is being attempted may have lost its lease.
        self.echo = self.echo.max(self.time + 3 * ECHO);
        self.wrong = wrong;
        self.overtaken.fill(Lines::default());
        // A shell looks at its clock at least once a minute. Who sets it twice in between may set a lease back that
        // another has taken; the simulation does not.
        let now = self.now();
        match &mut self.engine {
            Some(engine) => engine.handle_timeout(now),
            None => {
                // Nobody is there who would notice.
                self.islands.iter_mut().for_each(|island| island.expected.forget_starts());
                self.shared.clear();
            }
        }
    }

    /// All is well from now on.
    pub(super) fn heal(&mut self) {
        (self.outage, self.refusal) = (0, 0);
        self.set_clock(0);
        for place in 0..self.islands.len() {
            self.islands[place].mood = Mood::Fine;
            self.resume(place);
        }
    }

    /// Somebody lets a subscription go on, and no other one.
    pub(super) fn resume(&mut self, place: usize) {
        self.echo = self.echo.max(self.time + ECHO);
        self.put(place);
        self.stand(place, Standing::Active);
        if self.engine.is_none() {
            // Whoever lets it go on does so after the next start.
            (self.store.standings[place], self.store.failing[place]) = (Standing::Active, None);
        }
    }
}
