//! Who does the steps of jobs.

use super::{Event, World};
use crate::delivery::simulation::job::{Defect, Step};
use crate::delivery::simulation::random::Random;

impl World {
    /// Somebody asks for a job. Without a process nobody hears it.
    pub(super) fn add_job(&mut self, subscription: u8, is_retry: bool) {
        if self.engine.is_some() && self.islands[usize::from(subscription)].wanted {
            let wall = self.wall();
            let job = self.store.add_job(subscription, is_retry, wall);
            self.after(100, Event::Job(job));
        }
    }

    /// A new process goes on with those that are not over.
    pub(super) fn go_on_with_jobs(&mut self) {
        if self.defect == Some(Defect::ForgottenJob) {
            return;
        }
        for job in 0..self.store.jobs.len() {
            if !self.store.jobs[job].is_over {
                self.after(1_000, Event::Job(job));
            }
        }
    }

    /// Makes the next step of a job ready, from what can be read now.
    pub(super) fn look_at_job(&mut self, job: usize) {
        let mut random = self.chance_of_step();
        if self.time < self.outage {
            self.after(random.range(50_000, 500_000), Event::Job(job));
        } else if let Some(step) = self.store.prepare(job) {
            self.after(random.range(100, 20_000), Event::Step(step));
        }
    }

    /// A step comes to the store.
    pub(super) fn step(&mut self, step: Step) {
        let (job, wall) = (step.job, self.wall());
        let mut random = self.chance_of_step();
        // A store that is far away may have done what it could not confirm.
        if self.time < self.outage && !random.one_in(4) {
            self.after(random.range(50_000, 500_000), Event::Job(job));
            return;
        }
        if self.defect == Some(Defect::HalfStep) && random.one_in(4) {
            self.store.half_step(&step, wall);
            return self.crash();
        }
        if let Some(subscription) = self.store.step(&step, wall, self.defect) {
            // Also where it is not known whether the step was done.
            self.after(random.range(10, 1_000), Event::Woken(subscription));
        }
        // Whoever did not hear of it comes with it again, late.
        if random.one_in(5) {
            self.after(random.range(1_000, 100_000), Event::Step(step));
        } else {
            self.after(random.range(1_000, 200_000), Event::Job(job));
        }
    }

    fn chance_of_step(&mut self) -> Random {
        self.steps += 1;
        Random::new(self.plan.seed, 90_000_000 + self.steps)
    }
}
