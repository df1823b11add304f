//! Where the server is, and what is asked of it: the store's URL.

use std::time::Duration;

use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo, TlsMode,
};
use url::Url;

/// Hash slots that the sessions of a cluster are spread over, unless the URL says otherwise.
const CLUSTER_BUCKETS: u16 = 64;
const MOST_BUCKETS: u16 = 1024;

/// Why a URL does not name a store. Never repeats the URL, which may hold a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme than those that are understood.
    #[error(
        "must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// Not a URL, or without a host.
    #[error("not a URL of a server")]
    Url,
    /// A sentinel's URL does not say which master.
    #[error("the name of the master must follow the sentinels: redis+sentinel://host:26379/name")]
    MasterName,
    /// A cluster has no numbered databases.
    #[error("a cluster has no numbered databases")]
    Database,
    /// A part of the query that is not known, or whose value is not.
    #[error("{0} is not understood in the query")]
    Query(String),
}

/// How a store's server is reached.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) servers: Servers,
    pub(super) options: Options,
}

/// Which servers there are.
#[derive(Clone)]
pub(super) enum Servers {
    Cluster(Vec<ConnectionInfo>),
    One(Box<ConnectionInfo>),
    Sentinels {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        settings: RedisConnectionInfo,
        tls: bool,
    },
}

/// What the query says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Options {
    /// What all keys begin with.
    pub(super) prefix: String,
    /// Into how many hash slots sessions are spread.
    pub(super) buckets: u16,
    pub(super) acknowledged: Acknowledged,
}

/// What a write waits for besides the server's own answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Acknowledged {
    /// Replicas that must have it.
    pub(super) replicas: u32,
    /// Whether the server's append-only file must have been synced (`WAITAOF`).
    pub(super) aof: bool,
    pub(super) patience: Duration,
}

impl Acknowledged {
    pub(super) fn is_wanted(&self) -> bool {
        self.aof || self.replicas > 0
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, hosts) = match self {
            Self::Cluster(nodes) => (
                "cluster",
                nodes.iter().map(|node| node.addr().to_string()).collect(),
            ),
            Self::One(server) => ("server", vec![server.addr().to_string()]),
            Self::Sentinels { sentinels, .. } => (
                "sentinels",
                sentinels
                    .iter()
                    .map(|node| node.addr().to_string())
                    .collect(),
            ),
        };
        f.debug_tuple(kind).field(&hosts).finish()
    }
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let (tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis" | "valkey", kind) => (false, kind),
            ("rediss" | "valkeys", kind) => (true, kind),
            _ => return Err(AddressError::Scheme),
        };
        let (mut url, more) = first_host(if tls { "rediss" } else { "redis" }, rest)?;
        let options = Options::read(&url, kind == "cluster")?;
        url.set_query(None);
        let path = url.path().trim_matches('/').to_owned();
        let servers = match kind {
            "" if more.is_empty() => Servers::One(Box::new(info(url.as_str())?)),
            "" => return Err(AddressError::Url),
            "cluster" if matches!(path.as_str(), "" | "0") => {
                url.set_path("");
                Servers::Cluster(each_host(&url, &more)?)
            }
            "cluster" => return Err(AddressError::Database),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((&path, "0"));
                if master.is_empty() {
                    return Err(AddressError::MasterName);
                }
                url.set_path(database);
                let settings = info(url.as_str())?.redis_settings().clone();
                // The password is the server's; sentinels are asked without one.
                url.set_path("");
                url.set_username("")
                    .and_then(|()| url.set_password(None))
                    .map_err(|()| AddressError::Url)?;
                Servers::Sentinels {
                    sentinels: each_host(&url, &more)?,
                    master: master.to_owned(),
                    settings,
                    tls,
                }
            }
            _ => return Err(AddressError::Scheme),
        };
        Ok(Self { servers, options })
    }
}

/// The URL with its first host alone, as the parser for URLs takes it, and the other hosts.
fn first_host(scheme: &str, rest: &str) -> Result<(Url, Vec<String>), AddressError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, hosts)| (user, hosts));
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default();
    let at = if user.is_empty() { "" } else { "@" };
    let url = Url::parse(&format!("{scheme}://{user}{at}{first}{path}"))
        .ok()
        .filter(Url::has_host)
        .ok_or(AddressError::Url)?;
    Ok((url, hosts.map(str::to_owned).collect()))
}

fn each_host(first: &Url, more: &[String]) -> Result<Vec<ConnectionInfo>, AddressError> {
    let mut infos = vec![info(first.as_str())?];
    for host in more {
        let other = Url::parse(&format!("{}://{host}", first.scheme()))
            .ok()
            .filter(Url::has_host)
            .ok_or(AddressError::Url)?;
        let mut url = first.clone();
        url.set_host(other.host_str())
            .map_err(|_| AddressError::Url)?;
        url.set_port(other.port()).map_err(|()| AddressError::Url)?;
        infos.push(info(url.as_str())?);
    }
    Ok(infos)
}

fn info(url: &str) -> Result<ConnectionInfo, AddressError> {
    url.into_connection_info().map_err(|_| AddressError::Url)
}

impl Options {
    fn read(url: &Url, cluster: bool) -> Result<Self, AddressError> {
        let mut options = Self {
            prefix: "logout:".to_owned(),
            buckets: if cluster { CLUSTER_BUCKETS } else { 1 },
            acknowledged: Acknowledged {
                replicas: 0,
                aof: false,
                patience: Duration::from_millis(500),
            },
        };
        for (key, value) in url.query_pairs() {
            let number = || value.parse::<u32>().ok();
            let understood = match &*key {
                // A brace would move the hash tag that keeps a shard together.
                "prefix" => {
                    (!value.contains(['{', '}'])).then(|| options.prefix = value.to_string())
                }
                "buckets" => number()
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|number| (1..=MOST_BUCKETS).contains(number))
                    .map(|number| options.buckets = number),
                "wait_replicas" => number().map(|number| options.acknowledged.replicas = number),
                "wait_aof" => number()
                    .filter(|number| *number < 2)
                    .map(|number| options.acknowledged.aof = number == 1),
                "wait_ms" => {
                    number()
                        .filter(|number| (1..=10_000).contains(number))
                        .map(|number| {
                            options.acknowledged.patience = Duration::from_millis(number.into());
                        })
                }
                _ => None,
            };
            // The name only: a value may be a secret that stands in the wrong shard.
            understood.ok_or_else(|| AddressError::Query(key.to_string()))?;
        }
        Ok(options)
    }
}

/// A client of the one server, or of whichever the sentinels say is the master now. Each `turn`
/// asks another sentinel first, so that one which is gone without a trace costs one attempt and not
/// all of them.
pub(super) async fn client_of(servers: &Servers, turn: usize) -> redis::RedisResult<Client> {
    match servers {
        Servers::One(server) => Client::open((**server).clone()),
        Servers::Sentinels {
            sentinels,
            master,
            settings,
            tls,
        } => {
            let mut addresses: Vec<ConnectionAddr> =
                sentinels.iter().map(|node| node.addr().clone()).collect();
            let first = turn % addresses.len();
            addresses.rotate_left(first);
            let mut builder =
                SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                    .set_client_to_redis_db(settings.db());
            if let Some(username) = settings.username() {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = settings.password() {
                builder = builder.set_client_to_redis_password(password);
            }
            if *tls {
                builder = builder
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure);
            }
            builder.build()?.async_get_client().await
        }
        Servers::Cluster(_) => Err((
            redis::ErrorKind::InvalidClientConfig,
            "a cluster has no single client",
        )
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, AddressError> {
        Address::parse(text).map(|address| format!("{:?}", address.servers))
    }

    #[test]
    fn each_kind_of_server_is_named_by_its_scheme() {
        for (text, servers) in [
            (
                "redis://cache.example:6380/1",
                r#"server(["cache.example:6380"])"#,
            ),
            (
                "redis://:secret@cache.example",
                r#"server(["cache.example:6379"])"#,
            ),
            (
                "rediss://cache.example",
                r#"server(["cache.example:6379"])"#,
            ),
            (
                "redis+sentinel://one:26379,two:26380/main/2",
                r#"sentinels(["one:26379", "two:26380"])"#,
            ),
            (
                "redis+cluster://one:7000,two:7001",
                r#"cluster(["one:7000", "two:7001"])"#,
            ),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(servers), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (text, fault) in [
            ("", AddressError::Scheme),
            ("http://h", AddressError::Scheme),
            ("redis+pigeon://h", AddressError::Scheme),
            ("redis://", AddressError::Url),
            ("redis://one,two", AddressError::Url),
            ("redis+sentinel://one", AddressError::MasterName),
            ("redis+cluster://one/3", AddressError::Database),
            (
                "redis://h?password=canary",
                AddressError::Query("password".to_owned()),
            ),
            (
                "redis://h?prefix=a{b}",
                AddressError::Query("prefix".to_owned()),
            ),
            (
                "redis://h?buckets=0",
                AddressError::Query("buckets".to_owned()),
            ),
            (
                "redis://h?wait_ms=x",
                AddressError::Query("wait_ms".to_owned()),
            ),
        ] {
            assert_eq!(shown(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_sentinel_s_url_has_the_master_its_database_and_its_password() {
        let address = Address::parse("redis+sentinel://user:secret@one,two/main/2").unwrap();
        let Servers::Sentinels {
            master,
            settings,
            sentinels,
            ..
        } = address.servers
        else {
            panic!("sentinels")
        };
        assert_eq!(
            (master.as_str(), settings.db(), settings.password()),
            ("main", 2, Some("secret"))
        );
        assert!(
            sentinels
                .iter()
                .all(|node| node.redis_settings().password().is_none())
        );
    }

    #[test]
    fn the_query_says_what_a_write_waits_for() {
        let options =
            Address::parse("redis://h?wait_replicas=2&wait_ms=250&wait_aof=1&prefix=x:&buckets=8")
                .unwrap()
                .options;
        let acknowledged = Acknowledged {
            replicas: 2,
            aof: true,
            patience: Duration::from_millis(250),
        };
        assert_eq!(
            options,
            Options {
                prefix: "x:".to_owned(),
                buckets: 8,
                acknowledged
            }
        );
        assert!(
            !Address::parse("redis://h")
                .unwrap()
                .options
                .acknowledged
                .is_wanted()
        );
        assert_eq!(
            Address::parse("redis+cluster://h").unwrap().options.buckets,
            CLUSTER_BUCKETS
        );
    }

    #[test]
    fn a_password_does_not_show() {
        assert!(!format!("{:?}", Address::parse("redis://:canary@h").unwrap()).contains("canary"));
    }
}
