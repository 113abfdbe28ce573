//! What every store must do, whatever it is made of.
//!
//! Each case gets a store of its own with nothing in it. A new store is held to all of them by one line:
//! `conformance!(postgres, async { ... })`.

mod case;
mod model;

use super::{
    Attempt, CallHead, CallWrite, Commit, CommitOutcome, DeliveryId, EventSeq, KeyOverlay, Lease, LeaseTerms,
    LeasedDelivery, NewEvent, Owner, Recorded, RequestRecord, Settled, Settlement, SqliteOptions,
    SqliteStore, Store, StoredCall,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn later(millis: u64) -> UnixMillis {
    UnixMillis(NOW.0 + millis)
}

fn event(id: &str, subscriptions: &[&str]) -> NewEvent {
    let event = Event {
        id: id.to_owned(),
        source: "shop".to_owned(),
        kind: "order.created".to_owned(),
        time: NOW,
        ..Event::default()
    };
    let request =
        RequestRecord { method: "POST".to_owned(), url: "/in/shop".to_owned(), ..RequestRecord::default() };
    NewEvent {
        request: Some(request),
        subscriptions: subscriptions.iter().map(ToString::to_string).collect(),
        ..NewEvent::new(event, Bytes::from(id.to_owned()), NOW)
    }
}

fn commit(events: Vec<NewEvent>) -> Commit {
    // Whoever gets the deliveries works on them.
    Commit { events, lease: Some(LeaseTerms::default()), ..Commit::new(NOW) }
}

async fn put(store: &dyn Store, id: &str, subscriptions: &[&str]) -> (EventSeq, Vec<LeasedDelivery>) {
    match store.commit(commit(vec![event(id, subscriptions)])).await.unwrap() {
        CommitOutcome::Committed { seqs, deliveries, .. } => (seqs[0], deliveries),
        CommitOutcome::Conflict => panic!("conflict"),
    }
}

fn settlement(lease: Lease, settled: Settled, now: UnixMillis) -> Settlement {
    let attempt = Attempt {
        number: 0,
        started: now,
        duration: Duration::from_millis(2),
        status: Some(200),
        error: None,
        answer: None,
    };
    Settlement { lease, attempt, settled, now }
}

async fn settle(store: &dyn Store, lease: Lease, settled: Settled, now: UnixMillis) -> Recorded {
    store.record(vec![settlement(lease, settled, now)]).await.unwrap()[0]
}

fn terms(owner: &str, until: UnixMillis) -> LeaseTerms {
    LeaseTerms { owner: Owner::new(owner), until, ..LeaseTerms::default() }
}

fn ids(deliveries: &[LeasedDelivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

fn leases(deliveries: &[LeasedDelivery]) -> Vec<Lease> {
    deliveries.iter().map(LeasedDelivery::lease).collect()
}

/// Runs every case on a new store of a kind. `make` gives a store and whatever must outlive it.
macro_rules! conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            conformance!(@cases $make;
                appends_several_entries_in_one_transaction_or_none,
                keeps_what_an_entry_is_beside_its_attributes,
                knows_that_an_entry_was_caused_by_the_first_one_of_its_commit,
                refuses_a_commit_whose_key_has_changed,
                refuses_a_second_event_of_one_source_and_id,
                counts_an_event_that_came_again,
                reads_the_log_in_order_and_tells_when_there_is_more,
                tells_a_reader_that_is_behind_what_was_deleted,
                finds_the_position_of_a_time,
                leases_each_delivery_once_until_it_is_given_back,
                a_lease_past_its_deadline_is_handed_out_anew_and_the_old_one_is_stale,
                an_extended_lease_is_not_handed_out,
                settles_in_batches_and_tells_the_stale_ones_apart,
                says_where_something_is_due_and_when_the_next_one_is,
                the_failure_of_an_abandoned_delivery_does_not_open_it_again,
                whatever_is_committed_for_an_abandoned_subscription_is_dead_from_the_start,
                deliveries_of_one_key_fall_due_one_after_another,
                a_full_backlog_refuses_what_is_new,
                a_full_backlog_drops_what_is_oldest_and_free,
                a_full_backlog_drops_what_is_leased_and_not_begun,
                what_is_leased_and_not_begun_is_made_due_by_hand,
                a_drop_tells_whose_turn_it_is_behind_it,
                a_full_backlog_drops_by_the_order_of_the_log,
                leases_first_attempts_and_retries_in_turn,
                a_full_backlog_leaves_events_in_the_log_until_there_is_room,
                what_stayed_in_the_log_waits_with_its_subscription_and_ends_with_it,
                a_full_backlog_is_one_of_bytes_too,
                a_job_goes_on_where_its_last_step_ended,
                a_job_stops_in_front_of_a_full_backlog,
                a_job_retries_what_ended_before_it_was_made_and_once,
                a_job_that_follows_the_log_ends_where_a_step_says,
                a_job_is_cancelled_and_ends_with_its_subscription,
                a_call_is_written_with_its_entries_or_not_at_all,
                a_call_that_was_changed_meanwhile_is_not_written,
                an_idempotency_key_is_one_request_of_its_api,
                hands_out_calls_when_they_are_due_oldest_first,
                calls_wait_anew_that_a_clock_had_planned_that_was_put_back,
                lists_calls_and_forgets_those_that_ended_long_ago,
                the_same_callback_is_held_again_and_its_holder_fences_off_the_one_before,
                a_callback_comes_in_as_long_as_its_address_is_open_and_has_room,
                what_waits_in_an_inbox_outlives_the_retention_and_the_only_callback_its_address,
                says_which_declared_subscriptions_are_gone,
                remembers_how_subscriptions_stand_until_they_are_abandoned,
                a_retry_by_hand_makes_a_delivery_young,
                says_since_when_the_oldest_open_delivery_is_there,
                plans_anew_what_a_clock_that_was_put_back_had_planned,
                keeps_sources,
                keeps_resources_and_deletes_their_documents_with_them,
                what_was_given_up_of_a_document_is_due_again_when_it_is_asked_for,
                what_is_made_due_again_behind_a_later_event_of_its_lane_is_outlived,
                what_was_given_up_for_a_subscription_is_none_of_the_next_one_of_its_name,
                what_a_subscriber_is_owed_of_a_document_outlives_the_retention,
                each_subscriber_has_a_generation_of_its_own_until_it_is_gone,
                a_subscriber_that_has_another_filter_is_to_be_told_what_that_makes_of_what_it_has,
                documents_are_kept_for_as_long_as_they_are,
                whoever_has_seen_a_position_never_sees_a_lower_one_appear,
                lists_what_is_asked_for_in_a_range_of_time,
                lists_keys_by_how_they_begin,
                lists_events_on_which_a_filter_failed,
                lets_go_of_what_is_old_and_done,
            );
        }
    };
    (@cases $make:expr; $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = $make;
                let store: Arc<dyn Store> = store;
                case::$case(&*store).await;
                store.close().await;
            }
        )*
    };
}

conformance!(sqlite, {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("store.db"), SqliteOptions::default()).unwrap();
    (Arc::new(store), directory)
});

conformance!(memory, (Arc::new(model::ModelStore::default()), ()));
