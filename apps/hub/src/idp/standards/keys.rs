//! Where the keys of a provider come from.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use logout_core::Method;
use logout_core::ports::Clock;
use logout_core::upstream::{UpstreamClient as _, UpstreamRequest};
use logout_relay::HttpClient;
use logout_standards::{
    FetchPermit, KeyCache, KeyLookup, KeyRefresh, KeySet, LARGEST_KEY_SET, SignatureAlgorithm,
    max_age,
};

use super::endpoint;
use crate::config::{ConfigError, IdpConfig};
use crate::outgoing;

/// How long a provider may take to send its keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of one provider.
#[derive(Debug)]
pub(super) enum Keys {
    /// Of a file, read once.
    File(Arc<KeySet>),
    /// Fetched when they are needed.
    Fetched(Arc<Source>),
}

/// Where keys are fetched.
#[derive(Debug)]
pub(super) struct Source {
    idp: String,
    client: HttpClient,
    target: String,
    accepted: Vec<SignatureAlgorithm>,
    cache: KeyCache,
    clock: Arc<dyn Clock>,
}

/// The keys cannot be had just now.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoKeys {
    pub(super) retry_after: Duration,
}

impl Keys {
    /// Reads the file; fetches nothing yet.
    pub(super) fn set_up(
        idp: &IdpConfig,
        accepted: &[SignatureAlgorithm],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        if let Some(file) = &idp.jwks_file {
            let fault = |problem: &dyn Display| {
                idp.error("jwks_file", format!("{}: {problem}", file.display()))
            };
            let document = std::fs::read(file)
                .map_err(|problem| fault(&format_args!("cannot be read: {problem}")))?;
            let keys = KeySet::parse(&document, accepted).map_err(|problem| fault(&problem))?;
            if keys.is_empty() {
                return Err(fault(
                    &"no key in it can verify a signature by one of `algorithms`",
                ));
            }
            return Ok(Self::File(Arc::new(keys)));
        }
        let url = idp.jwks_uri.as_ref();
        let url = url.ok_or_else(|| idp.error("", "`jwks_uri` or `jwks_file` must be given"))?;
        let (base, target) = endpoint::split(url);
        let key = if idp.ca_file.is_some() {
            "ca_file"
        } else {
            "jwks_uri"
        };
        let client = outgoing::client_with(&base, idp.ca_file.as_deref(), |settings| {
            settings.timeout = PATIENCE;
            settings.body_limit = LARGEST_KEY_SET;
        });
        let client = client.map_err(|fault| idp.error(key, fault))?;
        Ok(Self::Fetched(Arc::new(Source {
            idp: idp.name.clone(),
            client,
            target,
            accepted: accepted.to_vec(),
            cache: KeyCache::new(),
            clock,
        })))
    }

    /// The keys to verify with.
    ///
    /// # Errors
    /// The provider has sent none, and does not answer.
    pub(super) async fn get(&self) -> Result<Arc<KeySet>, NoKeys> {
        let source = match self {
            Self::File(keys) => return Ok(keys.clone()),
            Self::Fetched(source) => source,
        };
        loop {
            match source.cache.get(source.clock.now()) {
                KeyLookup::Use(keys) => return Ok(keys),
                KeyLookup::Unavailable { retry_after } => return Err(NoKeys { retry_after }),
                KeyLookup::Wait(fetch) => fetch.await,
                KeyLookup::Fetch(permit) => source.fetch(permit).await,
            }
        }
    }

    /// Newer keys than `used`, in which the key of a token is not; `None` where there are none.
    ///
    /// # Errors
    /// The provider does not answer, so the key may be one of its.
    pub(super) async fn newer(&self, used: &Arc<KeySet>) -> Result<Option<Arc<KeySet>>, NoKeys> {
        let Self::Fetched(source) = self else {
            return Ok(None);
        };
        // The second time, the fetch is over: the cache says whether it brought other keys.
        for _ in 0..2 {
            match source.cache.refresh(used, source.clock.now()) {
                KeyRefresh::Use(keys) => return Ok(Some(keys)),
                KeyRefresh::Refuse => return Ok(None),
                KeyRefresh::Unavailable { retry_after } => return Err(NoKeys { retry_after }),
                KeyRefresh::Wait(fetch) => fetch.await,
                KeyRefresh::Fetch(permit) => source.fetch(permit).await,
            }
        }
        Ok(None)
    }
}

impl Source {
    /// Fetches in a task of its own, because the caller's client may hang up meanwhile.
    async fn fetch(self: &Arc<Self>, permit: FetchPermit) {
        let source = Arc::clone(self);
        let fetch = rt::spawn(async move {
            let idp = source.idp.as_str();
            match source.download().await {
                Ok((keys, life)) => {
                    if keys.is_empty() {
                        log::warn!(
                            idp = idp;
                            "no key of the identity provider can verify a token by one of \
                             `algorithms`"
                        );
                    }
                    permit.succeeded(keys, life, source.clock.now());
                }
                Err(reason) => {
                    log::warn!(
                        idp = idp, reason = reason.as_str();
                        "the keys of an identity provider cannot be fetched"
                    );
                    permit.failed(source.clock.now());
                }
            }
        });
        // A task that was stopped has dropped its permit.
        let _ = fetch.await;
    }

    async fn download(&self) -> Result<(KeySet, Option<Duration>), String> {
        let request = UpstreamRequest::new(Method::Get, self.target.as_str())
            .with_header("accept", "application/json, application/jwk-set+json");
        let sent = self.client.send(request).await;
        let answer = sent.map_err(|fault| fault.to_string())?;
        if answer.status != 200 {
            return Err(format!("status {}", answer.status));
        }
        let keys =
            KeySet::parse(&answer.body, &self.accepted).map_err(|fault| fault.to_string())?;
        Ok((keys, max_age(answer.headers_named("cache-control"))))
    }
}
