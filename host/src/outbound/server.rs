//! Asking name servers, without blocking a thread.

use super::failure::is_local;
use super::literal::is_localhost;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long one name server may take, whatever the system's configuration says: a look-up has to leave time for others.
const ONE_SERVER: Duration = Duration::from_secs(2);
/// How often a question is asked.
const ASKED: usize = 2;
/// How long the addresses of one family wait for those of the other (RFC 8305, section 3, has 50 ms for this).
const OTHER_FAMILY: Duration = Duration::from_millis(150);
/// How long the name servers have to show that they answer at all.
const SIGN_OF_LIFE: Duration = Duration::from_millis(1500);
/// How often the system's files are looked at for changes.
const FILES: Duration = Duration::from_secs(5);

/// What is said of a host that no name server is asked for.
pub(super) const NO_NAME: &str = "not a name that can be looked up";

/// Whether name servers can be asked for it: RFC 1035, section 2.3.4, bounds labels to 63 octets, and none is empty.
pub(super) fn is_name(text: &str) -> bool {
    Name::from_str_relaxed(text).is_ok()
}

const SERVERS_FILE: &str = "/etc/resolv.conf";
const HOSTS_FILE: &str = "/etc/hosts";

/// Who is asked for the addresses of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NameServers {
    /// Those of the system: `/etc/hosts` first, then the servers of `/etc/resolv.conf`, with its search list. Changes of
    /// both are noticed within seconds.
    #[default]
    System,
    /// These and nobody else, over UDP.
    At(Vec<SocketAddr>),
}

/// What name servers say about a name.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Not empty; IPv4 first.
    pub(super) addresses: Vec<IpAddr>,
    /// How long they hold.
    pub(super) lifetime: Duration,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LookupError {
    /// There is no such name, or it has no address; holds so long.
    Nothing(&'static str, Duration),
    /// The servers answer, but not this question.
    Failed(String),
    /// No server answers, or it fails whatever it is asked, or it cannot be asked from here: it says nothing about the name.
    Local(String),
}

/// The name servers.
#[derive(Debug)]
pub(super) struct Servers {
    source: NameServers,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    asked: ServersInUse,
    files: [Option<Stamp>; 2],
    looked: Instant,
}

/// What tells one state of a file from another.
type Stamp = (SystemTime, u64);

#[derive(Debug, Clone)]
struct ServersInUse {
    /// Or why nobody can be asked.
    resolver: Result<TokioResolver, String>,
    hosts: Arc<Hosts>,
}

impl Servers {
    pub(super) fn new(source: NameServers) -> Self {
        let current = Current::read(&source);
        Self { source, current: Mutex::new(current) }
    }

    /// The addresses that are known without asking anybody: of this machine and of its hosts file.
    pub(super) fn own(&self, name: &str) -> Option<Vec<IpAddr>> {
        let parsed = Name::from_str_relaxed(name).ok()?;
        let hosts = self.current().hosts;
        let listed = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(parsed.clone(), kind)))
            .flat_map(|lookup| addresses(&lookup))
            .collect::<Vec<_>>();
        if !listed.is_empty() {
            return Some(listed);
        }
        // RFC 6761, section 6.3: nobody else may say what these are.
        is_localhost(name)
            .then(|| vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0u16, 0, 0, 0, 0, 0, 0, 1])])
    }

    /// Asks for both families at once. May take as long as the servers need.
    pub(super) async fn ask(&self, name: &str) -> Result<Found, LookupError> {
        let resolver = self.current().resolver.map_err(LookupError::Local)?;
        let name = Name::from_str_relaxed(name).map_err(|_| LookupError::Nothing(NO_NAME, Duration::MAX))?;
        let mut v4 = pin!(resolver.ipv4_lookup(name.clone()));
        let mut v6 = pin!(resolver.ipv6_lookup(name.clone()));
        // Whichever family comes first does not wait for a server that says nothing about the other.
        let (v4, v6) = tokio::select! {
            v4 = &mut v4 => match v4 {
                Ok(v4) => (Ok(v4), tokio::time::timeout(OTHER_FAMILY, v6).await.unwrap_or(Err(NetError::Timeout))),
                Err(error) => (Err(error), v6.await),
            },
            v6 = &mut v6 => match v6 {
                Ok(v6) => (tokio::time::timeout(OTHER_FAMILY, v4).await.unwrap_or(Err(NetError::Timeout)), Ok(v6)),
                Err(error) => (v4.await, Err(error)),
            },
        };
        let now = Instant::now();
        let mut found = Found { addresses: Vec::new(), lifetime: Duration::MAX };
        for lookup in [&v4, &v6].into_iter().flatten() {
            found.addresses.extend(addresses(lookup));
            found.lifetime = found.lifetime.min(lookup.valid_until().saturating_duration_since(now));
        }
        if !found.addresses.is_empty() {
            return Ok(found);
        }
        let mut errors = [v4, v6].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        // A server that answers one question and not the other has said what there is to say.
        errors.sort_by_key(|error| !error.is_no_records_found());
        match errors.first() {
            Some(error) => Err(self.judge(error).await),
            None => Err(LookupError::Nothing("no address", Duration::ZERO)),
        }
    }

    /// What it means that a look-up was given up for its time.
    pub(super) async fn unanswered(&self) -> LookupError {
        self.judge(&NetError::Timeout).await
    }

    async fn judge(&self, error: &NetError) -> LookupError {
        match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => {
                let lifetime = Duration::from_secs(none.negative_ttl.unwrap_or_default().into());
                match none.response_code {
                    ResponseCode::NXDomain => LookupError::Nothing("no such name", lifetime),
                    ResponseCode::NoError => LookupError::Nothing("no address", lifetime),
                    code => self.judge_code(code).await,
                }
            }
            NetError::Dns(DnsError::ResponseCode(code)) => self.judge_code(*code).await,
            NetError::Io(error) if is_local(&**error) => {
                LookupError::Local(format!("the name server cannot be asked: {error}"))
            }
            NetError::Busy => LookupError::Local("too many questions to the name server at once".to_owned()),
            error if self.answers().await => match error {
                NetError::Timeout => {
                    LookupError::Failed("the name server does not answer for this name".to_owned())
                }
                error => LookupError::Failed(error.to_string()),
            },
            NetError::Timeout | NetError::NoConnections => {
                LookupError::Local("the name server does not answer".to_owned())
            }
            error => LookupError::Local(format!("the name server does not answer: {error}")),
        }
    }

    /// What it means that a server answers with this error. That it fails is said of the name if it does not fail for every
    /// name: a resolver without its own servers answers so, too.
    async fn judge_code(&self, code: ResponseCode) -> LookupError {
        let problem = format!("the name server answers {code}");
        let fails = |code| code == ResponseCode::ServFail;
        match self.ask_for_root().await {
            Some(Err(NetError::Dns(DnsError::ResponseCode(root)))) if fails(code) && fails(root) => {
                LookupError::Local(format!("{problem}, whatever it is asked"))
            }
            Some(Err(NetError::Dns(DnsError::NoRecordsFound(none))))
                if fails(code) && fails(none.response_code) =>
            {
                LookupError::Local(format!("{problem}, whatever it is asked"))
            }
            _ => LookupError::Failed(problem),
        }
    }

    /// Whether the servers answer anything.
    async fn answers(&self) -> bool {
        matches!(self.ask_for_root().await, Some(Ok(_) | Err(NetError::Dns(_))))
    }

    /// Asks what every server knows that resolves for others: who serves the root. `None` if nobody answers in time.
    async fn ask_for_root(&self) -> Option<Result<Lookup, NetError>> {
        let resolver = self.current().resolver.ok()?;
        let answer = resolver.lookup(Name::root(), RecordType::NS);
        tokio::time::timeout(SIGN_OF_LIFE, answer).await.ok()
    }

    /// The resolver, made anew if the system's files have changed.
    fn current(&self) -> ServersInUse {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.source == NameServers::System && current.looked.elapsed() >= FILES {
            current.looked = Instant::now();
            if stamps() != current.files {
                tracing::info!("the system's name servers or hosts have changed");
                *current = Current::read(&self.source);
            }
        }
        current.asked.clone()
    }
}

impl Current {
    fn read(source: &NameServers) -> Self {
        let files = if *source == NameServers::System { stamps() } else { [None, None] };
        let asked = match source {
            NameServers::System => system(),
            NameServers::At(servers) => at(servers),
        };
        if let Err(error) = &asked.resolver {
            tracing::warn!(error, "names cannot be resolved");
        }
        Self { asked, files, looked: Instant::now() }
    }
}

fn system() -> ServersInUse {
    let hosts = Hosts::from_system().unwrap_or_else(|error| {
        tracing::warn!(%error, "{HOSTS_FILE} cannot be read");
        Hosts::default()
    });
    let resolver = hickory_resolver::system_conf::read_system_conf()
        .map_err(|error| format!("{SERVERS_FILE} cannot be used: {error}"))
        .and_then(|(config, options)| build(config, options));
    ServersInUse { resolver, hosts: Arc::new(hosts) }
}

fn at(servers: &[SocketAddr]) -> ServersInUse {
    let servers = servers.iter().map(|server| {
        let mut connection = ConnectionConfig::new(ProtocolConfig::Udp);
        connection.port = server.port();
        NameServerConfig::new(server.ip(), true, vec![connection])
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    ServersInUse { resolver: build(config, ResolverOpts::default()), hosts: Arc::default() }
}

fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, String> {
    options.timeout = options.timeout.min(ONE_SERVER);
    options.attempts = options.attempts.min(ASKED);
    // Hosts are looked at before a question takes its turn, and what is remembered has bounds of its own.
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    // One connection serves all questions at once.
    options.max_active_requests = 1024;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| error.to_string())
}

fn addresses(lookup: &Lookup) -> Vec<IpAddr> {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect()
}

fn stamps() -> [Option<Stamp>; 2] {
    [SERVERS_FILE, HOSTS_FILE].map(|file| {
        let about = Path::new(file).metadata().ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}
