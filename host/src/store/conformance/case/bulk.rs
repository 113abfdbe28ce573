//! The cases of jobs.

use super::*;
use crate::store::{
    Job, JobAction, JobId, JobItem, JobQuery, JobState, JobStep, JobStepped, JobWork, NewJob, Retryable,
};
use anglerfish_core::config::{BacklogConfig, Overflow};

fn replay(subscription: Option<&str>) -> NewJob {
    let subscription = subscription.map(str::to_owned);
    let work = JobWork::Replay { subscription, source: None, kind: None, missing: false };
    NewJob { work, after: 0, last: None, follows: false, created: NOW }
}

fn retry_of(status: DeliveryStatus, subscription: Option<&str>) -> NewJob {
    let subscription = subscription.map(str::to_owned);
    let work = JobWork::Retry { status, subscription, since: None, until: None };
    NewJob { work, after: 0, last: None, follows: false, created: later(100) }
}

fn deliver(place: i64, subscription: &str) -> JobItem {
    let (seq, subscription) = (EventSeq(place), subscription.to_owned());
    let action = JobAction::Deliver { seq, subscription, lane: None, unless_after: None };
    JobItem { place, examined: place.unsigned_abs(), action }
}

fn step(job: &Job, to: i64, items: Vec<JobItem>) -> JobStep {
    let examined = (to - job.place).unsigned_abs();
    JobStep {
        job: job.id,
        from: job.place,
        to,
        examined,
        items,
        most_open: 1000,
        last: None,
        now: later(200),
    }
}

async fn stepped(store: &dyn Store, step: JobStep) -> (Job, Vec<String>, Option<String>) {
    match store.step(step).await.unwrap() {
        JobStepped::Stepped { job, subscriptions, full } => (*job, subscriptions, full),
        JobStepped::Stale => panic!("stale"),
    }
}

/// What a step of a retry is made of.
fn retries(job: &Job, found: &Retryable) -> JobStep {
    let items = found.deliveries.iter().map(|(id, _, examined)| JobItem {
        place: id.0,
        examined: *examined,
        action: JobAction::Retry(*id),
    });
    JobStep { examined: found.examined, ..step(job, found.to, items.collect()) }
}

pub(in crate::store::conformance) async fn a_job_goes_on_where_its_last_step_ended(store: &dyn Store) {
    for id in ["a", "b", "c"] {
        put(store, id, &[]).await;
    }
    let job = store.add_job(replay(Some("one"))).await.unwrap();
    assert_eq!((job.state, job.place, job.last, job.examined), (JobState::Running, 0, 3, 0));
    let first = step(&job, 2, vec![deliver(1, "one"), deliver(2, "one")]);
    let (then, subscriptions, full) = stepped(store, first.clone()).await;
    assert_eq!((then.place, then.done, then.examined, then.state), (2, 2, 2, JobState::Running));
    assert_eq!((subscriptions, full), (vec!["one".to_owned()], None));
    // The same step again is stale: it would deliver twice.
    assert_eq!(store.step(first).await.unwrap(), JobStepped::Stale);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2)]);
    assert_eq!(store.job(job.id).await.unwrap().unwrap(), then);

    // What is put into the log after the job was made is not the job's.
    put(store, "d", &[]).await;
    let failed = JobItem { action: JobAction::Fail, ..deliver(3, "one") };
    let (ended, ..) = stepped(store, step(&then, 3, vec![failed])).await;
    assert_eq!((ended.state, ended.done, ended.failed), (JobState::Finished, 2, 1));
    assert_eq!(ended.ended, Some(later(200)));
    assert_eq!(store.step(step(&ended, 4, vec![deliver(4, "one")])).await.unwrap(), JobStepped::Stale);

    let nothing = store.add_job(NewJob { after: 4, ..replay(Some("one")) }).await.unwrap();
    assert_eq!(nothing.state, JobState::Finished, "there is nothing to do");
    let other = store.add_job(replay(None)).await.unwrap();
    let list = async |state, cursor| {
        let jobs = store.jobs(JobQuery { state, cursor, limit: 2 }).await.unwrap();
        (jobs.items.iter().map(|job| job.id).collect::<Vec<_>>(), jobs.more)
    };
    assert_eq!(list(None, None).await, (vec![other.id, nothing.id], true));
    assert_eq!(list(None, Some(nothing.id)).await, (vec![job.id], false));
    assert_eq!(list(Some(JobState::Running), None).await, (vec![other.id], false));
    assert_eq!(store.job(JobId(99)).await.unwrap(), None);
}

pub(in crate::store::conformance) async fn a_job_stops_in_front_of_a_full_backlog(store: &dyn Store) {
    for id in ["a", "b", "c", "d"] {
        put(store, id, &[]).await;
    }
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::DropOldest }));
    let all = |subscription: &'static str| {
        (1..=4).map(move |place| deliver(place, subscription)).collect::<Vec<_>>()
    };
    let job = store.add_job(replay(Some("one"))).await.unwrap();
    let (stopped, _, full) = stepped(store, step(&job, 4, all("one"))).await;
    assert_eq!((stopped.place, stopped.done, stopped.examined), (2, 2, 2));
    assert_eq!((full.as_deref(), stopped.state), (Some("one"), JobState::Running));
    let none = step(&stopped, 4, vec![deliver(3, "one"), deliver(4, "one")]);
    let (stopped, ..) = stepped(store, none).await;
    assert_eq!((stopped.place, stopped.done), (2, 2));
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2)], "none was dropped for it");

    // A job for several leaves what has no room for later, and others are not held up.
    let job = store.add_job(replay(None)).await.unwrap();
    let mut both = [all("one"), all("two")].concat();
    both.sort_by_key(|item| item.place);
    let (left, subscriptions, full) = stepped(store, step(&job, 4, both)).await;
    assert_eq!((left.place, left.left, left.done, left.state), (0, None, 4, JobState::Running));
    assert_eq!((subscriptions, full.as_deref()), (vec!["two".to_owned()], Some("one")));
    // The second time round what was done is not done again.
    store.bound("one", None);
    let again = (1..=4).flat_map(|place| {
        ["one", "two"].map(|subscription| {
            let (seq, subscription) = (EventSeq(place), subscription.to_owned());
            let unless_after = (subscription == "two").then_some(job.newest);
            let action = JobAction::Deliver { seq, subscription, lane: None, unless_after };
            JobItem { place, examined: place.unsigned_abs(), action }
        })
    });
    let (ended, ..) = stepped(store, step(&left, 4, again.collect())).await;
    assert_eq!((ended.done, ended.state), (8, JobState::Finished));
    let open = [("one".to_owned(), 6), ("two".to_owned(), 4)];
    assert_eq!(store.backlog().await.unwrap(), open);

    // Whatever the bound is, a step says how many may be open.
    let job = store.add_job(replay(Some("two"))).await.unwrap();
    let few = JobStep { most_open: 5, ..step(&job, 4, all("two")) };
    assert_eq!(stepped(store, few).await.0.done, 1);
}

pub(in crate::store::conformance) async fn a_job_retries_what_ended_before_it_was_made_and_once(
    store: &dyn Store,
) {
    let mut dead = Vec::new();
    for id in ["a", "b", "c"] {
        let (_, deliveries) = put(store, id, &["one", "two"]).await;
        for delivery in &deliveries {
            let settled = if id == "b" { Settled::Delivered } else { Settled::Dead };
            settle(store, delivery.lease(), settled, later(50)).await;
            dead.extend((id != "b").then_some(delivery.id));
        }
    }
    let found = async |new: NewJob| {
        let job = store.add_job(new).await.unwrap();
        let mut ids = Vec::new();
        let mut place = job.clone();
        while place.place < place.last {
            let part = store.retryable(&place, 2).await.unwrap();
            assert!(part.to > place.place, "it comes forward");
            ids.extend(part.deliveries.iter().map(|(id, ..)| *id));
            place.place = part.to;
        }
        store.end_job(job.id, JobState::Cancelled, "enough", later(100)).await.unwrap();
        ids
    };
    use DeliveryStatus::{Dead, Delivered, Discarded, Pending};
    assert_eq!(found(retry_of(Dead, None)).await, dead);
    assert_eq!(found(retry_of(Dead, Some("two"))).await, [dead[1], dead[3]]);
    assert_eq!(found(retry_of(Delivered, None)).await, [DeliveryId(3), DeliveryId(4)]);
    assert_eq!(found(retry_of(Delivered, Some("one"))).await, [DeliveryId(3)]);
    assert_eq!(found(retry_of(Discarded, None)).await, []);
    assert_eq!(found(retry_of(Pending, None)).await, []);
    assert_eq!(found(NewJob { created: later(49), ..retry_of(Dead, None) }).await, []);
    let in_time = |since, until| {
        let work = JobWork::Retry { status: Dead, subscription: None, since, until };
        NewJob { work, ..retry_of(Dead, None) }
    };
    assert_eq!(found(in_time(Some(NOW.0), Some(NOW.0 + 1))).await, dead);
    assert_eq!(found(in_time(Some(NOW.0 + 1), None)).await, []);

    let job = store.add_job(retry_of(Dead, None)).await.unwrap();
    let part = store.retryable(&job, 100).await.unwrap();
    let (ended, subscriptions, _) = stepped(store, retries(&job, &part)).await;
    assert_eq!((ended.state, ended.done), (JobState::Finished, 4));
    assert_eq!(subscriptions, ["one", "two"]);
    let (again, _) = store.delivery(dead[0]).await.unwrap().unwrap();
    assert_eq!((again.status, again.due, again.attempts), (Pending, Some(later(200)), 1));

    // What dies again after the job was made is not its own any more, nor is what somebody works on.
    let job = store.add_job(NewJob { created: later(300), ..retry_of(Pending, None) }).await.unwrap();
    let held = store.lease("one", later(300), 1, terms("me", later(1000))).await.unwrap().deliveries;
    let part = store.retryable(&job, 100).await.unwrap();
    assert_eq!(part.deliveries.len(), 4);
    let mut step = retries(&job, &part);
    step.now = later(310);
    assert_eq!(stepped(store, step).await.0.done, 3);
    settle(store, held[0].lease(), Settled::Dead, later(400)).await;
    assert_eq!(found(NewJob { created: later(399), ..retry_of(Dead, None) }).await, []);
}

pub(in crate::store::conformance) async fn a_job_that_follows_the_log_ends_where_a_step_says(
    store: &dyn Store,
) {
    put(store, "a", &[]).await;
    let work = JobWork::Start { subscription: "one".to_owned() };
    let start = NewJob { work, after: 0, last: None, follows: true, created: NOW };
    let stored = StoredSubscription { id: "one".to_owned(), document: "{}".to_owned(), updated: NOW };
    store.begin_subscription(stored, start).await.unwrap();
    assert_eq!(store.subscriptions().await.unwrap().len(), 1);
    let job = store.jobs(JobQuery { limit: 9, ..JobQuery::default() }).await.unwrap().items.remove(0);
    let (caught_up, ..) = stepped(store, step(&job, 1, vec![deliver(1, "one")])).await;
    assert_eq!(caught_up.state, JobState::Running, "more may come");
    put(store, "b", &[]).await;
    put(store, "c", &["one"]).await;
    let missing = |place: i64| {
        let (seq, subscription) = (EventSeq(place), "one".to_owned());
        let unless_after = Some(DeliveryId(0));
        let action = JobAction::Deliver { seq, subscription, lane: None, unless_after };
        JobItem { place, examined: place.unsigned_abs(), action }
    };
    let end = JobStep { last: Some(3), ..step(&caught_up, 3, vec![missing(2), missing(3)]) };
    let (ended, ..) = stepped(store, end).await;
    assert_eq!((ended.state, ended.done, ended.last, ended.follows), (JobState::Finished, 2, 3, false));
}

pub(in crate::store::conformance) async fn a_job_is_cancelled_and_ends_with_its_subscription(
    store: &dyn Store,
) {
    put(store, "a", &[]).await;
    let stored = |id: &str| StoredSubscription { id: id.to_owned(), document: "{}".to_owned(), updated: NOW };
    store.put_subscription(stored("one")).await.unwrap();
    let start = |id: &str| {
        let work = JobWork::Start { subscription: id.to_owned() };
        NewJob { work, after: 0, last: None, follows: true, created: NOW }
    };
    let declared = |id: &str| DeclaredSubscription { id: id.to_owned(), waits: true, start: Some(start(id)) };
    let mut jobs = Vec::new();
    for id in ["one", "two", "three"] {
        jobs.push(store.add_job(replay(Some(id))).await.unwrap().id);
    }
    let state = async |id: JobId| {
        let job = store.job(id).await.unwrap().unwrap();
        (job.state, job.reason)
    };
    let ended = store.end_job(jobs[2], JobState::Cancelled, "by hand", later(5)).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.ended), (JobState::Cancelled, Some(later(5))));
    // What has ended stays so.
    let again = store.end_job(jobs[2], JobState::Failed, "late", later(6)).await.unwrap();
    assert_eq!(again, Some(ended));
    assert_eq!(store.end_job(JobId(99), JobState::Failed, "", NOW).await.unwrap(), None);
    assert!(store.delete_subscription("one").await.unwrap());
    assert_eq!(state(jobs[0]).await, (JobState::Cancelled, Some("the subscription is gone".to_owned())));
    store.abandon("two", "it was deleted", NOW).await.unwrap();
    assert_eq!(state(jobs[1]).await, (JobState::Cancelled, Some("it was deleted".to_owned())));

    // A declared subscription begins with its job when it is new, and not each time.
    let count = async || store.jobs(JobQuery { limit: 99, ..JobQuery::default() }).await.unwrap().items.len();
    store.declare(vec![declared("file")]).await.unwrap();
    assert_eq!(count().await, 4);
    store.declare(vec![declared("file"), declared("other")]).await.unwrap();
    assert_eq!(count().await, 5);
    let running =
        store.jobs(JobQuery { state: Some(JobState::Running), cursor: None, limit: 9 }).await.unwrap();
    assert_eq!(running.items.len(), 2);
    store.declare(vec![declared("other")]).await.unwrap();
    assert_eq!(state(running.items[1].id).await.0, JobState::Cancelled);
    store.declare(vec![declared("file"), declared("other")]).await.unwrap();
    assert_eq!(count().await, 6, "what comes back is new again");

    // What ended long ago is forgotten, what runs is not.
    while store.expire(UnixMillis(u64::MAX / 4), 100).await.unwrap() > 0 {}
    assert_eq!(count().await, 2);
}
