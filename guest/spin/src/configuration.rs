//! The configuration in the key-value store: one version in use, and the one before it.
//!
//! A version is written under a number of its own and never changed. Which one is in use stands under one key, so that taking
//! one and going back are one write each. Beside it stands what it is packed into for instances that have just started: that is made of
//! it, and is made again where this component cannot use what it finds.

use crate::binding::Router;
use crate::bucket::Bucket;
use crate::{clock, convert, diagnostic};
use anglerfish_core::edge::{Bucket as _, Deployment, Directory, PackedConfiguration};
use anglerfish_core::problem::Problem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where it stands which version is in use.
const CURRENT: &str = "config/current";

/// The numbers that were given out.
const NEXT: &str = "config/next";

/// How much of a version is in one value, in bytes: less than what every store takes.
const PIECE: usize = 256 * 1024;

/// The hash of the gateway component that this one was built with, where the build says it: what another one packed is not for it.
pub(crate) const GATEWAY: Option<&str> = option_env!("ANGLERFISH_GATEWAY_SHA256");

/// What is in use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Current {
    #[serde(flatten)]
    pub(crate) version: Version,
    /// What was in use before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Version>,
}

/// A configuration that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Its number.
    pub(crate) version: u64,
    /// The SHA-256 of what was deployed.
    pub(crate) hash: String,
    /// When it was taken, in Unix milliseconds.
    pub(crate) deployed: u64,
    /// How many values it is kept in.
    pieces: usize,
}

impl Version {
    fn keys(&self) -> Vec<String> {
        (0..self.pieces).map(|piece| format!("config/{}/{piece}", self.version)).collect()
    }

    /// Where it is packed, in so many pieces.
    fn packed_keys(&self, pieces: usize) -> Vec<String> {
        (0..pieces).map(|piece| format!("config/{}/packed/{piece}", self.version)).collect()
    }

    /// How many of those there can be: what is packed is hardly larger than the document.
    const fn most_packed(&self) -> usize {
        self.pieces * 2 + 2
    }

    /// Reads how many there are.
    fn packed_pieces(&self, bucket: &Bucket) -> Result<Option<(usize, Vec<u8>)>, String> {
        let Some(first) = self.packed_keys(1).first().map(|key| bucket.get(key)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        // What is no number may be anything.
        let count = PackedConfiguration::count(&first).unwrap_or(usize::MAX).clamp(1, self.most_packed());
        Ok(Some((count, first)))
    }
}

/// What is in use, if any was ever taken.
pub(crate) fn current(bucket: &Bucket) -> Result<Option<Current>, String> {
    let Some(value) = bucket.get(CURRENT)? else { return Ok(None) };
    serde_json::from_slice(&value)
        .map(Some)
        .map_err(|error| format!("what stands under {CURRENT:?} cannot be read: {error}"))
}

/// Reads a version.
pub(crate) fn load(bucket: &Bucket, version: &Version) -> Result<Deployment, String> {
    let keys = version.keys();
    let found = bucket.get_many(keys.clone())?;
    let mut text = Vec::new();
    for key in keys {
        text.extend_from_slice(found.get(&key).ok_or_else(|| format!("there is nothing under {key:?}"))?);
    }
    serde_json::from_slice(&text)
        .map_err(|error| format!("version {} of the configuration cannot be read: {error}", version.version))
}

/// Reads what a version is packed into. Within, why this component cannot use it.
pub(crate) fn load_packed(
    bucket: &Bucket,
    version: &Version,
) -> Result<Result<PackedConfiguration, String>, String> {
    let Some(gateway) = GATEWAY else {
        return Ok(Err("it is not known which gateway component this is".to_owned()));
    };
    let Some((count, first)) = version.packed_pieces(bucket)? else {
        return Ok(Err("it was not packed before".to_owned()));
    };
    let keys = version.packed_keys(count).split_off(1);
    let mut found = bucket.get_many(keys.clone())?;
    let mut pieces = vec![first];
    pieces.extend(keys.iter().filter_map(|key| found.remove(key)));
    Ok(PackedConfiguration::join(gateway, &pieces))
}

/// Packs a version.
fn pack(bucket: &Bucket, version: &Version, deployment: &Deployment) -> Result<(), String> {
    let Some(gateway) = GATEWAY else { return Ok(()) };
    let routing = Router::pack(deployment.routing.get().as_bytes()).map_err(|problems| {
        problems
            .into_iter()
            .map(|problem| convert::problem(problem).to_string())
            .collect::<Vec<_>>()
            .join("; ")
    })?;
    let directory = Directory::pack(deployment).map_err(|error| error.to_string())?;
    let pieces = PackedConfiguration { directory, routing }.pieces(gateway, PIECE);
    if pieces.len() > version.most_packed() {
        return Err(format!("it would take {} pieces", pieces.len()));
    }
    bucket.set_many(version.packed_keys(pieces.len()).into_iter().zip(pieces).collect())
}

/// Packs a version that is in use or was before.
pub(crate) fn pack_again(bucket: &Bucket, version: &Version, deployment: &Deployment) -> Result<(), String> {
    // Of one that was deleted meanwhile nothing is to be left.
    match current(bucket)? {
        Some(current) if current.version == *version || current.previous.as_ref() == Some(version) => {
            pack(bucket, version, deployment)
        }
        _ => Ok(()),
    }
}

/// Why a configuration was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The store failed.
    Store(String),
    /// It does not go together with the one in use.
    Problems(Vec<Problem>),
}

impl From<String> for NotTaken {
    fn from(reason: String) -> Self {
        Self::Store(reason)
    }
}

/// Takes a configuration that was checked. One that is in use already stays what it is.
pub(crate) fn take(bucket: &Bucket, deployment: &Deployment) -> Result<(Current, bool), NotTaken> {
    let text = written(deployment)?;
    let hash = format!("sha256:{}", hex::encode(Sha256::digest(&text)));
    let old = current(bucket)?;
    if let Some(same) = old.as_ref().filter(|old| old.version.hash == hash) {
        return Ok((same.clone(), false));
    }
    let number = u64::try_from(bucket.increment(NEXT, 1)?)
        .map_err(|_| NotTaken::Store("the versions are counted wrong".to_owned()))?;
    let enrolled = match deployment.has_documents() {
        true => {
            let before = old.as_ref().map(|old| load(bucket, &old.version)).transpose()?;
            Some(deployment.clone().enrol(before.as_ref(), number).map_err(NotTaken::Problems)?)
        }
        false => None,
    };
    let text = enrolled.as_ref().map(written).transpose()?.unwrap_or(text);
    let pieces: Vec<&[u8]> = text.chunks(PIECE).collect();
    let version = Version { version: number, hash, deployed: clock::now(), pieces: pieces.len() };
    bucket.set_many(version.keys().into_iter().zip(pieces.into_iter().map(<[u8]>::to_vec)).collect())?;
    // Without it an instance that starts takes longer, and packs it.
    if let Err(error) = pack(bucket, &version, enrolled.as_ref().unwrap_or(deployment)) {
        diagnostic::report(&format!("version {number} of the configuration was not packed: {error}"));
    }
    let (previous, forgotten) = old.map_or((None, None), |old| (Some(old.version), old.previous));
    let current = Current { version, previous };
    set(bucket, &current)?;
    // Whoever loads it at this moment finds that there is another one, and loads that.
    if let Some(forgotten) = forgotten {
        let packed = forgotten.packed_pieces(bucket)?.map_or(0, |(count, _)| count);
        bucket.delete_many([forgotten.keys(), forgotten.packed_keys(packed)].concat())?;
    }
    Ok((current, true))
}

/// How going back went.
pub(crate) enum RolledBack {
    /// The version before is in use, and this one is the version before in its turn.
    To(Current),
    /// There is none before.
    NoneBefore,
    /// What subscribers of resources have is known by the filters that they have had, one after another.
    HasDocuments,
}

/// Goes back to the version before.
pub(crate) fn roll_back(bucket: &Bucket) -> Result<RolledBack, String> {
    let Some(Current { version, previous: Some(previous) }) = current(bucket)? else {
        return Ok(RolledBack::NoneBefore);
    };
    for version in [&version, &previous] {
        if load(bucket, version)?.has_documents() {
            return Ok(RolledBack::HasDocuments);
        }
    }
    let current = Current { version: previous, previous: Some(version) };
    set(bucket, &current)?;
    Ok(RolledBack::To(current))
}

fn written(deployment: &Deployment) -> Result<Vec<u8>, String> {
    serde_json::to_vec(deployment)
        .map_err(|error| format!("the configuration cannot be written as JSON: {error}"))
}

fn set(bucket: &Bucket, current: &Current) -> Result<(), String> {
    let value = serde_json::to_vec(current)
        .map_err(|error| format!("the version cannot be written as JSON: {error}"))?;
    bucket.set(CURRENT, &value)
}
