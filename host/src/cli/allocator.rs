//! Memory that a flood took goes back to the system when it is over.

/// From so many bytes on memory is mapped for itself: the buffers of connections and of bodies.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: libc::c_int = 32 * 1024;

/// Tells the allocator to give large pieces back at once.
///
/// By itself glibc raises this bound to whatever was freed last, up to 32 MiB, and keeps what lies between small pieces: a
/// thousand unfinished bodies would leave two hundred megabytes behind for good.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn give_back() {
    #[expect(unsafe_code, reason = "the setting has no other interface")]
    // SAFETY: it takes two numbers, and no other thread runs yet that could set something at the same time.
    let done = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED) };
    // What it costs where it does not work is memory that comes back later.
    debug_assert_eq!(done, 1, "the allocator refuses");
}

/// Other allocators give back as they do.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}
