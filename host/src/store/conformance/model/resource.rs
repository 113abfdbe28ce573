//! Resources, and who subscribed to them.

use super::*;
use anglerfish_core::resource::holding_key;
use anglerfish_core::router::FormerFilter;

impl State {
    pub(super) fn dismiss(&mut self, subscription: &str) {
        if self.followers.remove(subscription).is_some() {
            self.keys.retain(|key, _| !key.starts_with(&format!("holding/{subscription}/")));
        }
    }
}

impl State {
    /// Whether a delivery is of another one that had its subscriber's name before.
    pub(super) fn is_of_another(&self, row: &Row) -> bool {
        self.since.get(&row.delivery.subscription).is_some_and(|since| row.delivery.seq <= *since)
    }

    /// Whether a delivery that was given up is all that is left to tell its subscriber of a document.
    pub(super) fn is_owed(&self, id: DeliveryId) -> bool {
        let row = &self.deliveries[&id];
        let (name, event) = (&row.delivery.subscription, &self.events[&row.delivery.seq].0.event);
        let is_dead = |row: &Row| row.delivery.status == DeliveryStatus::Dead && !row.outlived;
        let mut newer = self.deliveries.range(id..).skip(1).map(|(_, other)| other);
        let holding = event.subject.as_deref().map(|url| holding_key(name, url));
        is_dead(row)
            && row.lane.is_some()
            && event.source == "anglerfish.documents"
            && self.followers.contains_key(name)
            && !self.is_of_another(row)
            && !newer
                .any(|other| is_dead(other) && other.lane == row.lane && other.delivery.subscription == *name)
            && holding.is_some_and(|key| self.keys.contains_key(&key))
    }

    /// Reopens the newest of each subscription and lane that was given up, unless one is open.
    fn revive(&mut self, now: UnixMillis, wanted: impl Fn(&Row, &str) -> bool) -> Vec<String> {
        let mut newest: BTreeMap<(String, String), DeliveryId> = BTreeMap::new();
        for (id, row) in &self.deliveries {
            let event = &self.events[&row.delivery.seq].0.event;
            let is_one =
                row.delivery.status == DeliveryStatus::Dead && event.source == "anglerfish.documents";
            let is_one = is_one && !self.is_of_another(row);
            if let Some(lane) = row.lane.clone().filter(|_| is_one && wanted(row, &event.kind)) {
                newest.insert((row.delivery.subscription.clone(), lane), *id);
            }
        }
        let is_open = |of: &(String, String)| {
            let mut rows = self.deliveries.values();
            rows.any(|row| {
                row.is_open() && row.delivery.subscription == of.0 && row.lane.as_ref() == Some(&of.1)
            })
        };
        newest.retain(|of, _| !is_open(of));
        newest.into_iter().map(|((name, _), id)| (self.reopen(id, now), name).1).collect()
    }
}

#[async_trait]
impl ResourceStore for ModelStore {
    async fn resources(&self) -> Result<Vec<StoredResource>, StoreError> {
        let mut resources: Vec<_> = self.state().resources.values().cloned().collect();
        resources.sort_by_key(|resource| resource.created);
        Ok(resources)
    }

    async fn put_resource(&self, resource: StoredResource) -> Result<(), StoreError> {
        let mut state = self.state();
        let created = state.resources.get(&resource.id).map_or(resource.created, |known| known.created);
        state.resources.insert(resource.id.clone(), StoredResource { created, ..resource });
        Ok(())
    }

    async fn delete_resource(&self, id: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.keys.retain(|key, _| !key.starts_with(&format!("document/{id}/")));
        Ok(state.resources.remove(id).is_some())
    }

    async fn enrol(
        &self,
        subscription: &str,
        resource: &str,
        backfill: bool,
        filter: Option<&str>,
        now: UnixMillis,
    ) -> Result<StoredFollower, StoreError> {
        let mut state = self.state();
        let filter = filter.map(str::to_owned);
        match state.followers.get(subscription).cloned() {
            Some(known) if known.resource == resource => {
                let before = state.filters.insert(subscription.to_owned(), filter.clone()).unwrap();
                if before == filter {
                    return Ok(known);
                }
                state.generation += 1;
                let until = state.generation;
                let place = StoredFollower::begun_anew(known.backfilled.as_deref());
                let follower = state.followers.get_mut(subscription).unwrap();
                follower.former.push(FormerFilter { until, filter: before });
                follower.filter_since = until;
                follower.backfilled = Some(place.to_owned());
                return Ok(follower.clone());
            }
            _ => state.dismiss(subscription),
        }
        state.generation += 1;
        let last = EventSeq(state.last.0);
        state.since.insert(subscription.to_owned(), last);
        state.filters.insert(subscription.to_owned(), filter);
        let follower = StoredFollower {
            subscription: subscription.to_owned(),
            resource: resource.to_owned(),
            generation: state.generation,
            created: now,
            filter_since: 0,
            former: Vec::new(),
            backfilled: backfill.then(String::new),
        };
        state.followers.insert(subscription.to_owned(), follower.clone());
        Ok(follower)
    }

    async fn backfilled(
        &self,
        subscription: &str,
        filter_since: u64,
        place: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let follower = state.followers.get_mut(subscription);
        let Some(follower) = follower.filter(|follower| follower.filter_since == filter_since) else {
            return Ok(false);
        };
        let before = std::mem::replace(&mut follower.backfilled, place.map(str::to_owned));
        if place.is_none() {
            follower.former.clear();
            if !before.is_some_and(|before| before.starts_with(StoredFollower::REFILTERED)) {
                follower.generation = 0;
            }
        }
        Ok(true)
    }

    async fn followers(&self) -> Result<Vec<StoredFollower>, StoreError> {
        let mut followers: Vec<_> = self.state().followers.values().cloned().collect();
        followers.sort_by_key(|follower| (follower.created, follower.generation));
        Ok(followers)
    }

    async fn follower(&self, subscription: &str) -> Result<Option<StoredFollower>, StoreError> {
        Ok(self.state().followers.get(subscription).cloned())
    }

    async fn followers_of(
        &self,
        resource: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<StoredFollower>, StoreError> {
        let all = self.followers().await?.into_iter().filter(|follower| follower.resource == resource);
        Ok(all.skip(offset).take(limit).collect())
    }

    async fn count_followers(&self, resource: &str) -> Result<usize, StoreError> {
        Ok(self.followers_of(resource, 0, usize::MAX).await?.len())
    }

    async fn backfilling(&self) -> Result<Vec<String>, StoreError> {
        let told = self.followers().await?.into_iter().filter(|follower| follower.backfilled.is_some());
        Ok(told.map(|follower| follower.subscription).collect())
    }

    async fn revive_document(&self, lane: &str, now: UnixMillis) -> Result<Vec<String>, StoreError> {
        let mut state = self.state();
        let followers: BTreeSet<String> = state.followers.keys().cloned().collect();
        Ok(state.revive(now, |row, _| {
            row.lane.as_deref() == Some(lane) && followers.contains(&row.delivery.subscription)
        }))
    }

    async fn revive_ends(&self, subscription: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let mut state = self.state();
        let revived = state
            .revive(now, |row, kind| row.delivery.subscription == subscription && kind == "document.deleted");
        Ok(!revived.is_empty())
    }

    async fn room(&self, _subscription: &str) -> Result<usize, StoreError> {
        Ok(usize::MAX)
    }

    async fn dismiss(&self, subscription: &str) -> Result<(), StoreError> {
        self.state().dismiss(subscription);
        Ok(())
    }

    async fn keys_behind(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        let state = self.state();
        let found = state.keys.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        Ok(found.take(limit).map(|(key, (value, ..))| (key.clone(), value.clone())).collect())
    }
}
