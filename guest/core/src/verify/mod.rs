//! Whether a request is from whom it claims to be from.
//!
//! A scheme is data: one file per provider in `provider/`, in a small language that `scheme = "custom"` opens to
//! everybody, interpreted by [`Verifier`].

mod algorithm;
mod builder;
mod catalogue;
mod certificate;
mod check;
mod checked_url;
mod config;
mod context;
#[cfg(test)]
mod documentation;
mod field;
mod freshness;
mod identity;
mod json;
mod judgement;
mod jwt;
mod key;
mod pin;
mod place;
mod reply;
mod scheme;
mod secret;
mod signer;
mod source;
mod split;
mod template;
mod url;
mod verification;
mod verifier;

pub use catalogue::{Definition, catalogue};
pub use config::{
    AnswerConfig, DeduplicateConfig, EventConfig, SecretConfig, SplitConfig, TimeConfig, VerificationConfig,
};
pub use identity::{Identity, IdentityKind, Repetition};
pub use judgement::Judgement;
pub use scheme::BodyForm;
pub use verification::{Attributes, SecretName, TraceStep, Verification, Verified};
pub use verifier::Verifier;

pub(crate) use identity::part_id;
pub(crate) use json::{Json, Names, Read};
pub(crate) use key::{BASE64, signing_key};
pub(crate) use signer::{SigningKeys, UnsignedRequest};
pub(crate) use source::place_problem;
