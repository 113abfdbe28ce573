//! Asking a provider's own host for a document.

use super::DeliveryError;
use super::client::{Client, client, tls};
use super::failure::words;
use super::guard::Guard;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

/// Connections kept open to one host.
const CONNECTIONS: usize = 4;

/// A client that connects to public addresses only and follows no redirect.
pub struct ProviderClient(Client);

impl ProviderClient {
    /// Opens nothing yet.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn try_new() -> Result<Self, DeliveryError> {
        Ok(Self(client(Guard::public(), tls(&[])?, CONNECTIONS)))
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// Why there was no answer, in words.
    pub async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        self.0.request(request).await.map_err(|error| words(&error))
    }
}
