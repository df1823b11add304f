//! The sections that stand in a configuration once.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use logout_relay::RelaySettings;
use serde::{Deserialize, Serialize};
use url::Url;

use super::values;

/// `[server]`: where the platforms are served.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address and port of the platforms; port 0 picks a free one. Default: `127.0.0.1:8080`.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// The base of every URL that the hub builds, never taken from a request. Default: the address
    /// it listens on.
    #[serde(
        deserialize_with = "values::public_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub public_url: Option<Url>,
    /// Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are
    /// believed. Default: none.
    #[serde(deserialize_with = "values::proxies")]
    pub trusted_proxies: Vec<String>,
    /// Certificate and key for https. Default: absent, plain http.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Whether answers tell browsers to come by https only, where they do so already: where `tls`
    /// is given, or `public_url` is https. Default: true.
    pub hsts: bool,
    /// How the log is written: `text` or `json`, one object per line. Default: `text`.
    pub log_format: LogFormat,
    /// How many threads answer requests. Default: one for each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroUsize>,
    /// The most bytes of a request's body that are read. Default: 16384.
    pub max_body: NonZeroUsize,
    /// Where the keys lie that credentials of upstreams are sealed with, one of 32 bytes as base64
    /// a line, the first for sealing; generated with mode 0600 where missing and needed. Relative
    /// to the configuration's folder. Default: `seal.key`.
    pub seal_key_file: PathBuf,
    /// How long requests that have begun may take to end after the hub was told to stop. Default:
    /// `8s`.
    #[serde(with = "values::duration")]
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            public_url: None,
            trusted_proxies: Vec::new(),
            tls: None,
            hsts: true,
            log_format: LogFormat::Text,
            workers: None,
            max_body: const { NonZeroUsize::new(16 * 1024).unwrap() },
            seal_key_file: "seal.key".into(),
            shutdown_timeout: Duration::from_secs(8),
        }
    }
}

/// Where certificate and key lie, as PEM. Relative paths are relative to the configuration's
/// folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, and the intermediate ones behind it.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// `[admin]`: the listener for health, metrics, admin API and console.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// The address and port; port 0 picks a free one. Default: `127.0.0.1:8081`.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// Where the API's bearer token lies; generated with mode 0600 where missing. Relative to the
    /// configuration's folder. Default: `admin.token`.
    pub token_file: PathBuf,
    /// Where the token lies that reverse proxies present at `/check`; generated like the other.
    /// Default: `check.token`.
    pub check_token_file: PathBuf,
    /// Further values of `Host` that the listener answers to, besides its own address. Default:
    /// none.
    pub hosts: Vec<String>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8081).into(),
            token_file: "admin.token".into(),
            check_token_file: "check.token".into(),
            hosts: Vec::new(),
        }
    }
}

/// `[sessions]`: how long the sessions of stand-in platforms last.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// How long a session may lie unused. Default: `30m`.
    #[serde(with = "values::positive_duration")]
    pub idle_timeout: Duration,
    /// How long a session lasts at most. Default: `12h`.
    #[serde(with = "values::positive_duration")]
    pub absolute_timeout: Duration,
    /// How often expired sessions are looked for and ended. A session that has expired opens
    /// nothing before that either. Default: `30s`.
    #[serde(with = "values::positive_duration")]
    pub sweep_interval: Duration,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_timeout: Duration::from_secs(12 * 60 * 60),
            sweep_interval: Duration::from_secs(30),
        }
    }
}

/// `[receipts]`: the records of sign-outs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptsConfig {
    /// How long a receipt is kept. Default: `90d`.
    #[serde(with = "values::positive_duration")]
    pub retention: Duration,
}

impl Default for ReceiptsConfig {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// `[single_logout]`: how sign-outs reach the real instances behind platforms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SingleLogoutConfig {
    /// How long the answer to a sign-out waits for its upstreams; `0ms` does not wait. Default:
    /// `3s`.
    #[serde(with = "values::duration")]
    pub wait: Duration,
    /// Whether the old credential is presented to the upstream once more after a confirmation.
    /// Default: true.
    pub verify: bool,
    /// When an upstream is given up that cannot be told. Default: `24h`.
    #[serde(with = "values::positive_duration")]
    pub give_up_after: Duration,
    /// How many sign-outs are on their way to one upstream at once, at most. Default: 16.
    pub max_in_flight: NonZeroUsize,
    /// Threads that carry sign-outs to the upstreams; none where no platform has one. Default: one
    /// for each core, at least two.
    pub threads: Option<NonZeroUsize>,
    /// How long an upstream may take to answer. Default: `10s`.
    #[serde(with = "values::positive_duration")]
    pub attempt_timeout: Duration,
    /// How long until the second attempt; it doubles with each. Default: `1s`.
    #[serde(with = "values::positive_duration")]
    pub first_retry: Duration,
    /// The longest time between two attempts. Default: `5m`.
    #[serde(with = "values::positive_duration")]
    pub last_retry: Duration,
    /// How many sessions that the hub never saw are carried to one upstream in a second, at most.
    /// Default: 10.
    pub first_sight_rate: NonZeroU32,
    /// How many of them wait for one upstream that cannot be reached, at most. Default: 1000.
    pub first_sight_kept: usize,
    /// When those are given up. Default: `10m`.
    #[serde(with = "values::positive_duration")]
    pub first_sight_give_up_after: Duration,
    /// Whether a sign-out that asks for no return address ends on the page of its receipt. Default:
    /// false.
    pub show_receipt: bool,
}

/// The relay's own defaults, so that whoever embeds it gets the same product.
impl Default for SingleLogoutConfig {
    fn default() -> Self {
        let relay = RelaySettings::default();
        Self {
            wait: relay.wait,
            verify: relay.verify,
            give_up_after: relay.give_up_after,
            max_in_flight: NonZeroUsize::new(relay.max_in_flight).unwrap_or(NonZeroUsize::MIN),
            threads: None,
            attempt_timeout: relay.call_timeout,
            first_retry: relay.retry.first,
            last_retry: relay.retry.cap,
            first_sight_rate: NonZeroU32::new(relay.first_sight_rate).unwrap_or(NonZeroU32::MIN),
            first_sight_kept: relay.first_sight_kept,
            first_sight_give_up_after: relay.first_sight_give_up_after,
            show_receipt: false,
        }
    }
}

/// `[redirects]`: where sign-outs may lead, at every platform.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedirectsConfig {
    /// Allowed return addresses besides each platform's own origin: origins, subdomains
    /// (`https://*.example.org`), or either below a path. Default: none.
    #[serde(deserialize_with = "values::redirects")]
    pub allow: Vec<String>,
}

/// `[logout_tokens]`: what the hub signs for relying parties.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogoutTokensConfig {
    /// PEM files with RSA keys of 2048 bits or more: the first signs, all are published. Default: a
    /// key that is made once, and kept in the store.
    pub signing_key_files: Vec<PathBuf>,
}
