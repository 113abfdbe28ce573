//! Signatures for what goes out: deliveries signed the Standard Webhooks way, and requests signed as a provider would.

mod key;
mod request;
mod signer;
mod standard;

pub use key::{SignatureStyle, SigningKeyConfig};
pub use request::{SignError, SignInput, Signed, sign};
pub use signer::{SignatureError, Signer};
pub use standard::{SigningSecret, SigningSecretError, StandardHeaders, standard_webhooks};
