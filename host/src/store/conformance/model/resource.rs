//! Resources, and who subscribed to them.

use super::*;

impl State {
    pub(super) fn dismiss(&mut self, subscription: &str) {
        if self.followers.remove(subscription).is_some() {
            self.keys.retain(|key, _| !key.starts_with(&format!("holding/{subscription}/")));
        }
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
        now: UnixMillis,
    ) -> Result<StoredFollower, StoreError> {
        let mut state = self.state();
        match state.followers.get(subscription) {
            Some(known) if known.resource == resource => return Ok(known.clone()),
            _ => state.dismiss(subscription),
        }
        state.generation += 1;
        let follower = StoredFollower {
            subscription: subscription.to_owned(),
            resource: resource.to_owned(),
            generation: state.generation,
            created: now,
            backfilled: backfill.then(String::new),
        };
        state.followers.insert(subscription.to_owned(), follower.clone());
        Ok(follower)
    }

    async fn backfilled(&self, subscription: &str, place: Option<&str>) -> Result<(), StoreError> {
        if let Some(follower) = self.state().followers.get_mut(subscription) {
            follower.backfilled = place.map(str::to_owned);
            if place.is_none() {
                follower.generation = 0;
            }
        }
        Ok(())
    }

    async fn followers(&self) -> Result<Vec<StoredFollower>, StoreError> {
        let mut followers: Vec<_> = self.state().followers.values().cloned().collect();
        followers.sort_by_key(|follower| (follower.created, follower.generation));
        Ok(followers)
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
