//! Where the open deliveries of one subscription begin: told without an index that every delivery would go into and out
//! of, and without a number kept for each of them.

/// How many ranges are kept. With so many the first one is hardly longer than a tenth of the way from the oldest open
/// delivery to the newest, and a subscription with millions of open ones takes 2 KiB.
const MOST: usize = 128;

/// How many bits of a delivery's number tell its place in the shortest range.
const SHORTEST_BITS: u32 = 8;

/// The numbers from `first` up to the next range, and how many of them are open.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: i64,
    open: i64,
}

/// Ranges of numbers that have open deliveries, in their order. Each begins with the number that it was made for.
#[derive(Debug, Default)]
pub(super) struct OpenRanges(Vec<Range>);

impl OpenRanges {
    /// The number at which the first range begins: that of the oldest open delivery, or a lower one where the oldest
    /// have ended since.
    pub(super) fn first(&self) -> Option<i64> {
        self.0.first().map(|range| range.first)
    }

    /// A delivery was opened, as a rule the newest.
    pub(super) fn open(&mut self, id: i64) {
        self.open_many(id, 1);
    }

    /// So many were opened whose numbers begin with this one and stand before any that is opened later.
    pub(super) fn open_many(&mut self, first: i64, open: i64) {
        let place = self.0.partition_point(|range| range.first <= first);
        let is_last = place == self.0.len();
        match place.checked_sub(1).and_then(|before| self.0.get_mut(before)) {
            // What lies between two ranges belongs to the former; behind the last one a new one may begin.
            Some(range) if !is_last || is_near(range.first, first) => range.open += open,
            Some(_) => self.0.push(Range { first, open }),
            None => match self.0.first_mut() {
                Some(range) if is_near(range.first, first) => {
                    range.first = first;
                    range.open += open;
                }
                _ => self.0.insert(0, Range { first, open }),
            },
        }
        if self.0.len() > MOST {
            self.join_two();
        }
    }

    /// A delivery ended.
    pub(super) fn end(&mut self, id: i64) {
        let place = self.0.partition_point(|range| range.first <= id);
        let Some(place) = place.checked_sub(1) else { return };
        let Some(range) = self.0.get_mut(place) else { return };
        range.open -= 1;
        if range.open <= 0 {
            self.0.remove(place);
        }
    }

    /// Joins the two neighbours that together are shortest for their distance to the newest.
    fn join_two(&mut self) {
        let newest = self.0.last().map_or(0, |range| range.first);
        let length = |window: &[Range]| match window {
            [first, .., next] => (next.first - first.first) as f64 / (newest - first.first + 1) as f64,
            _ => f64::INFINITY,
        };
        let windows = self.0.windows(3).map(length).enumerate();
        let Some((place, _)) = windows.min_by(|(_, left), (_, right)| left.total_cmp(right)) else { return };
        let joined = self.0.remove(place + 1);
        if let Some(range) = self.0.get_mut(place) {
            range.open += joined.open;
        }
    }
}

fn is_near(one: i64, other: i64) -> bool {
    one >> SHORTEST_BITS == other >> SHORTEST_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_only_grows_begins_where_it_began() {
        let mut ranges = OpenRanges::default();
        for id in (7..3_000_000).step_by(3) {
            ranges.open(id);
        }
        assert_eq!(ranges.first(), Some(7));
        assert!(ranges.0.len() <= MOST);
        assert_eq!(ranges.0.iter().map(|range| range.open).sum::<i64>(), 999_998);
    }

    #[test]
    fn one_that_is_worked_off_begins_near_its_oldest() {
        let mut ranges = OpenRanges::default();
        for id in 0..1_000_000 {
            ranges.open(id);
        }
        for id in 0..1_000_000 {
            let first = ranges.first().unwrap();
            assert!(first <= id, "{first} {id}");
            assert!((id - first) as f64 <= 0.1 * (1_000_000 - first) as f64 + 512.0, "{first} {id}");
            ranges.end(id);
        }
        assert_eq!(ranges.first(), None);
    }

    #[test]
    fn nothing_that_is_open_stands_before_the_first() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut ranges, mut open, mut ended) = (OpenRanges::default(), Vec::new(), Vec::new());
            let mut next = 0;
            for _ in 0..2000 {
                match random.u8(0..4) {
                    0 | 1 => {
                        next += random.i64(1..700);
                        ranges.open(next);
                        open.push(next);
                    }
                    2 if !open.is_empty() => {
                        let id = open.swap_remove(random.usize(0..open.len()));
                        ranges.end(id);
                        ended.push(id);
                    }
                    3 if !ended.is_empty() => {
                        let id = ended.swap_remove(random.usize(0..ended.len()));
                        ranges.open(id);
                        open.push(id);
                    }
                    _ => {}
                }
                let oldest = open.iter().min().copied();
                assert_eq!(ranges.first().is_some(), oldest.is_some(), "{seed}");
                assert!(ranges.first() <= oldest, "{seed}");
                assert_eq!(ranges.0.iter().map(|range| range.open).sum::<i64>(), open.len() as i64, "{seed}");
            }
        }
    }
}
