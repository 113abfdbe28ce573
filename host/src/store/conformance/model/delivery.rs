//! Deliveries: leased, recorded, listed.

use super::*;

impl State {
    pub(super) fn reopen(&mut self, id: DeliveryId, now: UnixMillis) -> Retried {
        let Some(row) = self.deliveries.get_mut(&id) else { return Retried::Unknown };
        if row.is_worked_on(now) {
            return Retried::Leased;
        }
        row.lease = None;
        let (subscription, lane) = (row.delivery.subscription.clone(), row.lane.clone());
        let parked = self.is_taken(&subscription, lane.as_ref(), Some(id));
        let is_of_another = self.is_of_another(&self.deliveries[&id]);
        let row = self.deliveries.get_mut(&id).unwrap();
        row.outlived |= is_of_another
            || matches!(row.delivery.status, DeliveryStatus::Delivered | DeliveryStatus::Discarded);
        (row.tries, row.planned, row.parked) = (0, now, parked);
        row.delivery = Delivery {
            status: DeliveryStatus::Pending,
            due: (!parked).then_some(now),
            ended: None,
            reason: parked.then(|| WAITS.to_owned()),
            ..row.delivery.clone()
        };
        Retried::Due
    }
}

#[async_trait]
impl DeliveryStore for ModelStore {
    async fn lease(
        &self,
        subscription: &str,
        now: UnixMillis,
        limit: usize,
        terms: LeaseTerms,
    ) -> Result<Leased, StoreError> {
        let mut state = self.state();
        let mut lines = Line::BOTH.map(|line| {
            let free = state.free(subscription, now).into_iter();
            let mine = free.filter(|(_, id)| (state.deliveries[id].tries == 0) == (line == Line::Firsts));
            (mine.collect::<VecDeque<_>>(), terms.most.get(line))
        });
        let (mut leased, mut size, mut turn) = (Leased::default(), 0, 0);
        while leased.deliveries.len() < limit {
            let is_due = |(line, left): &(VecDeque<_>, usize)| {
                *left > 0 && line.front().is_some_and(|(due, _): &(UnixMillis, DeliveryId)| *due <= now)
            };
            let Some(place) = [turn, 1 - turn].into_iter().find(|place| is_due(&lines[*place])) else {
                break;
            };
            let (_, id) = lines[place].0[0];
            size += state.events[&state.deliveries[&id].delivery.seq].0.data.len();
            if size > LEASE_BYTES && !leased.deliveries.is_empty() {
                break;
            }
            lines[place].0.pop_front();
            lines[place].1 -= 1;
            leased.deliveries.push(state.lease(id, &terms));
            turn = 1 - place;
        }
        let [firsts, retries] = lines.map(|(line, _)| line.front().map(|(due, _)| *due));
        let asked = |next: Option<UnixMillis>, most: usize| next.filter(|_| most > 0);
        leased.next =
            Lines { firsts: asked(firsts, terms.most.firsts), retries: asked(retries, terms.most.retries) };
        Ok(leased)
    }

    async fn due(&self, now: UnixMillis, limit: usize) -> Result<Due, StoreError> {
        let state = self.state();
        let names: BTreeSet<_> =
            state.deliveries.values().map(|row| row.delivery.subscription.clone()).collect();
        let first = |name: String| state.free(&name, now).first().map(|(due, _)| (*due, name));
        let mut waiting: Vec<_> = names.into_iter().filter_map(first).collect();
        waiting.sort_unstable();
        let listed = waiting.iter().take_while(|(due, _)| *due <= now).count().min(limit);
        let next = waiting.get(listed).map(|(due, _)| *due);
        waiting.truncate(listed);
        Ok(Due { subscriptions: waiting.into_iter().map(|(_, name)| name).collect(), next })
    }

    fn begin(&self, lease: Lease, _started: UnixMillis, _before: u32) -> bool {
        let mut state = self.state();
        let row = state.leased(lease);
        row.map(|row| row.is_ahead = false).is_some()
    }

    async fn extend(&self, leases: &[Lease], until: UnixMillis) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.state();
        let mut stale = Vec::new();
        for lease in leases {
            match state.leased(*lease) {
                Some(row) => row.lease = Some((lease.token, until)),
                None => stale.push(*lease),
            }
        }
        Ok(stale)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.state();
        let mut stale = Vec::new();
        for lease in leases {
            match state.leased(*lease) {
                Some(row) => row.lease = None,
                None => stale.push(*lease),
            }
        }
        Ok(stale)
    }

    async fn record(&self, settlements: Vec<Settlement>) -> Result<Vec<Recorded>, StoreError> {
        let mut state = self.state();
        Ok(settlements.iter().map(|settlement| state.settle(settlement)).collect())
    }

    async fn replan(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let mut planned = 0;
        for row in self.state().deliveries.values_mut() {
            let Some(due) = row.delivery.due.filter(|_| row.planned.0 > now.0 + 1000) else { continue };
            row.delivery.due = Some(UnixMillis(now.0 + due.0.saturating_sub(row.planned.0)));
            row.planned = now;
            planned += 1;
        }
        Ok(planned)
    }

    async fn replay(
        &self,
        seq: EventSeq,
        subscriptions: &[String],
        now: UnixMillis,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let mut state = self.state();
        if !state.events.contains_key(&seq) {
            return Ok(Vec::new());
        }
        Ok(subscriptions.iter().map(|id| state.deliver(seq, id, now, None)).collect())
    }

    async fn retry(&self, id: DeliveryId, now: UnixMillis) -> Result<Retried, StoreError> {
        Ok(self.state().reopen(id, now))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let state = self.state();
        let wanted = |delivery: &&Delivery| {
            query.subscription.as_ref().is_none_or(|id| *id == delivery.subscription)
                && query.status.is_none_or(|status| status == delivery.status)
                && query.event.is_none_or(|seq| seq == delivery.seq)
                && query.since.is_none_or(|since| delivery.created >= since)
                && query.until.is_none_or(|until| delivery.created < until)
                && query.cursor.is_none_or(|cursor| delivery.id < cursor)
        };
        let rows = state.deliveries.values().rev().map(|row| &row.delivery);
        Ok(page(rows.filter(wanted).cloned().collect(), query.limit))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let state = self.state();
        Ok(state.deliveries.get(&id).map(|row| (row.delivery.clone(), row.attempts.clone())))
    }

    async fn backlog(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut counts = BTreeMap::new();
        for row in self.state().deliveries.values().filter(|row| row.is_open()) {
            *counts.entry(row.delivery.subscription.clone()).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn bound(&self, subscription: &str, bound: Option<BacklogConfig>) {
        let bounds = &mut self.state().bounds;
        match bound {
            Some(bound) => bounds.insert(subscription.to_owned(), bound),
            None => bounds.remove(subscription),
        };
    }

    fn overflows(&self) -> Vec<(String, OverflowCounts)> {
        self.state().overflows.iter().map(|(name, counts)| (name.clone(), *counts)).collect()
    }

    async fn oldest(&self, subscriptions: &[String]) -> Result<Oldest, StoreError> {
        let state = self.state();
        let oldest = |wanted: &dyn Fn(&str) -> bool| {
            let mut open =
                state.deliveries.values().filter(|row| row.is_open() && wanted(&row.delivery.subscription));
            open.next().map(|row| row.delivery.created)
        };
        let of_each = subscriptions.iter().map(|id| oldest(&|name| name == id)).collect();
        Ok(Oldest { of_all: oldest(&|_| true), of_each })
    }
}
