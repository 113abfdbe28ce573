//! Whether the files that are written are still those that the next start will find, and still whole.
//!
//! A file that is removed or replaced while it is open goes on to take what is written, and nobody will ever read it. One
//! that is cut short goes on to take what is written behind the hole, and a log is read up to its first hole only. SQLite
//! notices neither. So before and after each transaction the names are looked up, and the log and the database must be as
//! long as SQLite's own index says. That costs some microseconds for each transaction.
//!
//! What is overwritten within the files without a change of their size is not seen, but for the log's first bytes.

use super::lock::identity_of;
use crate::store::StoreError;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

const DATABASE: &str = "the database";
const LOG: &str = "the database's log";
const INDEX: &str = "the index of the database's log";

/// What SQLite puts behind the database's name.
const PARTS: [(&str, &str); 3] = [("", DATABASE), ("-wal", LOG), ("-shm", INDEX)];

/// The header of the log, and that of each page in it, in bytes.
/// See <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// Where both have the two numbers that change whenever the log is begun anew.
const LOG_SALT: u64 = 16;
const FRAME_SALT: u64 = 8;

type Salt = [u8; 8];

/// The files of an open database.
#[derive(Debug)]
pub(super) struct Presence {
    files: Vec<Noted>,
    /// Descriptors of our own. That of the index must stay open for as long as SQLite has it: closing it would end the
    /// locks that SQLite holds on it.
    log: Option<File>,
    index: Option<File>,
    /// The sizes of the database and of the index when they were whole.
    size: u64,
    shared: u64,
    /// The log when it was whole: its salt and its pages.
    written: (Salt, u64),
}

#[derive(Debug)]
struct Noted {
    path: PathBuf,
    what: &'static str,
    identity: (u64, u64),
}

/// What SQLite's index says, in the part of it that is documented.
/// See <https://www.sqlite.org/walformat.html#the_wal_index_header>.
#[derive(Debug, Clone, Copy)]
struct Index {
    page: u64,
    /// Valid pages in the log.
    frames: u64,
    /// Pages of the database; 0 if nothing was written since the log was last read from its beginning.
    pages: u64,
    salt: Salt,
}

/// Refuses a log without its database: SQLite takes an empty file for a new database, and throws the log away.
pub(super) fn refuse_headless(database: &Path) -> Result<(), StoreError> {
    let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let log = beside(&database, "-wal");
    if size(&database) > 0 || size(&log) == 0 {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} is empty or was removed, and its log is not: put the database back, or move {} away to begin anew",
        database.display(),
        log.display()
    )))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Presence {
    /// Notes which files they are. The connection that writes must be open, since that makes them.
    pub(super) fn note(database: &Path) -> Self {
        // As SQLite does: the files beside it are named after what a link leads to.
        let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        let beside = |suffix: &str| beside(&database, suffix);
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let files = PARTS.iter().filter_map(|(suffix, what)| {
            let path = beside(suffix);
            let identity = identity_of(&std::fs::symlink_metadata(&path).ok()?);
            Some(Noted { path, what, identity })
        });
        Self {
            files: files.collect(),
            log: File::open(beside("-wal")).ok(),
            index: File::open(beside("-shm")).ok(),
            size: size(&database),
            shared: size(&beside("-shm")),
            written: (Salt::default(), 0),
        }
    }

    /// Says which file is gone, or no longer whole. Only the thread that writes may ask, and not within a transaction.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let (mut database, mut log, mut shared) = (None, None, None);
        for noted in &self.files {
            let found = std::fs::symlink_metadata(&noted.path).ok();
            // The name was free of links when it was noted. One that has taken its place leads SQLite, at the next start,
            // to other files beside the database.
            match &found {
                Some(found) if identity_of(found) == noted.identity => {}
                Some(_) => return Err(noted.gone("replaced")),
                None => return Err(noted.gone("removed")),
            }
            let size = found.as_ref().map(Metadata::len);
            match noted.what {
                DATABASE => database = size,
                LOG => log = size,
                _ => shared = size,
            }
        }
        // It is mapped into memory: whoever reads behind its new end is killed by the system, so nobody may.
        if let Some(size) = shared {
            if size < self.shared {
                return Err(self.cut(INDEX, "cut short"));
            }
            self.shared = size;
        }
        // After the sizes: whoever empties the log by SQLite's own means says so here first.
        let Some(index) = self.index.as_ref().and_then(Index::read) else { return Ok(()) };
        if let Some(size) = log {
            self.check_log(size, index).map_err(|how| self.cut(LOG, how))?;
        }
        if let Some(size) = database {
            // It is smaller than its pages as long as some of them are in the log alone. It shrinks only when somebody
            // makes it smaller by SQLite's own means, and then to its pages.
            let pages = index.pages * index.page;
            if size < self.size && (pages == 0 || size < pages) {
                return Err(self.cut(DATABASE, "cut short"));
            }
            self.size = size;
        }
        self.written = (index.salt, index.frames);
        Ok(())
    }

    fn check_log(&self, size: u64, index: Index) -> Result<(), &'static str> {
        let frame = FRAME_HEADER + index.page;
        if index.frames == 0 {
            return Ok(());
        }
        if size < LOG_HEADER + index.frames * frame {
            return Err("cut short");
        }
        let Some(log) = &self.log else { return Ok(()) };
        if read_salt(log, LOG_SALT) != Some(index.salt) {
            return Err("overwritten");
        }
        // What was last written before: if it is a hole now, the log was cut while a transaction was being written.
        let (salt, frames) = self.written;
        if salt == index.salt
            && frames > 0
            && read_salt(log, LOG_HEADER + (frames - 1) * frame + FRAME_SALT) != Some(salt)
        {
            return Err("cut short");
        }
        Ok(())
    }

    fn cut(&self, what: &str, how: &str) -> String {
        let noted = self.files.iter().find(|noted| noted.what == what);
        noted.map_or_else(|| format!("{what} was {how}"), |noted| noted.gone(how))
    }
}

impl Noted {
    fn gone(&self, how: &str) -> String {
        format!(
            "{} {} was {how} while the gateway had it open; start the gateway again with the right file",
            self.what,
            self.path.display()
        )
    }
}

impl Index {
    /// `None` if there is no index yet.
    fn read(file: &File) -> Option<Self> {
        let mut bytes = [0; 40];
        read_at(file, &mut bytes, 0).ok()?;
        let page = u64::from(u16::from_ne_bytes(part(&bytes, 14)?));
        Some(Self {
            page: if page == 1 { 65_536 } else { page },
            frames: u64::from(u32::from_ne_bytes(part(&bytes, 16)?)),
            pages: u64::from(u32::from_ne_bytes(part(&bytes, 20)?)),
            salt: part(&bytes, 32)?,
        })
    }
}

fn read_salt(log: &File, at: u64) -> Option<Salt> {
    let mut salt = Salt::default();
    read_at(log, &mut salt, at).ok()?;
    Some(salt)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Nobody else uses the place within these descriptors.
#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
