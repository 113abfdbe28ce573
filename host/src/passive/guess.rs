//! How often an address may show a token that is not right.

use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How many wrong tokens an address may show at once: a program that was given the wrong one finds out with the first.
const BURST: u32 = 20;

/// How long it takes until one more of them is forgiven.
const FORGIVEN: Duration = Duration::from_secs(1);

/// How many addresses are held in mind that guessed, and how many right tokens. Who has more addresses than these to
/// guess from is not held up by this.
const MOST: usize = 10_000;

/// Who guessed, and which tokens were right from where. Its times are those since any fixed moment.
///
/// An address that guesses is not asked any more what it shows, or guessing would go on as fast as before. Those who share
/// the address, as behind one router, are not locked out by that: a token that was right from there is asked about
/// however many others were wrong.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// Until when the wrong tokens of an address count.
    counted: HashMap<IpAddr, Duration>,
    right: HashSet<(IpAddr, [u8; 32])>,
    /// The same, oldest first.
    order: VecDeque<(IpAddr, [u8; 32])>,
}

impl Guesses {
    /// Whether a token may be looked at.
    ///
    /// # Errors
    ///
    /// How long it may not.
    pub(super) fn admit(&self, address: IpAddr, shown: &[u8], now: Duration) -> Result<(), Duration> {
        let address = network(address);
        let Some(until) = self.counted.get(&address) else { return Ok(()) };
        let wait = (until.saturating_sub(now)).saturating_sub(FORGIVEN * (BURST - 1));
        if wait.is_zero() || self.right.contains(&(address, Sha256::digest(shown).into())) {
            return Ok(());
        }
        Err(wait)
    }

    /// It was not right.
    pub(super) fn wrong(&mut self, address: IpAddr, now: Duration) {
        let address = network(address);
        if self.counted.len() >= MOST && !self.counted.contains_key(&address) {
            self.counted.retain(|_, until| *until > now);
            if self.counted.len() >= MOST {
                // Whoever would be forgiven next.
                let next = self.counted.iter().min_by_key(|(_, until)| **until).map(|(address, _)| *address);
                next.and_then(|next| self.counted.remove(&next));
            }
        }
        let until = self.counted.entry(address).or_default();
        *until = (*until).max(now) + FORGIVEN;
    }

    /// It was right.
    pub(super) fn right(&mut self, address: IpAddr, shown: &[u8]) {
        let known = (network(address), Sha256::digest(shown).into());
        if !self.right.insert(known) {
            return;
        }
        self.order.push_back(known);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.right.remove(&oldest);
        }
    }
}

/// An address of IPv4; of IPv6 its first 64 bits, as any one host has all the others (RFC 4291, section 2.5.1).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_guesses_is_slowed_down_and_others_are_not() {
        let (guesser, other) = (address("203.0.113.1"), address("203.0.113.2"));
        let mut guesses = Guesses::default();
        for count in 0..BURST {
            assert_eq!(guesses.admit(guesser, b"a guess", START), Ok(()), "guess {count}");
            guesses.wrong(guesser, START);
        }
        assert_eq!(guesses.admit(guesser, b"a guess", START), Err(FORGIVEN));
        assert_eq!(guesses.admit(other, b"a guess", START), Ok(()));
        assert_eq!(guesses.admit(guesser, b"a guess", START + FORGIVEN), Ok(()));
        guesses.wrong(guesser, START + FORGIVEN);
        assert_eq!(guesses.admit(guesser, b"a guess", START + FORGIVEN), Err(FORGIVEN));
        // In an hour there is time for so many guesses and no more.
        let hour = START + Duration::from_hours(1);
        assert_eq!(guesses.admit(guesser, b"a guess", hour), Ok(()));
    }

    #[test]
    fn a_token_that_was_right_from_an_address_is_so_while_another_one_there_guesses() {
        let shared = address("203.0.113.1");
        let mut guesses = Guesses::default();
        guesses.right(shared, b"the right one");
        for _ in 0..BURST * 2 {
            guesses.wrong(shared, START);
        }
        assert_eq!(guesses.admit(shared, b"the right one", START), Ok(()));
        assert!(guesses.admit(shared, b"another one", START).is_err());
        assert!(guesses.admit(address("::ffff:203.0.113.1"), b"another one", START).is_err());
    }

    #[test]
    fn the_addresses_of_one_host_are_one() {
        let mut guesses = Guesses::default();
        for host in 1..=BURST {
            guesses.wrong(address(&format!("2001:db8::{host}")), START);
        }
        assert!(guesses.admit(address("2001:db8::ffff"), b"a guess", START).is_err());
        assert_eq!(guesses.admit(address("2001:db8:0:1::1"), b"a guess", START), Ok(()));
    }

    #[test]
    fn no_more_is_held_in_mind_than_there_is_room_for() {
        let mut guesses = Guesses::default();
        let mut number = 0;
        let mut next = || {
            number += 1;
            IpAddr::from(std::net::Ipv4Addr::from_bits(number))
        };
        for _ in 0..MOST + 10 {
            guesses.wrong(next(), START);
            guesses.right(next(), b"a token");
        }
        assert_eq!((guesses.counted.len(), guesses.right.len(), guesses.order.len()), (MOST, MOST, MOST));
    }
}
