//! Numbers that look random and follow from a seed.

/// A number for the `second` event of the `first` thing, spread evenly over all 64 bits.
///
/// It depends on nothing else: what happens to one delivery moves no other's jitter. The mixing is that of SplitMix64
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) fn spread(seed: u64, first: u64, second: u64) -> u64 {
    mix(mix(mix(seed) ^ first) ^ second)
}

fn mix(number: u64) -> u64 {
    let mut number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_as_splitmix64_does() {
        // The first output of the reference implementation for the seed 1234567.
        assert_eq!(mix(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn each_argument_matters() {
        let all = [spread(1, 2, 3), spread(2, 2, 3), spread(1, 3, 3), spread(1, 2, 4), spread(1, 3, 2)];
        for (place, number) in all.iter().enumerate() {
            assert!(!all[..place].contains(number), "{all:?}");
        }
    }
}
