//! A thread for what people ask: it never works where senders wait.

use super::job::{ExplainJob, StoredEvent};
use super::warm::WarmInstance;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How many questions may wait for an answer.
pub(super) const QUEUE: usize = 32;

/// How long an explanation for all subscriptions may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Its instance has a table of its own, which is kept so long after the last question.
const IDLE: Duration = Duration::from_secs(60);

/// Answers until nobody can ask any more.
pub(super) fn explain(mut warm: WarmInstance, jobs: &Receiver<ExplainJob>) {
    loop {
        match jobs.recv_timeout(IDLE) {
            Ok(job) => answer(&mut warm, job),
            Err(RecvTimeoutError::Timeout) => warm.cool(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn answer(warm: &mut WarmInstance, job: ExplainJob) {
    match job {
        // Whoever went away meanwhile keeps nobody else waiting.
        ExplainJob::Request(_, reply) if reply.is_closed() => {}
        ExplainJob::Event(_, reply) if reply.is_closed() => {}
        ExplainJob::Request(request, reply) => {
            let _ = reply.send(warm.call(|instance| instance.explain(&request)));
        }
        ExplainJob::Event(stored, reply) => {
            let StoredEvent { event, headers, data, received, only } = &*stored;
            let verdicts = warm
                .call(|instance| instance.explain_event(event, headers, data, *received, only.as_deref()));
            let _ = reply.send(verdicts);
        }
        ExplainJob::Other(work) => work(),
    }
}
