//! The configured platforms, each with its adapter and, where it has one, the way to its upstream.

use std::fmt::Display;
use std::sync::Arc;

use logout_actix::{Limits, Mount, MountError, MountedPlatform, TrustedProxies};
use logout_core::SessionAuthority;
use logout_core::authority::Services;
use logout_core::cors::OriginList;
use logout_core::idp::IdpEndSession;
use logout_core::login_relay::LoginRelay;
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{PersonBySubject, Persons};
use logout_core::provider::{Recipient, Upstream, UpstreamLogout};
use logout_core::redirect::ApprovedUrl;
use logout_identity::{ClaimAlgorithm, PersonByClaim, read_secret_file};
use url::Url;

use crate::config::{
    Config, ConfigError, ConfigErrorKind, ConfigErrors, PersonConfig, PersonSource, PlatformConfig,
    not_one_of,
};
use crate::idp;
use crate::outgoing;
use crate::start_error::StartError;
use crate::vendors::{self, Adapter};

/// Paths that the hub keeps for itself on every host.
fn reserved() -> Vec<&'static str> {
    [&["/", "/receipts/"], idp::PATHS].concat()
}

/// A configured platform, ready to be mounted.
#[derive(Clone, Debug)]
struct SetUp<'c> {
    config: &'c PlatformConfig,
    common: Arc<Platform>,
    adapter: Adapter,
    upstream: Option<(Url, Upstream)>,
    persons: Option<Arc<dyn Persons>>,
}

/// All configured platforms, ready to be mounted. Nothing is opened, written or asked for.
#[derive(Debug)]
pub(crate) struct Platforms<'c>(Vec<SetUp<'c>>);

/// A platform as the admin listener knows it.
#[derive(Clone, Debug)]
pub(crate) struct KnownPlatform {
    /// Speaks its language.
    pub(crate) adapter: Arc<dyn UpstreamLogout>,
    /// Its sessions.
    pub(crate) sessions: SessionAuthority,
}

impl<'c> Platforms<'c> {
    /// Sets up every platform of `config`, whose URLs build on `public_url`.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at its place in the configuration.
    pub(crate) fn set_up(config: &'c Config, public_url: &Url) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let set_up = config
            .platforms
            .iter()
            .filter_map(|platform| SetUp::new(config, platform, public_url, &mut errors))
            .collect();
        ConfigErrors::check(errors).map(|()| Self(set_up))
    }

    /// Everything that keeps platforms of `config` from being served together. What follows from a
    /// common key that is wrong is left out.
    pub(crate) fn problems(
        config: &'c Config,
        public_url: &Url,
        services: &Services,
    ) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let set_up = config
            .platforms
            .iter()
            .filter_map(|platform| SetUp::new(config, platform, public_url, &mut errors));
        let mut left: Vec<SetUp<'_>> = set_up
            .filter(|platform| platform.config.is_whole())
            .collect();
        // A mount stops at the first two that overlap. So it is tried without the later one, until
        // the others fit.
        while let Err(StartError::Mount(fault)) = Self(left.clone()).mount(config, services) {
            let place = |name: &str| {
                left.iter()
                    .position(|platform| platform.config.name == name)
            };
            let (at, reason) = match &fault {
                MountError::Overlap { one, other, path } => {
                    let (Some(one), Some(other)) = (place(one), place(other)) else {
                        break;
                    };
                    let (first, second) = (one.min(other), one.max(other));
                    let first = left[first].config;
                    let at = first.place();
                    (
                        second,
                        format!(
                            "claims {path}, and so does `platform.{}` at {at}; give one of them another `host` or `prefix`",
                            first.name
                        ),
                    )
                }
                MountError::Reserved { platform, path } => {
                    let Some(at) = place(platform) else { break };
                    (
                        at,
                        format!(
                            "claims {path}, which the hub keeps for itself; give it a `host` or a `prefix`"
                        ),
                    )
                }
                _ => break,
            };
            let platform = left.remove(at).config;
            let fault = ConfigErrorKind::Invalid {
                key: format!("platform.{}", platform.name),
                reason,
            };
            errors.push(ConfigError {
                place: platform.place(),
                fault,
            });
        }
        errors
    }

    /// The upstreams, by the names of their platforms.
    pub(crate) fn upstreams(&self) -> Vec<(PlatformName, Recipient)> {
        let with_upstream = |platform: &SetUp<'_>| {
            let (_, upstream) = platform.upstream.clone()?;
            Some((platform.common.name.clone(), upstream.into()))
        };
        self.0.iter().filter_map(with_upstream).collect()
    }

    /// Mounts all of them on what they share; also as the admin listener knows them.
    ///
    /// # Errors
    /// Two platforms that claim one address, or a proxy that is none.
    pub(crate) fn mount(
        self,
        config: &Config,
        services: &Services,
    ) -> Result<(Mount, Vec<KnownPlatform>), StartError> {
        let (mut mounted, mut known) = (
            Vec::with_capacity(self.0.len()),
            Vec::with_capacity(self.0.len()),
        );
        for SetUp {
            config,
            common,
            adapter,
            upstream,
            persons,
        } in self.0
        {
            let sessions =
                SessionAuthority::new(common, adapter.provider.clone(), services.clone());
            let sessions = persons.map_or_else(
                || sessions.clone(),
                |persons| sessions.clone().with_persons(persons),
            );
            known.push(KnownPlatform {
                adapter: adapter.upstream,
                sessions: sessions.clone(),
            });
            let mut platform = MountedPlatform::new(adapter.provider, sessions.clone());
            platform.relay =
                upstream.map(|(base, upstream)| LoginRelay::new(upstream, base, sessions));
            platform.host.clone_from(&config.host);
            platform.cors_origins = OriginList::new(&config.cors_origins);
            platform.require_same_site = config.require_same_site;
            mounted.push(platform);
        }
        let proxies =
            TrustedProxies::parse(&config.server.trusted_proxies).map_err(StartError::Proxy)?;
        let mut limits = Limits::default();
        limits.body = config.server.max_body.get();
        Ok((Mount::with(mounted, &reserved(), proxies, limits)?, known))
    }
}

impl<'c> SetUp<'c> {
    fn new(
        config: &'c Config,
        platform: &'c PlatformConfig,
        public_url: &Url,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let mut common = platform.platform(public_url, &config.sessions, &config.redirects);
        common.end_session = end_session(config, platform);
        let persons = platform
            .person
            .as_ref()
            .map(|person| persons(platform, person))
            .transpose();
        let persons = persons.map_err(|error| errors.push(error)).ok();
        let adapter = vendors::adapter(platform, &common)
            .map_err(|faults| errors.extend(faults))
            .ok()?;
        let upstream = platform
            .upstream
            .as_ref()
            .map(|base| Ok((base.clone(), upstream(config, platform, base, &adapter)?)));
        let upstream = upstream
            .transpose()
            .map_err(|error| errors.push(error))
            .ok()?;
        Some(Self {
            config: platform,
            common: Arc::new(common),
            adapter,
            upstream,
            persons: persons?,
        })
    }
}

/// Where a browser goes on after a sign-out. The configuration was checked for the names.
fn end_session(config: &Config, platform: &PlatformConfig) -> Option<IdpEndSession> {
    let name = platform.idp.as_ref()?;
    let idp = config.idps.iter().find(|idp| idp.name == *name)?;
    let endpoint = idp.end_session_endpoint.as_ref()?;
    Some(IdpEndSession {
        endpoint: ApprovedUrl::from_operator(endpoint.as_str()).ok()?,
        client_id: idp.client_id.clone(),
    })
}

fn upstream(
    config: &Config,
    platform: &PlatformConfig,
    base: &Url,
    adapter: &Adapter,
) -> Result<Upstream, ConfigError> {
    let client = outgoing::client_of(
        base,
        config.single_logout.attempt_timeout,
        platform.upstream_ca_file.as_deref(),
    );
    let key = if platform.upstream_ca_file.is_some() {
        "upstream_ca_file"
    } else {
        "upstream"
    };
    let client = client.map_err(|fault| platform.error(Some(key), fault))?;
    Ok(Upstream {
        provider: adapter.upstream.clone(),
        client: Arc::new(client),
    })
}

fn persons(
    platform: &PlatformConfig,
    person: &PersonConfig,
) -> Result<Arc<dyn Persons>, ConfigError> {
    match person.from {
        PersonSource::Subject => Ok(Arc::new(PersonBySubject {
            lowercase: person.lowercase,
            domain: person.domain.clone(),
        })),
        PersonSource::Claim => {
            let fault = |reason: String| platform.error(Some("person"), reason);
            let file = person
                .key_file
                .as_deref()
                .ok_or_else(|| fault("`key_file` must be given".to_owned()))?;
            let name = person.algorithm.as_deref().unwrap_or_default();
            let unknown = || {
                platform.error(
                    Some("algorithm"),
                    not_one_of(name, &ClaimAlgorithm::ALL.map(ClaimAlgorithm::as_str)),
                )
            };
            let algorithm = ClaimAlgorithm::parse(name).ok_or_else(unknown)?;
            let of_file = |problem: &dyn Display| {
                platform.error(Some("key_file"), format!("{}: {problem}", file.display()))
            };
            let key = match algorithm {
                ClaimAlgorithm::Hs256 => {
                    read_secret_file(file).map_err(|problem| of_file(&problem))?
                }
                // A public key is no secret.
                _ => std::fs::read(file)
                    .map_err(|problem| of_file(&format_args!("cannot be read: {problem}")))?
                    .into(),
            };
            let claim = person.claim.as_deref().unwrap_or_default();
            let mut rule =
                PersonByClaim::new(algorithm, &key, claim).map_err(|problem| of_file(&problem))?;
            if let Some(cookie) = &person.cookie {
                rule = rule.in_cookie(cookie);
            }
            if let Some(issuer) = &person.issuer {
                rule = rule.issued_by(issuer);
            }
            if let Some(typ) = &person.typ {
                rule = rule.of_type(typ);
            }
            if let Some(audience) = &person.audience {
                rule = rule.for_audience(audience);
            }
            Ok(Arc::new(if person.lowercase {
                rule.lowercased()
            } else {
                rule
            }))
        }
    }
}
