//! Kills the real binary under load, a few times; `cargo xtask kill` does so a thousand times.

use anglerfish_tests::{KillPlan, kill_again_and_again};

#[test]
fn nothing_is_lost_out_of_order_or_settled_twice_when_it_is_killed_under_load() {
    let seed = std::env::var("ANGLERFISH_TEST_SEED").ok();
    let seed = seed.map(|said| said.parse::<u64>().expect("ANGLERFISH_TEST_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ANGLERFISH_TEST_SEED={seed}");
    let report = kill_again_and_again(KillPlan { cycles: 4, seed }, |_| {});
    println!("{report:?}");
    assert_eq!(report.broken, Vec::<String>::new());
    assert!(report.accepted > 20 && report.leases >= report.accepted as u64, "{report:?}");
}
