//! Names: resolved without blocking a thread, each by one look-up at a time, remembered within bounds.
//!
//! Whoever can write a subscription can name a host whose name server never answers, and as many of them as they like.
//! So a look-up that does not end at once leaves the lane that the others use, a name that was not answered before
//! begins beside that lane, and what was known of a name is used on while its servers are silent (RFC 8767).

use super::server::{Found, LookupError, NameServers, Servers};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long one look-up may take in all.
const LONGEST: Duration = Duration::from_secs(5);
/// How long it may be in the way of others. Most take a few milliseconds.
const QUICK: Duration = Duration::from_millis(500);
/// How long a look-up may wait for its turn.
const TURN: Duration = Duration::from_secs(4);
/// How long one waits for a look-up while there are addresses from before.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bounds of how long an answer holds, whatever its TTL.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
const LONGEST_LIFE: Duration = Duration::from_secs(300);
/// How long addresses are used on while nobody answers for their name.
const STALE: Duration = Duration::from_secs(3600);
/// How long it holds that there is no such name.
const LONGEST_NOTHING: Duration = Duration::from_secs(10);
/// How long a name that was not answered is left alone: twice as long each time.
const SHORTEST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long a name server that was silent is taken to be so still, while it is asked again.
const OUTAGE: Duration = Duration::from_secs(30);
/// How many names are remembered.
const MOST: usize = 16 * 1024;

/// How many look-ups may run at once by default: each takes up to four descriptors for its time.
pub(super) const LOOK_UPS: usize = 256;

/// A name has no address to call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dns: {host}: {problem}")]
pub(crate) struct NameError {
    host: Arc<str>,
    problem: String,
    local: bool,
}

impl NameError {
    /// Whether it says something about this machine and nothing about the name.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// A host that is neither an address nor a name.
    pub(super) fn unfit(host: &str) -> Self {
        Self { host: host.into(), problem: "neither an address nor a name".to_owned(), local: false }
    }
}

/// The addresses of names. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Servers,
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    /// The lane of all look-ups for their first moments.
    quick: Semaphore,
    /// The lane of those that are known to take their time.
    slow: Semaphore,
}

type Answer = Result<Arc<[IpAddr]>, NameError>;

#[derive(Debug, Default)]
struct Entry {
    known: Option<CachedName>,
    failed: Option<Failed>,
    asking: Option<Shared<BoxFuture<'static, Answer>>>,
}

#[derive(Debug, Clone)]
struct CachedName {
    addresses: Arc<[IpAddr]>,
    until: Instant,
}

#[derive(Debug, Clone)]
struct Failed {
    error: NameError,
    until: Instant,
    /// How often in a row nobody answered.
    unanswered: u32,
    /// Whether what was known before may be used on.
    silent: bool,
}

/// What to do about a name.
enum Step {
    Done(Answer),
    Ask(Shared<BoxFuture<'static, Answer>>, Option<Arc<[IpAddr]>>),
}

impl Names {
    /// Asks nobody yet. `look_ups` may run at once.
    pub(crate) fn new(source: NameServers, look_ups: usize) -> Self {
        Self(Arc::new(Inner {
            servers: Servers::new(source),
            entries: Mutex::default(),
            quick: Semaphore::new(look_ups.max(1)),
            slow: Semaphore::new((look_ups / 4).max(1)),
        }))
    }

    /// The addresses of a name: not empty, in the order in which they should be tried.
    pub(crate) async fn addresses(&self, name: &str) -> Answer {
        if let Some(own) = self.0.servers.own(name) {
            return Ok(own.into());
        }
        match self.step(name) {
            Step::Done(answer) => answer,
            Step::Ask(asking, None) => asking.await,
            Step::Ask(asking, Some(before)) => match tokio::time::timeout(PATIENCE, asking).await {
                Ok(answer) => answer,
                Err(_) => Ok(before),
            },
        }
    }

    fn step(&self, name: &str) -> Step {
        let now = Instant::now();
        // Upper and lower case make no difference to name servers (RFC 4343).
        let name: Arc<str> = name.to_ascii_lowercase().into();
        let mut entries = self.0.entries();
        make_room(&mut entries, now);
        let entry = entries.entry(Arc::clone(&name)).or_default();
        let before = entry.known.as_ref().filter(|known| known.until + STALE > now);
        let before = before.map(|known| Arc::clone(&known.addresses));
        if let Some(known) = entry.known.as_ref().filter(|known| known.until > now) {
            return Step::Done(Ok(Arc::clone(&known.addresses)));
        }
        // While nobody answers, nobody waits for it either: who asks again in a while finds out how it went.
        let still =
            |failed: &&Failed| failed.until > now || failed.error.local && failed.until + OUTAGE > now;
        if let Some(failed) = entry.failed.clone().as_ref().filter(still) {
            if failed.until <= now && entry.asking.is_none() {
                entry.asking = Some(self.ask(name, failed.unanswered));
            }
            return Step::Done(match before {
                Some(before) if failed.silent => Ok(before),
                _ => Err(failed.error.clone()),
            });
        }
        let asking = match &entry.asking {
            // One that ended and stands here still broke off.
            Some(asking) if asking.peek().is_none() => asking.clone(),
            _ => {
                let suspect = entry.failed.as_ref().map_or(0, |failed| failed.unanswered);
                let asking = self.ask(name, suspect);
                entry.asking = Some(asking.clone());
                asking
            }
        };
        Step::Ask(asking, before)
    }

    /// Looks up in a task of its own: whoever waits may go away, and the next one finds the answer.
    fn ask(&self, name: Arc<str>, unanswered: u32) -> Shared<BoxFuture<'static, Answer>> {
        let (names, asked) = (self.clone(), Arc::clone(&name));
        let task = tokio::spawn(async move {
            let result = names.0.look_up(&asked, unanswered > 0).await;
            names.0.remember(&asked, result, unanswered)
        });
        async move {
            task.await.unwrap_or_else(|_| {
                let problem = "the look-up broke off".to_owned();
                Err(NameError { host: name, problem, local: true })
            })
        }
        .boxed()
        .shared()
    }
}

impl Inner {
    fn entries(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, name: &str, suspect: bool) -> Result<Found, LookupError> {
        let busy = || LookupError::Local("too many names are looked up at once".to_owned());
        let lane = if suspect { &self.slow } else { &self.quick };
        let Ok(Ok(turn)) = tokio::time::timeout(TURN, lane.acquire()).await else { return Err(busy()) };
        let deadline = tokio::time::Instant::now() + LONGEST;
        let mut answer = std::pin::pin!(self.servers.ask(name));
        let mut turn = Some(turn);
        if !suspect {
            if let Ok(answer) = tokio::time::timeout(QUICK, answer.as_mut()).await {
                return answer;
            }
            turn = None;
        }
        let _turn = match turn {
            Some(turn) => turn,
            None => self.slow.try_acquire().map_err(|_| busy())?,
        };
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.servers.unanswered().await),
        }
    }

    fn remember(&self, name: &Arc<str>, result: Result<Found, LookupError>, unanswered: u32) -> Answer {
        let now = Instant::now();
        let mut entries = self.entries();
        let entry = entries.entry(Arc::clone(name)).or_default();
        entry.asking = None;
        let error = |problem, local| NameError { host: Arc::clone(name), problem, local };
        let failed = match result {
            Ok(Found { addresses, lifetime }) => {
                let addresses: Arc<[IpAddr]> = addresses.into();
                let until = now + lifetime.clamp(SHORTEST_LIFE, LONGEST_LIFE);
                entry.known = Some(CachedName { addresses: Arc::clone(&addresses), until });
                entry.failed = None;
                return Ok(addresses);
            }
            Err(LookupError::Nothing(problem, lifetime)) => Failed {
                error: error(problem.to_owned(), false),
                until: now + lifetime.clamp(SHORTEST_LIFE, LONGEST_NOTHING),
                unanswered: 0,
                silent: false,
            },
            Err(LookupError::Failed(problem)) => Failed {
                error: error(problem, false),
                until: now + rest(unanswered),
                unanswered: unanswered.saturating_add(1),
                silent: true,
            },
            // Nothing against the name, but whoever asks for it waits for as long as others do.
            Err(LookupError::Local(problem)) => Failed {
                error: error(problem, true),
                until: now + SHORTEST_REST,
                unanswered: unanswered.saturating_add(1),
                silent: true,
            },
        };
        let error = failed.error.clone();
        let before = entry.known.as_ref().filter(|known| failed.silent && known.until + STALE > now);
        let before = before.map(|known| Arc::clone(&known.addresses));
        entry.failed = Some(failed);
        before.ok_or(error)
    }
}

/// How long a name is left alone after so many look-ups that nobody answered.
fn rest(unanswered: u32) -> Duration {
    SHORTEST_REST.saturating_mul(1 << unanswered.min(16)).min(LONGEST_REST)
}

/// Forgets what holds no longer, and what holds still if there is too much of it: a name is looked up again.
fn make_room(entries: &mut HashMap<Arc<str>, Entry>, now: Instant) {
    if entries.len() < MOST {
        return;
    }
    entries.retain(|_, entry| {
        let known = entry.known.as_ref().is_some_and(|known| known.until > now);
        let failed = entry.failed.as_ref().is_some_and(|failed| failed.until > now);
        entry.asking.is_some() || known || failed
    });
    if entries.len() >= MOST {
        entries.retain(|_, entry| entry.asking.is_some());
    }
}
