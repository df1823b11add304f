//! Making connections: to whichever of the servers in the URL takes writes. And hearing what a
//! server says besides its answers.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool_postgres::Connect;
use futures_util::future::select_ok;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where the server warns from when it stops waiting for a standby, and says that it has committed
/// all the same. The text of the warning is translated and its code is that of any other; the name
/// of the function is sent along in every version since 9.1.
const NOT_REPLICATED: &str = "SyncRepWaitForLSN";

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

/// Makes connections, with TLS or without.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Option<MakeRustlsConnect>,
    unconfirmed: Arc<AtomicU64>,
}

impl Connector {
    pub(super) fn new(tls: Option<MakeRustlsConnect>) -> Self {
        Self {
            tls,
            unconfirmed: Arc::default(),
        }
    }

    /// How many commits were answered without the standbys that they should have waited for, over
    /// all connections. Counted before the answer is passed on.
    pub(super) fn unconfirmed(&self) -> u64 {
        self.unconfirmed.load(Ordering::SeqCst)
    }

    /// Makes the server give up what it does on this connection. That may fail, and nobody has to
    /// know.
    pub(super) async fn cancel(self, token: CancelToken) {
        let _ = match self.tls {
            Some(tls) => token.cancel_query(tls).await,
            None => token.cancel_query(NoTls).await,
        };
    }

    async fn connect_to(&self, host: Config) -> Result<(Client, JoinHandle<()>), Error> {
        match self.tls.clone() {
            Some(tls) => host
                .connect(tls)
                .await
                .map(|(client, connection)| (client, self.drive(connection))),
            None => host
                .connect(NoTls)
                .await
                .map(|(client, connection)| (client, self.drive(connection))),
        }
    }

    fn drive<S, T>(&self, mut connection: Connection<S, T>) -> JoinHandle<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let unconfirmed = self.unconfirmed.clone();
        tokio::spawn(async move {
            // Who has sent a statement hears of a broken connection too.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if matches!(message, AsyncMessage::Notice(notice) if notice.routine() == Some(NOT_REPLICATED))
                {
                    unconfirmed.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    }
}

impl Connect for Connector {
    /// All at once: one that is gone without a trace must not use up the time of the others.
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let hosts: Vec<Connecting<'_>> = each_host(config)
            .into_iter()
            .map(|host| Box::pin(self.connect_to(host)) as _)
            .collect();
        Box::pin(async move { select_ok(hosts).await.map(|(connected, _)| connected) })
    }
}

/// One for each server, of which the one that takes writes is wanted; of a single server that is
/// not asked.
fn each_host(config: &Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let count = hosts.max(addresses);
    let is_odd = (hosts > 0 && addresses > 0 && hosts != addresses)
        || (config.get_ports().len() > 1 && config.get_ports().len() != count);
    // What does not fit together is for the driver to refuse.
    if count < 2 || is_odd {
        vec![config.clone()]
    } else {
        (0..count).map(|index| host(config, index)).collect()
    }
}

/// The same settings, for one of the servers.
fn host(all: &Config, index: usize) -> Config {
    let mut one = Config::new();
    one.target_session_attrs(TargetSessionAttrs::ReadWrite);
    match all.get_hosts().get(index) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        #[cfg(unix)]
        Some(Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    all.get_hostaddrs()
        .get(index)
        .map(|address| one.hostaddr(*address));
    all.get_ports()
        .get(index)
        .or(all.get_ports().first())
        .map(|port| one.port(*port));
    all.get_user().map(|user| one.user(user));
    all.get_password().map(|password| one.password(password));
    all.get_dbname().map(|name| one.dbname(name));
    all.get_options().map(|options| one.options(options));
    all.get_application_name()
        .map(|name| one.application_name(name));
    one.ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding());
    all.get_connect_timeout()
        .map(|limit| one.connect_timeout(*limit));
    all.get_tcp_user_timeout()
        .map(|limit| one.tcp_user_timeout(*limit));
    one.keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle());
    all.get_keepalives_interval()
        .map(|interval| one.keepalives_interval(interval));
    all.get_keepalives_retries()
        .map(|retries| one.keepalives_retries(retries));
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<Config> {
        each_host(&url.parse().unwrap())
    }

    #[test]
    fn each_of_several_servers_is_asked_whether_it_takes_writes_with_all_that_the_url_says() {
        let settings = "u:p@%h/db?application_name=a&options=-c%20jit%3Doff&sslmode=require&channel_binding=require&connect_timeout=3\
            &tcp_user_timeout=4&keepalives=0&keepalives_idle=5&keepalives_interval=6&keepalives_retries=7&target_session_attrs=read-write";
        let of = |host: &str| format!("postgres://{}", settings.replace("%h", host));
        let expected: [Config; 2] = [of("one:1").parse().unwrap(), of("two:2").parse().unwrap()];
        assert_eq!(hosts(&of("one:1,two:2")), expected);
        assert_eq!(
            hosts(&of("one:1,two:2").replace("&target_session_attrs=read-write", "")),
            expected
        );
    }

    #[test]
    fn one_port_is_that_of_all_and_an_address_stands_for_a_name() {
        let found = hosts("host=one,two hostaddr=127.0.0.1,127.0.0.2 port=7 user=u");
        assert!(found.iter().all(|host| host.get_ports() == [7]
            && host.get_hosts().len() == 1
            && host.get_hostaddrs().len() == 1));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_single_server_and_what_does_not_fit_together_are_left_as_they_are() {
        for url in [
            "postgres://u@one/db",
            "host=one,two hostaddr=127.0.0.1",
            "host=one,two,three port=1,2",
        ] {
            assert_eq!(hosts(url), [url.parse::<Config>().unwrap()], "{url}");
        }
    }
}
