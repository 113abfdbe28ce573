//! IP addresses and networks as values.

use std::net::IpAddr;
use std::sync::Arc;

/// An IP address. An IPv4 address mapped into IPv6 is the IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(Arc<IpAddr>);

impl Address {
    /// The address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(Arc::new(address.to_canonical()))
    }

    /// The address.
    #[must_use]
    pub fn get(&self) -> IpAddr {
        *self.0
    }
}

/// An IP network: an address and the length of its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network(Arc<(IpAddr, u8)>);

impl Network {
    /// The network; `None` if the prefix is longer than the address.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then(|| Self(Arc::new((address, prefix))))
    }

    /// The address as written, host bits included.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.0
    }

    /// The number of leading bits that belong to the network.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.0.1
    }
}
