//! Every address and trick that must not lead into the operator's network, through the whole client: with a listener on
//! this machine that must not see a connection.

use super::name_server::NameServer;
use crate::outbound::{Client, Guard, NameServers, Outbound, OutboundOptions, words};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Hosts, and what is said of them.
const REFUSED: [(&str, &str); 80] = [
    // IPv4 in every form that a C library reads.
    ("127.0.0.1", "a loopback"),
    ("127.1", "a loopback"),
    ("127.0.1", "a loopback"),
    ("127.255.255.254", "a loopback"),
    ("127.0.0.1.", "a loopback"),
    ("2130706433", "a loopback"),
    ("017700000001", "a loopback"),
    ("0177.0.0.1", "a loopback"),
    ("0177.0.0.01", "a loopback"),
    ("0x7f000001", "a loopback"),
    ("0X7F000001", "a loopback"),
    ("0x7f.0.0.1", "a loopback"),
    ("0x7f.1", "a loopback"),
    ("0", "an unspecified"),
    ("0.0.0.0", "an unspecified"),
    ("0.1.2.3", "an unspecified"),
    ("0x0", "an unspecified"),
    // Ranges of IPv4.
    ("10.0.0.1", "a private"),
    ("10.1", "a private"),
    ("172.16.0.1", "a private"),
    ("172.31.255.255", "a private"),
    ("192.168.1.1", "a private"),
    ("3232235777", "a private"),
    ("100.64.0.1", "a carrier's shared"),
    ("168.63.129.16", "a cloud platform's"),
    ("169.254.169.254", "a link-local"),
    ("169.254.43518", "a link-local"),
    ("0xa9fea9fe", "a link-local"),
    ("2852039166", "a link-local"),
    ("192.0.0.1", "a protocol"),
    ("192.0.2.1", "a documentation"),
    ("192.88.99.1", "a relay"),
    ("198.18.0.1", "a benchmarking"),
    ("224.0.0.1", "a multicast"),
    ("240.0.0.1", "a reserved"),
    ("255.255.255.255", "a broadcast"),
    ("4294967295", "a broadcast"),
    // IPv6, and IPv4 within it.
    ("[::1]", "a loopback"),
    ("[0:0:0:0:0:0:0:1]", "a loopback"),
    ("[::]", "an unspecified"),
    ("[::ffff:127.0.0.1]", "a loopback"),
    ("[::ffff:7f00:1]", "a loopback"),
    ("[::ffff:169.254.169.254]", "a link-local"),
    ("[::127.0.0.1]", "a reserved"),
    ("[::ffff:0:127.0.0.1]", "a reserved"),
    ("[64:ff9b::7f00:1]", "a loopback"),
    ("[64:ff9b::10.0.0.1]", "a private"),
    ("[64:ff9b:1::7f00:1]", "a local translation"),
    ("[2002:7f00:1::]", "a loopback"),
    ("[2002:c0a8:101::1]", "a private"),
    ("[2001:0:7f00:1::]", "a protocol"),
    ("[2001:db8::1]", "a documentation"),
    ("[fe80::1]", "a link-local"),
    ("[fec0::1]", "a site-local"),
    ("[fd00::1]", "a unique local"),
    ("[fd00:ec2::254]", "a unique local"),
    ("[ff02::1]", "a multicast"),
    ("[100::1]", "a reserved"),
    // Names for them.
    ("localhost", "a loopback"),
    ("LocalHost", "a loopback"),
    ("localhost.", "a loopback"),
    ("app.localhost", "a loopback"),
    ("loop.test", "a loopback"),
    ("LOOP.test.", "a loopback"),
    ("meta.test", "a link-local"),
    ("zero.test", "an unspecified"),
    ("ten.test", "a private"),
    ("one.test", "a loopback"),
    ("mapped.test", "a loopback"),
    ("nat64.test", "a loopback"),
    ("six.test", "a loopback"),
    ("ula.test", "a unique local"),
    ("inside.test", "a private"),
    // What no name server may have an opinion about.
    ("127.0.0.256", "neither an address nor a name"),
    ("4294967297", "neither an address nor a name"),
    ("0x100000000", "neither an address nor a name"),
    ("1.2.3.4.5", "neither an address nor a name"),
    ("loop.0x7f", "neither an address nor a name"),
    ("127..1", "neither an address nor a name"),
    ("no-such.test", "no such name"),
];

const NAMES: [(&str, &[&str]); 10] = [
    ("loop.test", &["127.0.0.1"]),
    ("meta.test", &["169.254.169.254"]),
    ("zero.test", &["0.0.0.0"]),
    ("ten.test", &["10.0.0.1"]),
    ("one.test", &["::1"]),
    ("mapped.test", &["::ffff:127.0.0.1"]),
    ("nat64.test", &["64:ff9b::7f00:1"]),
    ("six.test", &["2002:7f00:1::1"]),
    ("ula.test", &["fd00::1"]),
    ("inside.test", &["10.0.0.1", "192.168.0.1", "fd00::1"]),
];

struct Rig {
    listener: TcpListener,
    outbound: Outbound,
    _server: NameServer,
    port: u16,
}

impl Rig {
    async fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let server = NameServer::start(&NAMES).await;
        let name_servers = NameServers::At(vec![server.address]);
        let outbound =
            Outbound::try_new(OutboundOptions { name_servers, ..OutboundOptions::default() }).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, outbound, _server: server, port }
    }

    fn client(&self, networks: &[&str]) -> Client {
        let networks = networks.iter().map(|network| (*network).to_owned()).collect::<Vec<_>>();
        self.outbound.client(Guard::try_new(false, &networks).unwrap(), Arc::default(), 1)
    }

    /// Why a host was not called, or that it was.
    async fn call(&self, client: &Client, host: &str) -> Result<(), String> {
        let url = format!("http://{host}:{}/", self.port);
        let request = Request::post(url).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
        let call = tokio::spawn(client.request(request));
        let connected = tokio::select! {
            accepted = self.listener.accept() => { accepted.unwrap(); true }
            () = async { while !call.is_finished() { tokio::time::sleep(Duration::from_millis(2)).await } } => false,
        };
        if connected {
            return Ok(());
        }
        Err(words(&call.await.unwrap().unwrap_err()))
    }
}

#[tokio::test]
async fn no_trick_leads_to_an_address_that_is_not_public() {
    let rig = Rig::start().await;
    let client = rig.client(&[]);
    for (host, said) in REFUSED {
        let error = rig.call(&client, host).await.expect_err(host);
        assert!(error.contains(said), "{host}: {error}");
    }
}

#[tokio::test]
async fn the_allow_list_opens_what_it_names_and_nothing_else() {
    let rig = Rig::start().await;
    let client = rig.client(&["127.0.0.1/32"]);
    let opened =
        ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "loop.test", "localhost", "mapped.test"];
    for host in opened {
        assert_eq!(rig.call(&client, host).await, Ok(()), "{host}");
    }
    for (host, said) in REFUSED {
        // What is IPv4 within IPv6 by translation goes out by IPv6, and is not what the list names.
        if said != "a loopback" || host.starts_with("[64") || host.starts_with("[2002") {
            assert!(rig.call(&client, host).await.is_err(), "{host}");
        }
    }
    for host in ["127.0.0.2", "127.255.255.254", "[::1]", "one.test", "nat64.test", "six.test"] {
        assert!(rig.call(&client, host).await.is_err(), "{host}");
    }
}
