//! Which attempts are under way, and until when rates are used, in a file beside the database: for the process that comes
//! after one that was killed.
//!
//! It is written without a sync, so that an attempt waits for no disk: what a process has written is there after the
//! process is killed, though not after the machine has lost its power. Then the interrupted attempts may go unrecorded (their
//! deliveries are in the database, and made again all the same), and rates count as used up.

use super::private;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is put behind the database's name.
const SUFFIX: &str = "-attempts";

/// What the file begins with; the last octet is the version of its layout.
const MAGIC: [u8; 8] = *b"anglatt\x01";

/// The length of the head (the magic and what tells one run of the machine from another) and of each record.
const RECORD: usize = 32;

/// What a record is about, in its first eight octets.
const FREE: u64 = 0;
const ATTEMPT: u64 = 1;
const RATE: u64 = 2;

/// An attempt that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BegunAttempt {
    /// Of which delivery.
    pub(super) delivery: i64,
    /// When it began, in Unix milliseconds.
    pub(super) started: i64,
    /// How many attempts of the delivery counted before.
    pub(super) before: u32,
}

/// The place of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// The file.
#[derive(Debug, Default)]
pub(super) struct AttemptJournal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    path: PathBuf,
    /// Places that are free, below `len`.
    free: Vec<Slot>,
    len: u32,
    rates: HashMap<u64, (Slot, u64)>,
    /// Whether a rate that is not named may have been used.
    is_unsure: bool,
}

/// What an earlier process has left.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    attempts: Vec<BegunAttempt>,
    /// By the hash of their names; `None` if it cannot be known.
    rates: Option<HashMap<u64, u64>>,
}

impl AttemptJournal {
    /// Opens the file beside a database, and says what was under way. Nothing is changed before [`Self::begin`]. Without a
    /// file nothing was, if the database `is_new`.
    pub(super) fn open(database: &Path, is_new: bool) -> (Self, Vec<BegunAttempt>) {
        // As for SQLite's own files: beside what a link leads to.
        let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        let mut path = database.into_os_string();
        path.push(SUFFIX);
        let path = PathBuf::from(path);
        let mut content = Vec::new();
        let file = private::file_options().open(&path).and_then(|mut file| {
            file.read_to_end(&mut content)?;
            Ok(file)
        });
        let mut state = State { path, ..State::default() };
        match file {
            Ok(file) => state.file = Some(file),
            Err(error) => state.give_up(&error),
        }
        let found = if content.is_empty() && is_new {
            Found { rates: Some(HashMap::new()), ..Found::default() }
        } else {
            read(&content, boot())
        };
        state.is_unsure = found.rates.is_none();
        // They get places of their own when the file is begun anew.
        state.rates =
            found.rates.into_iter().flatten().map(|(rate, until)| (rate, (Slot(0), until))).collect();
        (Self(Mutex::new(state)), found.attempts)
    }

    /// Begins the file anew: what was under way is written down elsewhere.
    pub(super) fn begin_anew(&self) {
        let mut state = self.state();
        if let Some(file) = &state.file
            && let Err(error) = file.set_len(0).and_then(|()| write_at(file, &head(boot()), 0))
        {
            state.give_up(&error);
        }
        for (rate, (_, until)) in std::mem::take(&mut state.rates) {
            state.pace(rate, until);
        }
    }

    /// An attempt begins. `None` if there is no place for it.
    pub(super) fn begin(&self, attempt: BegunAttempt) -> Option<Slot> {
        let BegunAttempt { delivery, started, before } = attempt;
        let mut state = self.state();
        let slot = state.take_slot()?;
        state.write(slot, [ATTEMPT, delivery.cast_unsigned(), started.cast_unsigned(), u64::from(before)]);
        Some(slot)
    }

    /// An attempt has ended. What `is_recorded` needs not be taken out: the next process finds it in the database.
    pub(super) fn end(&self, slot: Slot, is_recorded: bool) {
        let mut state = self.state();
        if !is_recorded {
            state.write(slot, [FREE, 0, 0, 0]);
        }
        state.free.push(slot);
    }

    /// A rate is used until then, in Unix milliseconds.
    pub(super) fn pace(&self, rate: &str, until: u64) {
        self.state().pace(hash(rate), until);
    }

    /// Until when a rate is used, if it was; a time that never comes if it may have been.
    pub(super) fn paced(&self, rate: &str) -> Option<u64> {
        let state = self.state();
        let known = state.rates.get(&hash(rate)).map(|(_, until)| *until);
        known.or(state.is_unsure.then_some(u64::MAX))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_slot(&mut self) -> Option<Slot> {
        self.file.as_ref()?;
        self.free.pop().or_else(|| {
            let slot = Slot(self.len);
            self.len = self.len.checked_add(1)?;
            Some(slot)
        })
    }

    fn pace(&mut self, rate: u64, until: u64) {
        let known = self.rates.get(&rate).map(|(slot, _)| *slot);
        let Some(slot) = known.or_else(|| self.take_slot()) else { return };
        self.rates.insert(rate, (slot, until));
        self.write(slot, [RATE, rate, until, 0]);
    }

    fn write(&mut self, Slot(slot): Slot, fields: [u64; 4]) {
        let Some(file) = &self.file else { return };
        let mut record = [0; RECORD];
        for (place, field) in record.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        // Behind the head.
        let at = (u64::from(slot) + 1) * RECORD as u64;
        if let Err(error) = write_at(file, &record, at) {
            self.give_up(&error);
        }
    }

    /// Without the file attempts are made all the same. What is in it no longer holds: who comes next finds none, and takes
    /// rates as used up.
    fn give_up(&mut self, error: &io::Error) {
        let file = self.path.display();
        tracing::warn!(%error, %file, "attempts that a crash interrupts will not be recorded");
        if self.file.take().is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, %file, "what is in this file no longer holds, and it cannot be removed");
        }
        self.is_unsure = true;
    }
}

fn head(boot: [u8; 16]) -> [u8; RECORD] {
    let mut head = [0; RECORD];
    let parts = MAGIC.iter().chain(&boot);
    head.iter_mut().zip(parts).for_each(|(place, octet)| *place = *octet);
    head
}

/// Reads what an earlier process has left. What cannot be read is as good as absent.
fn read(content: &[u8], boot: [u8; 16]) -> Found {
    let Some((found, records)) = content.split_at_checked(RECORD) else { return Found::default() };
    if !found.starts_with(&MAGIC) {
        return Found::default();
    }
    let mut attempts = Vec::new();
    let mut rates = HashMap::new();
    for record in records.chunks_exact(RECORD) {
        let mut fields = record.chunks_exact(8).map(|field| {
            let mut octets = [0; 8];
            octets.copy_from_slice(field);
            u64::from_le_bytes(octets)
        });
        let mut next = || fields.next().unwrap_or_default();
        match (next(), next(), next(), next()) {
            (ATTEMPT, delivery, started, before) => attempts.push(BegunAttempt {
                delivery: delivery.cast_signed(),
                started: started.cast_signed(),
                before: u32::try_from(before).unwrap_or(u32::MAX),
            }),
            (RATE, rate, until, _) => drop(rates.insert(rate, until)),
            _ => {}
        }
    }
    // What the machine had not written when it lost its power is not there.
    let rates = (found == head(boot)).then_some(rates);
    Found { attempts, rates }
}

/// What tells one run of this machine from the next, where the system says so.
fn boot() -> [u8; 16] {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = id.bytes().filter(u8::is_ascii_hexdigit).collect();
    let mut boot = [0; 16];
    for (place, pair) in boot.iter_mut().zip(digits.chunks_exact(2)) {
        *place =
            std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    boot
}

/// A name's number in the file: FNV-1a with 64 bits (draft-eastlake-fnv), which is the same in every version.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Nobody else uses the place within this descriptor.
#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(delivery: i64) -> BegunAttempt {
        BegunAttempt { delivery, started: 1_700_000_000_000, before: 2 }
    }

    #[test]
    fn the_next_process_finds_what_was_under_way_and_how_far_rates_were_used() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("a.db");
        let (first, found) = AttemptJournal::open(&database, true);
        assert_eq!((found, first.paced("a")), (vec![], None));
        first.begin_anew();
        let slots = [1, 2, 3].map(|delivery| first.begin(attempt(delivery)).unwrap());
        first.end(slots[1], false);
        first.pace("a", 70);
        first.pace("a", 80);
        drop(first);

        let (second, found) = AttemptJournal::open(&database, false);
        assert_eq!(found, [attempt(1), attempt(3)]);
        assert_eq!((second.paced("a"), second.paced("b")), (Some(80), None));
        second.begin_anew();
        drop(second);
        let (third, found) = AttemptJournal::open(&database, false);
        assert_eq!((found, third.paced("a")), (vec![], Some(80)));
    }

    #[test]
    fn rates_are_taken_as_used_once_the_file_takes_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("a.db");
        let (first, _) = AttemptJournal::open(&database, true);
        first.begin_anew();
        first.pace("a", 70);
        let path = directory.path().join("a.db-attempts");
        // A descriptor that cannot be written to stands for a disk that fails.
        first.state().file = Some(File::open(&path).unwrap());
        first.pace("a", 80);
        assert_eq!((first.paced("a"), first.paced("b")), (Some(80), Some(u64::MAX)));
        assert!(!path.exists());
        let (second, _) = AttemptJournal::open(&database, false);
        assert_eq!(second.paced("a"), Some(u64::MAX));
    }

    #[test]
    fn rates_of_another_run_of_the_machine_or_of_a_lost_file_are_taken_as_used() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("a.db");
        let (lost, _) = AttemptJournal::open(&database, false);
        assert_eq!(lost.paced("a"), Some(u64::MAX));
        lost.begin_anew();
        lost.pace("a", 80);
        assert_eq!((lost.paced("a"), lost.paced("b")), (Some(80), Some(u64::MAX)));
        let mut content = std::fs::read(directory.path().join("a.db-attempts")).unwrap();
        let first = BegunAttempt { delivery: 0, started: 0, before: 0 };
        content.extend([[1, 0, 0, 0, 0, 0, 0, 0], [0; 8], [0; 8], [0; 8]].concat());
        assert_eq!(read(&content, [7; 16]), Found { attempts: vec![first], rates: None });
        content[0] = 0;
        assert_eq!(read(&content, boot()), Found::default());
    }
}
