//! Two runs beside each other, in turns.

use crate::loopback::{fsync, percentile};
use std::time::Duration;

/// Measures both in so many rounds, and says of each how long its ways took and what memory it ended with, and by how much
/// the 99th percentile of the second is longer than that of the first, in the median round.
pub(crate) async fn compare<T: Copy>(
    runs: [(&str, T); 2],
    rounds: usize,
    mut measure: impl AsyncFnMut(T) -> (Vec<Duration>, f64),
) {
    let mut most = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for ((name, run), most) in runs.into_iter().zip(&mut most) {
            let (ways, resident) = measure(run).await;
            let (half, last) = (percentile(ways.clone(), 50), percentile(ways.clone(), 99));
            println!("{name}: {} deliveries, p50 {half:.2?}, p99 {last:.2?}, {resident:.0} MiB", ways.len());
            most.push(last);
        }
    }
    let [one, other] = most.map(|most| percentile(most, 50));
    println!("p99, the median round: {:.2} times", other.as_secs_f64() / one.as_secs_f64());
    println!("fsync of 4 KiB {:.2?} (median)", fsync());
}
