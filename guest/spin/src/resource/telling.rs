//! What a subscriber of a resource is told when its delivery runs, and what it has from then on.

use super::change::{owed_list, written};
use super::turn::{self, Held, TurnError};
use crate::binding::types;
use crate::bucket::Bucket;
use crate::outbox::outbox;
use crate::table::{Destination, Table};
use crate::{clock, convert};
use anglerfish_core::attempt::{Outgoing, telling_event};
use anglerfish_core::edge::{Beside, DeliveryStatus, ErrorRecord, Owed, Turn, Turns, Unit, owed_key};
use anglerfish_core::event::Event;
use anglerfish_core::resource::Action;
use anglerfish_core::router::Rendered;
use bytes::Bytes;
use spin_sdk::time::sleep;
use std::rc::Rc;
use std::time::Duration;

/// How long another delivery of the same document to the same subscriber is waited for, in milliseconds: of a burst, what comes later
/// is told at once.
const PATIENCE: u64 = 5_000;

/// How often that is looked at, in milliseconds.
const PAUSE: u64 = 50;

/// How long a delivery is put off that waited in vain, in milliseconds.
const BUSY: u64 = 5_000;

/// How long there is to write down what came of an attempt, in milliseconds.
const SETTLING: u64 = 10_000;

/// What is told.
pub(crate) struct Telling {
    /// Where it goes, by what became of the document.
    pub(crate) outgoing: Rc<Outgoing>,
    /// What is sent in the place of the entry.
    pub(crate) event: Event,
    /// Its data.
    pub(crate) data: Bytes,
    /// What stands in the place of wildcards.
    pub(crate) values: Rendered,
}

/// A delivery that nobody else makes now.
pub(crate) struct Told {
    subscription: String,
    /// What the component knows the subscription by.
    follower: String,
    /// What is written once the subscriber has it.
    receipt: Vec<u8>,
    turn: Turn,
    end: End,
}

/// What came of a delivery, as far as the subscriber is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It has what it was told, or wants none of it.
    Had,
    /// It may have it.
    Doubt,
    /// It has not got it.
    Nothing,
}

/// How a delivery begins.
pub(crate) enum Begun {
    /// There is something to tell.
    Tell(Box<Telling>, Told),
    /// There is nothing, for this reason.
    Nothing(String, Told),
    /// It cannot be sent, for this reason.
    Unfit(String, Told),
    /// It is to be tried again at this time.
    Later(u64),
}

impl Told {
    /// The same with what came of it.
    pub(crate) fn ended(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

impl End {
    /// What came of an attempt that is settled for the subscriber, or may have reached it.
    pub(crate) fn of(is_settled: bool, is_in_doubt: bool) -> Self {
        match (is_settled, is_in_doubt) {
            (true, _) => Self::Had,
            (false, true) => Self::Doubt,
            (false, false) => Self::Nothing,
        }
    }
}

/// Waits until no other delivery of the document to the subscriber is made, and asks what there is to tell. `until` is when somebody else
/// may take the delivery, `time` how long its attempt may take.
pub(crate) async fn begin(
    table: &Table,
    destination: &Destination,
    subscription: &str,
    (event, data): (&Event, &Bytes),
    (until, time): (u64, u64),
) -> Result<Begun, String> {
    let Some(follower) = table.directory.follower(subscription) else {
        return Ok(Begun::Later(clock::now().saturating_add(BUSY)));
    };
    let url = event.subject.as_deref().unwrap_or_default();
    let latest = clock::now().saturating_add(PATIENCE);
    let turn = loop {
        if let Some(turn) = Turns::TELLING.take(&Bucket::open, (&follower, url), &clock::now)? {
            break turn;
        }
        if clock::now() >= latest {
            return Ok(Begun::Later(clock::now().saturating_add(BUSY)));
        }
        sleep(Duration::from_millis(PAUSE)).await;
    };
    let now = clock::now();
    let needed = time.saturating_add(SETTLING);
    if now.saturating_add(needed) > until || !turn.lasts(now, needed) {
        turn::forget(vec![turn.key().to_owned()]);
        return Ok(Begun::Later(now.saturating_add(BUSY)));
    }
    table.router.hold_writes();
    let notice = table.router.document_notice(&follower, &convert::event_out(event), data, false);
    drop(table.router.take_writes());
    let notice = match notice {
        Ok(notice) => notice,
        Err(reason) => {
            turn::forget(vec![turn.key().to_owned()]);
            return Err(reason);
        }
    };
    let types::Notice { telling, reason, receipt } = notice;
    let subscription = subscription.to_owned();
    let told = Told { subscription, follower, receipt, turn, end: End::Nothing };
    let Some(telling) = telling else { return Ok(Begun::Nothing(reason, told.ended(End::Had))) };
    let unfit = |reason: &str| reason.to_owned();
    let Some(action) = Action::of(&telling.action) else {
        return Ok(Begun::Unfit(format!("this version does not know the action {:?}", telling.action), told));
    };
    let Some((notification, outgoing)) = destination.telling(action) else {
        return Ok(Begun::Unfit(unfit("there is no endpoint for this"), told));
    };
    let telling = convert::telling(action, telling);
    match telling_event(notification, event, &telling) {
        Ok((event, data)) => {
            let values = Rendered { body: None, values: telling.values };
            Ok(Begun::Tell(Box::new(Telling { outgoing, event, data: Bytes::from(data), values }), told))
        }
        Err(error) => Ok(Begun::Unfit(error.to_string(), told)),
    }
}

/// Writes how an entry's deliveries stand, together with what its subscribers have from now on, in the document's turn.
pub(crate) async fn settle(
    unit: &mut Unit,
    data: &Bytes,
    errors: Vec<(u64, ErrorRecord)>,
    told: Vec<Told>,
) -> Result<(), String> {
    let tellings = told.iter().map(|told| told.turn.key().to_owned()).collect::<Vec<_>>();
    let settled = settle_in_turn(unit, data, errors, &told, tellings.clone()).await;
    if settled.is_err() {
        // They are told again: nobody needs to wait for that.
        turn::forget(tellings);
    }
    settled
}

async fn settle_in_turn(
    unit: &mut Unit,
    data: &Bytes,
    errors: Vec<(u64, ErrorRecord)>,
    told: &[Told],
    tellings: Vec<String>,
) -> Result<(), String> {
    let url = unit.event.event.subject.clone().unwrap_or_default();
    let patience = unit.until.saturating_sub(clock::now());
    let held = match turn::take(&url, patience).await {
        Ok(Some(held)) => held,
        Ok(None) => return Err("others change the document again and again".to_owned()),
        Err(TurnError::Store(reason)) => return Err(reason),
        Err(TurnError::Table(error)) => return Err(error.to_string()),
    };
    let settled = write_down(&held, unit, data, errors, told, &url, tellings);
    if settled.is_err() {
        held.give_back();
    }
    settled
}

fn write_down(
    held: &Held,
    unit: &mut Unit,
    data: &Bytes,
    errors: Vec<(u64, ErrorRecord)>,
    told: &[Told],
    url: &str,
    tellings: Vec<String>,
) -> Result<(), String> {
    let table = &held.table;
    let event = convert::event_out(&unit.event.event);
    table.router.hold_writes();
    let noted = told.iter().try_for_each(|told| {
        // Of one that came in its place in the meantime nothing is known by this.
        let is_same = table.directory.follower(&told.subscription).as_ref() == Some(&told.follower);
        match told.end {
            End::Had if is_same && !told.receipt.is_empty() => {
                table.router.acknowledge_document(&told.follower, url, &told.receipt)
            }
            End::Doubt if is_same => table.router.doubt_document(&told.follower, &event, data),
            _ => Ok(()),
        }
    });
    let writes = table.router.take_writes();
    noted?;
    let (mut set, mut delete) = written(writes);
    let given_up: Vec<Owed> = told
        .iter()
        .filter(|told| {
            let mut deliveries = unit.work.deliveries.iter();
            deliveries.any(|delivery| {
                delivery.subscription == told.subscription && delivery.status == DeliveryStatus::Dead
            })
        })
        .map(|told| Owed { subscription: told.subscription.clone(), event: unit.event.event.clone() })
        .collect();
    if !given_up.is_empty() {
        let list = Owed::with(owed_list(url)?.unwrap_or_default(), given_up);
        let value = serde_json::to_vec(&list)
            .map_err(|error| format!("what is owed of a document cannot be written: {error}"))?;
        set.push((owed_key(url), value));
    }
    delete.extend(tellings);
    delete.push(held.key());
    if !held.is_in_time() {
        return Err("the document's turn is over".to_owned());
    }
    outbox(|outbox| outbox.settle_with(unit, errors, Beside { set, delete }))
}
