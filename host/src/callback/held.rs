//! A callback that this program holds.

use super::{CallbackError, CallbackOptions, CallbackReply, Callbacks, Next, ReceivedCallback};
use crate::store::EventSeq;
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

/// How long it waits at a time.
const WAIT: Duration = Duration::from_hours(24);

/// A callback that is being asked for. Awaiting it takes hold of it.
#[derive(Debug, Clone)]
#[must_use = "a callback is made when it is awaited"]
pub struct CallbackBuilder {
    callbacks: Callbacks,
    name: Option<String>,
    options: CallbackOptions,
}

/// A callback that this program holds: an address, and what comes there.
///
/// It may be dropped at any time; the address stays, and the same name gets it again, also after a restart, with all that
/// is not done with.
#[derive(Debug)]
pub struct Callback {
    callbacks: Callbacks,
    name: String,
    url: String,
    holder: u64,
    /// What was handed out last, and is done with when the next one is asked for.
    last: Option<EventSeq>,
}

impl Callbacks {
    /// Asks for the callback of this name.
    pub fn callback(&self, name: impl Into<String>) -> CallbackBuilder {
        let options = CallbackOptions::default();
        CallbackBuilder { callbacks: self.clone(), name: Some(name.into()), options }
    }

    /// Asks for one that nobody else has.
    pub fn spawn(&self) -> CallbackBuilder {
        CallbackBuilder { callbacks: self.clone(), name: None, options: CallbackOptions::default() }
    }
}

impl CallbackBuilder {
    /// Takes only what this scheme verifies with these secrets.
    pub fn verify(mut self, scheme: &str, secrets: &[&str]) -> Self {
        self.options.verify = Some(serde_json::json!({"scheme": scheme, "secrets": secrets}));
        self
    }

    /// The same in the words of a source of the configuration, without its name.
    pub fn verify_as(mut self, source: Value) -> Self {
        self.options.verify = Some(source);
        self
    }

    /// Keeps only what this CEL expression wants.
    pub fn filter(mut self, expression: impl Into<String>) -> Self {
        self.options.filter = Some(expression.into());
        self
    }

    /// Takes nothing any more after this time. It counts from when the callback was first made, whatever happens meanwhile.
    pub fn expires(mut self, after: Duration) -> Self {
        self.options.expires = Some(after);
        self
    }

    /// Takes one only.
    pub fn once(mut self) -> Self {
        self.options.once = true;
        self
    }

    /// Lets so many wait to be done with; whoever comes then is asked to come again.
    pub fn max_waiting(mut self, most: u64) -> Self {
        self.options.max_waiting = Some(most);
        self
    }

    /// Lets whoever comes wait so long for the answer that [`Callback::reply`] gives.
    pub fn reply_within(mut self, time: Duration) -> Self {
        self.options.reply_within = Some(time);
        self
    }
}

impl IntoFuture for CallbackBuilder {
    type Output = Result<Callback, CallbackError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { callbacks, name, options } = self;
            let held = callbacks.hold(name, &options).await?;
            let url = callbacks.url(&held);
            Ok(Callback { callbacks, url, name: held.name, holder: held.holder, last: None })
        })
    }
}

impl Callback {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next that comes, or has come and is not done with; the one before it is done with. `None` once nothing will come.
    /// It may be dropped while it waits, and nothing is lost.
    ///
    /// # Errors
    ///
    /// Somebody else holds it by now, or the store cannot be used.
    pub async fn next(&mut self) -> Result<Option<ReceivedCallback>, CallbackError> {
        self.ack().await?;
        loop {
            match self.callbacks.next(&self.name, Some(self.holder), WAIT).await? {
                Next::Received(received) => {
                    self.last = Some(received.position);
                    return Ok(Some(*received));
                }
                Next::Over => return Ok(None),
                Next::Nothing => {}
            }
        }
    }

    /// Is done with what was handed out last, without asking for the next.
    ///
    /// # Errors
    ///
    /// Somebody else holds it by now, or the store cannot be used.
    pub async fn ack(&mut self) -> Result<(), CallbackError> {
        if let Some(last) = self.last {
            self.callbacks.ack(&self.name, self.holder, last).await?;
            self.last = None;
        }
        Ok(())
    }

    /// Answers whoever came with this one, as long as they wait.
    ///
    /// # Errors
    ///
    /// Nobody waits any more ([`CallbackError::Answered`]), or it came in at another callback
    /// ([`CallbackError::Elsewhere`]). Neither keeps it from being done with.
    pub fn reply(
        &self,
        received: &ReceivedCallback,
        status: u16,
        body: impl Into<Bytes>,
    ) -> Result<(), CallbackError> {
        let reply = CallbackReply { status, content_type: None, body: body.into() };
        self.callbacks.reply(&self.name, received.position, reply)
    }

    /// Takes nothing there any more: whoever comes from now on learns that it is over. What came in before is given by
    /// [`Callback::next`] still, and then `None`.
    ///
    /// # Errors
    ///
    /// It cannot be written down.
    pub async fn close(&mut self) -> Result<(), CallbackError> {
        self.callbacks.close(&self.name).await.map(drop)
    }

    /// The first that comes to one of several, with its index; the others are closed. `None` once nothing will come to any.
    ///
    /// # Errors
    ///
    /// Somebody else holds one of them by now, or the store cannot be used.
    pub async fn first(several: &mut [Self]) -> Result<Option<(usize, ReceivedCallback)>, CallbackError> {
        let found = {
            let next = several.iter_mut().enumerate();
            let mut waiting: FuturesUnordered<_> =
                next.map(|(index, one)| async move { (index, one.next().await) }).collect();
            loop {
                match waiting.next().await {
                    Some((index, received)) => {
                        if let Some(received) = received? {
                            break Some((index, received));
                        }
                    }
                    None => break None,
                }
            }
        };
        let Some((index, received)) = found else { return Ok(None) };
        for (other, one) in several.iter_mut().enumerate() {
            if other != index {
                one.close().await?;
            }
        }
        Ok(Some((index, received)))
    }

    /// One from each of several, in their order, once all are there; `None` for one that nothing will come to.
    ///
    /// # Errors
    ///
    /// Somebody else holds one of them by now, or the store cannot be used.
    pub async fn all(several: &mut [Self]) -> Result<Vec<Option<ReceivedCallback>>, CallbackError> {
        try_join_all(several.iter_mut().map(Self::next)).await
    }

    /// All that comes, as a stream: to be combined with others by the usual means.
    pub fn into_stream(self) -> impl Stream<Item = Result<ReceivedCallback, CallbackError>> + Send {
        futures_util::stream::try_unfold(self, |mut callback| async move {
            Ok(callback.next().await?.map(|received| (received, callback)))
        })
    }
}

impl ReceivedCallback {
    /// Its data, read as JSON.
    ///
    /// # Errors
    ///
    /// It is none of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.data)
    }
}
