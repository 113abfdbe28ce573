//! Defects that tests put into the engine, to see that the simulation finds them. Outside of tests there are none.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// What comes into the store while a lease is under way is not looked for again.
    LostWakeUp,
    /// The lease of an attempt that is broken off is given back at once, and again when it has ended.
    ReleasedTwice,
    /// The retry that was planned last hides an earlier one.
    HiddenRetry,
    /// A delivery is begun with although its lease has ended.
    ExpiredLease,
    /// The place of an attempt is free again twice: when it ends and when it is recorded.
    FreedTwice,
    /// An error of this machine holds up all subscriptions, not only the one that met it.
    SharedTrouble,
    /// Nobody notices that the clock was put back.
    UnnoticedClock,
    /// A record that was given up is let in as the probe of a store that was out of reach, and never calls.
    SilentProbe,
    /// An endpoint that asks to be left alone is not.
    IgnoredThrottle,
    /// What the engine has stopped goes on after a restart: nobody was told.
    ForgottenStanding,
    /// Attempts count for no rate.
    FreeRate,
    /// A probe that this machine could not make is waited for for ever.
    LostProbe,
    /// After a trouble as many attempts start at once as ever.
    NoRamp,
    /// What subscriptions share is not counted.
    FreeSharedRate,
    /// What waited for a delivery of its key is not looked for when that one ends.
    ForgottenSuccessor,
    /// Retries go before first attempts.
    RetriesFirst,
    /// First attempts go before retries.
    RetriesLast,
    /// What was broken off is given back without a record.
    SilentInterruption,
    /// An attempt that was not made keeps its place.
    KeptPlace,
    /// A rate begins anew with its burst after a start.
    FreshRate,
}

#[cfg(test)]
thread_local! {
    static SEEDED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Whether the engine is to have this defect.
#[cfg(test)]
pub(super) fn is_seeded(fault: Fault) -> bool {
    SEEDED.get() == Some(fault)
}

/// Whether the engine is to have this defect: never.
#[cfg(not(test))]
pub(super) const fn is_seeded(_: Fault) -> bool {
    false
}

/// Gives this thread's engines a defect, or none.
#[cfg(test)]
pub(super) fn seed(fault: Option<Fault>) {
    SEEDED.set(fault);
}
