//! What a connection is doing, and until when it may.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What an HTTP/2 connection writes of its own account has fewer bytes: pings and their answers, windows, goodbyes. A peer
/// whose connection takes them may take nothing of an answer.
const CONTROL: usize = 128;

/// How long a connection may do nothing that ends in a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IdleLimits {
    /// From accepting it, or from the first byte of a head, until a whole head is there.
    pub(super) head: Duration,
    /// From the end of one request until the first byte of the next one, and while an answer is sent of which nothing is taken.
    pub(super) idle: Duration,
    /// Whether a peer that says no more is still answered.
    pub(super) half_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last request ended.
    Idle,
    /// Part of a head may be there.
    Head,
}

/// Watches one connection: its requests and its bytes.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    patience: IdleLimits,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered yet; HTTP/2 has many at once.
    requests: usize,
    /// Answers that are being sent.
    answers: usize,
    /// Whether there was a request yet.
    spoken: bool,
    is_http2: bool,
    phase: Phase,
    since: Instant,
    /// When bytes came last.
    heard: Instant,
    /// When something of an answer was taken last.
    taken: Instant,
    /// Whether something waits to be taken, and when that last came to an end.
    is_full: bool,
    relieved: Option<Instant>,
    /// Whether the peer was cut off because it took nothing for too long.
    is_cut_off: bool,
    end: End,
}

/// The end of what a peer says. It is kept from the server library while a request that came whole is answered: it would drop
/// that request, although the peer may wait for its answer.
#[derive(Debug, Default)]
struct End {
    is_held: bool,
    /// Whether the body of the request has not come to its end yet.
    is_body_open: bool,
    /// The request cannot be whole any more: the library is to know.
    is_told: bool,
    /// Who reads from the connection.
    connection: Option<Waker>,
    /// Who reads the body.
    body: Option<Waker>,
    /// Who wants to know.
    watcher: Option<Waker>,
}

impl End {
    /// The library is told, if it was not.
    fn tell(&mut self) -> Option<Waker> {
        self.connection.take().filter(|_| self.is_held)
    }
}

impl Activity {
    /// A connection that was accepted now.
    pub(super) fn new(patience: IdleLimits, now: Instant) -> Self {
        // Until the first head is whole its time runs from accepting: a peer that says nothing has no longer than one
        // that says it slowly.
        let state = State {
            requests: 0,
            answers: 0,
            spoken: false,
            is_http2: false,
            phase: Phase::Head,
            since: now,
            heard: now,
            taken: now,
            is_full: false,
            relieved: None,
            is_cut_off: false,
            end: End::default(),
        };
        Self { state: Mutex::new(state), patience }
    }

    /// Bytes came. Those of HTTP/2 need not be of a request: it says what it has taken, and answers pings.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.lock();
        state.heard = now;
        let is_quiet = state.requests == 0 && state.answers == 0 && state.phase == Phase::Idle;
        if is_quiet && !state.is_http2 {
            state.phase = Phase::Head;
            state.since = now;
        }
    }

    /// So many bytes of an answer were taken: a peer that reads a long one slowly is not idle.
    pub(super) fn written(&self, length: usize, now: Instant) {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_full) {
            state.relieved = Some(now);
        }
        if state.is_http2 && length < CONTROL {
            return;
        }
        state.taken = now;
        if state.requests == 0 && state.spoken && state.phase == Phase::Idle {
            state.since = now;
        }
    }

    /// There is no room for more before the peer takes something.
    pub(super) fn full(&self) {
        self.lock().is_full = true;
    }

    /// The server library asked for more of an answer. That of HTTP/2 does so when the peer has room for it.
    pub(super) fn asked(&self, now: Instant) {
        let mut state = self.lock();
        if state.is_http2 {
            state.taken = now;
        }
    }

    /// A whole head came, with a body behind it or without. The request lasts until it is answered or dropped.
    pub(super) fn begin(&self, is_http2: bool, has_body: bool) {
        let mut state = self.lock();
        state.requests += 1;
        state.spoken = true;
        state.is_http2 = is_http2;
        state.end.is_body_open = has_body;
    }

    /// A request was dropped without an answer.
    pub(super) fn drop_request(&self, now: Instant) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        Self::rest(state, now);
    }

    /// A request is answered, and the answer is sent from now on.
    pub(super) fn answer(&self, now: Instant) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        state.answers += 1;
        state.taken = now;
    }

    /// There is no more of an answer.
    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        state.answers = state.answers.saturating_sub(1);
        Self::rest(state, now);
    }

    fn rest(mut state: MutexGuard<'_, State>, now: Instant) {
        state.phase = Phase::Idle;
        state.since = now;
        let is_over = state.requests == 0 && state.answers == 0;
        let told = if is_over { state.end.tell() } else { None };
        drop(state);
        told.inspect(Waker::wake_by_ref);
    }

    /// The peer says no more. Whether that is kept from the server library for now; then `context` is woken when it is not any
    /// more.
    pub(super) fn holds_end(&self, context: &Context<'_>) -> bool {
        let mut state = self.lock();
        let is_under_way = state.requests > 0 || state.answers > 0;
        if !self.patience.half_open || state.is_http2 || !is_under_way || state.end.is_told {
            return false;
        }
        let end = &mut state.end;
        end.is_held = true;
        end.connection = Some(context.waker().clone());
        let (body, watcher) = (end.body.take(), end.watcher.take());
        drop(state);
        [body, watcher].iter().flatten().for_each(Waker::wake_by_ref);
        true
    }

    /// Nothing of a request's body is there now. If the peer says no more, nothing will be.
    pub(super) fn wait_for_body(&self, context: &Context<'_>) {
        let mut state = self.lock();
        if state.is_http2 || !self.patience.half_open {
            return;
        }
        state.end.body = Some(context.waker().clone());
        if state.end.is_held && state.end.is_body_open {
            Self::break_off(state);
        }
    }

    /// A request's body has come to its end.
    pub(super) fn end_body(&self) {
        let mut state = self.lock();
        state.end.is_body_open = false;
        state.end.body = None;
    }

    /// Nobody wants the rest of a request's body.
    pub(super) fn drop_body(&self) {
        let state = self.lock();
        if state.end.is_body_open {
            Self::break_off(state);
        }
    }

    fn break_off(mut state: MutexGuard<'_, State>) {
        state.end.is_told = true;
        let told = state.end.tell();
        drop(state);
        told.inspect(Waker::wake_by_ref);
    }

    /// When the connection is to be looked at again; `None` if its time is up at `now`.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let state = self.lock();
        let (since, patience) = match state.phase {
            // A request under way has limits of its own.
            _ if state.requests > 0 => (now, self.patience.idle),
            _ if state.answers > 0 => (state.taken, self.patience.idle),
            Phase::Idle => (state.since, self.patience.idle),
            Phase::Head => (state.since, self.patience.head),
        };
        let deadline = since + patience;
        (deadline > now).then_some(deadline)
    }

    /// The peer is cut off; if something is being sent to it, because it took nothing of that.
    pub(super) fn cut_off(&self) {
        let mut state = self.lock();
        state.is_cut_off = state.answers > 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What those who answer a request may know of its connection. It is an extension of the requests of listeners whose answers are
/// lasting ones. Without a connection nothing is known. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionWatch(Option<Arc<Activity>>);

impl ConnectionWatch {
    pub(super) fn of(activity: &Arc<Activity>) -> Self {
        Self(Some(Arc::clone(activity)))
    }

    /// One of a connection that somebody else reads and writes.
    pub(crate) fn alone() -> Self {
        Self::of(&Arc::new(Activity::new(IdleLimits::default(), Instant::now())))
    }

    /// Waits until the peer says no more. It may still read, or be gone: only what is sent to it tells.
    pub(crate) async fn half_closed(&self) {
        poll_fn(|context| {
            let Some(activity) = &self.0 else { return Poll::Pending };
            let mut state = activity.lock();
            if state.end.is_held {
                return Poll::Ready(());
            }
            state.end.watcher = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// When bytes of the peer came last, if that is known.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.0.as_ref().map(|activity| activity.lock().heard)
    }

    /// When the peer took something last, if that is known.
    pub(crate) fn taken(&self) -> Option<Instant> {
        self.0.as_ref().map(|activity| activity.lock().taken)
    }

    /// When the peer last took something that had waited for that: so long ago it was there.
    pub(crate) fn relieved(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|activity| activity.lock().relieved)
    }

    /// The peer is cut off because it took nothing for too long.
    pub(crate) fn cut_off(&self) {
        if let Some(activity) = &self.0 {
            activity.lock().is_cut_off = true;
        }
    }

    /// Whether the peer was cut off because it took nothing for too long.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.0.as_ref().is_some_and(|activity| activity.lock().is_cut_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const HEAD: Duration = Duration::from_secs(1);
    const IDLE: Duration = Duration::from_secs(60);

    fn start() -> (Activity, Instant) {
        let now = Instant::now();
        (Activity::new(IdleLimits { head: HEAD, idle: IDLE, half_open: true }, now), now)
    }

    #[test]
    fn the_first_head_has_its_time_from_accepting_however_its_bytes_come() {
        let (activity, now) = start();
        for part in 1..10 {
            activity.read(now + HEAD * part / 10);
        }
        assert_eq!(activity.deadline(now + HEAD * 9 / 10), Some(now + HEAD));
        assert_eq!(activity.deadline(now + HEAD), None);
    }

    #[test]
    fn a_request_under_way_is_not_cut_off() {
        let (activity, now) = start();
        activity.begin(false, false);
        assert!(activity.deadline(now + IDLE * 100).is_some());
    }

    #[test]
    fn between_requests_it_may_be_idle_and_a_head_that_has_begun_has_the_time_of_a_head() {
        let (activity, now) = start();
        activity.begin(false, false);
        let ended = now + HEAD * 30;
        activity.answer(ended);
        activity.end(ended);
        assert_eq!(activity.deadline(ended + HEAD * 2), Some(ended + IDLE));
        let begun = ended + HEAD * 2;
        activity.read(begun);
        activity.read(begun + HEAD / 2);
        assert_eq!(activity.deadline(begun + HEAD / 2), Some(begun + HEAD));
        assert_eq!(activity.deadline(begun + HEAD), None);
    }

    #[test]
    fn whoever_still_reads_an_answer_is_not_idle() {
        let (activity, now) = start();
        activity.begin(false, false);
        activity.answer(now);
        activity.end(now);
        activity.written(1, now + IDLE / 2);
        assert_eq!(activity.deadline(now + IDLE), Some(now + IDLE / 2 + IDLE));
    }

    #[test]
    fn whoever_takes_nothing_of_an_answer_is_cut_off_whatever_it_says_meanwhile() {
        for is_http2 in [false, true] {
            let (activity, now) = start();
            activity.begin(is_http2, false);
            activity.answer(now);
            let later = now + IDLE / 2;
            activity.written(CONTROL, later);
            activity.read(later + HEAD);
            if is_http2 {
                activity.written(CONTROL - 1, later + HEAD);
            }
            assert_eq!(activity.deadline(later + HEAD * 2), Some(later + IDLE));
            assert_eq!(activity.deadline(later + IDLE), None);
            activity.cut_off();
            assert!(activity.lock().is_cut_off);
        }
    }

    #[test]
    fn what_http_2_says_beside_an_answer_is_no_head_that_has_begun() {
        let (activity, now) = start();
        activity.begin(true, false);
        activity.answer(now);
        activity.read(now + HEAD);
        activity.asked(now + IDLE / 2);
        assert_eq!(activity.deadline(now + HEAD * 3), Some(now + IDLE / 2 + IDLE));
        activity.end(now + IDLE);
        activity.read(now + IDLE);
        assert_eq!(activity.deadline(now + IDLE + HEAD * 2), Some(now + IDLE * 2));
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_end_of_what_a_peer_says_is_held_back_until_its_request_is_answered() {
        let (activity, now) = start();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        assert!(!activity.holds_end(&context), "nothing is under way");
        activity.begin(false, false);
        assert!(activity.holds_end(&context));
        activity.answer(now);
        assert!(activity.holds_end(&context));
        activity.end(now);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(!activity.holds_end(&context));
    }

    #[test]
    fn the_end_of_a_body_that_is_not_whole_is_told_once_somebody_waits_for_the_rest() {
        let (activity, _) = start();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        activity.begin(false, true);
        activity.wait_for_body(&context);
        assert!(activity.holds_end(&context));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "whoever waits for the body looks again");
        activity.wait_for_body(&context);
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        assert!(!activity.holds_end(&context));

        let (activity, _) = start();
        activity.begin(false, true);
        activity.wait_for_body(&context);
        activity.end_body();
        assert!(activity.holds_end(&context), "the body is whole");
        activity.drop_body();
        assert!(activity.holds_end(&context));
    }
}
