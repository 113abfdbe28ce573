//! Calls of the store, and its answers.

use super::{Answer, Call, Event, World};
use crate::delivery::simulation::random::Random;
use crate::delivery::{Leased, Lines, Recorded, StoreFault, SubscriptionKey, WorkLease};
use crate::policy::Settled;

impl World {
    /// Sends a call to the store. How long it takes depends on its subscription alone.
    pub(super) fn call(&mut self, key: Option<SubscriptionKey>, call: Call) {
        let island =
            self.islands.iter_mut().enumerate().find(|(_, island)| key.is_some() && island.key == key);
        let (place, calls) = match island {
            Some((place, island)) => {
                island.calls += 1;
                (place as u64 + 1, island.calls)
            }
            None => (0, self.time % 1000),
        };
        let wait = Random::new(self.plan.seed, 50_000_000 + place * 1_000_000 + calls).range(50, 5_000);
        self.after(wait, Event::Call(call));
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        let now = self.now();
        let Some(engine) = &mut self.engine else { return };
        match answer {
            Answer::Replanned(replanned) => engine.handle_replanned(now, replanned),
            Answer::Surveyed(survey) => {
                let islands = &self.islands;
                let survey = survey.as_ref().map_err(|fault| *fault).map(|found| {
                    found.iter().map(|(place, due)| (&*islands[usize::from(*place)].name, *due))
                });
                engine.handle_surveyed(now, survey);
            }
            Answer::Leased(key, leased) => engine.handle_leased(now, key, leased),
            Answer::Released(key, released) => engine.handle_released(now, key, released),
            Answer::Extended(extended) => engine.handle_extended(now, extended),
            Answer::Recorded(id, recorded) => engine.handle_recorded(now, id, recorded),
            Answer::Stood(key, stood) => drop(engine.handle_stood(now, key, stood)),
        }
    }

    /// What the store does with a call when it arrives.
    pub(super) fn serve(&mut self, call: Call) -> Result<(), String> {
        let (wall, is_down) = (self.wall(), self.time < self.outage);
        let down = |_| StoreFault::Unavailable;
        let up = if is_down { Err(()) } else { Ok(()) };
        let answer = match call {
            Call::Replan => Answer::Replanned(up.map_err(down).map(|()| self.store.replan(wall))),
            Call::Survey => Answer::Surveyed(up.map_err(down).map(|()| self.store.survey(wall))),
            Call::Lease(key, limit) => {
                let place = self.islands.iter().position(|island| island.key == Some(key));
                let leased = up.map_err(down).map(|()| match place {
                    Some(place) => self.store.lease(u8::try_from(place).unwrap(), wall, limit),
                    None => Leased { works: Vec::new(), next: Lines::both(Some(None)) },
                });
                Answer::Leased(key, leased)
            }
            Call::Release(key, leases) if is_down => Answer::Released(key, Err(leases)),
            Call::Release(key, leases) => {
                leases.into_iter().try_for_each(|lease| self.store.release(lease))?;
                Answer::Released(key, Ok(()))
            }
            Call::Extend(leases) => {
                let extend = |lease| self.store.extend(lease, wall);
                Answer::Extended(up.map_err(down).map(|()| leases.into_iter().map(extend).collect()))
            }
            Call::Stand(key, ..) if is_down => Answer::Stood(key, Err(StoreFault::Unavailable)),
            Call::Stand(key, standing, failing) => {
                if let Some(place) = self.islands.iter().position(|island| island.key == Some(key)) {
                    (self.store.standings[place], self.store.failing[place]) = (standing, failing);
                }
                Answer::Stood(key, Ok(()))
            }
            Call::Record(id, lease, settled, planned) => {
                Answer::Recorded(id, self.record(lease, settled, planned.0, is_down)?)
            }
        };
        let wait = Random::new(self.plan.seed, 60_000_000 + self.time % 1000).range(10, 500);
        self.after(wait, Event::Answer(answer));
        Ok(())
    }

    pub(super) fn record(
        &mut self,
        lease: WorkLease,
        settled: Settled,
        planned: u64,
        is_down: bool,
    ) -> Result<Result<Recorded, StoreFault>, String> {
        if is_down {
            // A store that is far away may have written what it could not confirm.
            if self.random.one_in(4) {
                self.store.record(lease, settled, planned, false)?;
            }
            return Ok(Err(StoreFault::Unavailable));
        }
        if self.time < self.refusal {
            return Ok(Err(StoreFault::Refused));
        }
        self.store.record(lease, settled, planned, true).map(Ok)
    }
}
