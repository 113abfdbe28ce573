//! The functions of the network extension.

use super::Function;
use crate::failure::Failure;
use crate::value::{Address, Network, Value};
use std::net::IpAddr;

/// The functions of the network extension.
pub(super) fn network<'a>(function: Function, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure> {
    use Function as F;
    Ok(match (function, arguments) {
        (F::Ip, [Value::Address(_)]) | (F::Cidr, [Value::Network(_)]) => {
            arguments.first().cloned().ok_or(Failure::NoOverload)?
        }
        (F::Ip, [Value::String(text)]) => Value::Address(Address::new(address(text)?)),
        (F::Cidr, [Value::String(text)]) => Value::Network(parse(text)?),
        (F::IsIp, [Value::String(text)]) => Value::Bool(address(text).is_ok()),
        (F::IsCidr, [Value::String(text)]) => Value::Bool(parse(text).is_ok()),
        (F::IsCanonical, [Value::String(text)]) => Value::Bool(address(text)?.to_string() == **text),
        (F::ContainsIp, [Value::Network(network), Value::Address(inner)]) => {
            Value::Bool(contains(network, inner.get()))
        }
        (F::ContainsIp, [Value::Network(network), Value::String(text)]) => {
            Value::Bool(contains(network, address(text)?.to_canonical()))
        }
        (F::ContainsCidr, [Value::Network(network), Value::Network(inner)]) => {
            Value::Bool(covers(network, inner))
        }
        (F::ContainsCidr, [Value::Network(network), Value::String(text)]) => {
            Value::Bool(covers(network, &parse(text)?))
        }
        (F::CidrIp, [Value::Network(network)]) => Value::Address(Address::new(network.address())),
        (F::PrefixLength, [Value::Network(network)]) => Value::Int(i64::from(network.prefix())),
        (F::Masked, [Value::Network(network)]) => {
            let masked = mask(network.address(), network.prefix());
            Value::Network(Network::new(masked, network.prefix()).ok_or(Failure::OutOfRange)?)
        }
        (_, [Value::Address(address)]) => of_address(function, address.get())?,
        _ => return Err(Failure::NoOverload),
    })
}

fn of_address<'a>(function: Function, address: IpAddr) -> Result<Value<'a>, Failure> {
    use Function as F;
    let (link_local, link_local_multicast, broadcast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets().starts_with(&[224, 0, 0]), v4.is_broadcast()),
        IpAddr::V6(v6) => {
            let scope = v6.segments()[0];
            (v6.is_unicast_link_local(), scope & 0xff0f == 0xff02, false)
        }
    };
    Ok(match function {
        F::Family => Value::Int(if address.is_ipv4() { 4 } else { 6 }),
        F::IsUnspecified => Value::Bool(address.is_unspecified()),
        F::IsLoopback => Value::Bool(address.is_loopback()),
        F::IsLinkLocalUnicast => Value::Bool(link_local),
        F::IsLinkLocalMulticast => Value::Bool(link_local_multicast),
        F::IsGlobalUnicast => Value::Bool(
            !(broadcast
                || link_local
                || address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()),
        ),
        _ => return Err(Failure::NoOverload),
    })
}

/// An address without a zone. An IPv4 address in dotted notation inside IPv6 (`::ffff:1.2.3.4`) is not taken, in hexadecimal it is.
fn address(text: &str) -> Result<IpAddr, Failure> {
    if text.contains(':') && text.contains('.') {
        return Err(Failure::BadText);
    }
    text.parse().map_err(|_| Failure::BadText)
}

/// A network in CIDR notation, host bits kept.
fn parse(text: &str) -> Result<Network, Failure> {
    let (host, prefix) = text.split_once('/').ok_or(Failure::BadText)?;
    let host = address(host)?;
    if let IpAddr::V6(v6) = host
        && v6.to_ipv4_mapped().is_some()
    {
        return Err(Failure::BadText);
    }
    let digits = !prefix.is_empty() && prefix.bytes().all(|digit| digit.is_ascii_digit());
    if !digits || (prefix.len() > 1 && prefix.starts_with('0')) {
        return Err(Failure::BadText);
    }
    let prefix = prefix.parse().map_err(|_| Failure::BadText)?;
    Network::new(host, prefix).ok_or(Failure::BadText)
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

fn contains(network: &Network, inner: IpAddr) -> bool {
    let same_family = network.address().is_ipv4() == inner.is_ipv4();
    same_family && mask(inner, network.prefix()) == mask(network.address(), network.prefix())
}

fn covers(network: &Network, inner: &Network) -> bool {
    network.prefix() <= inner.prefix() && contains(network, inner.address())
}
