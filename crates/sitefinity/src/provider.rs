//! Glue: read, sign out, answer. Decisions live in the other modules.

use async_trait::async_trait;
use logout_core::Reply;
use logout_core::SessionAuthority;
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::message::{Method, Request, Response};
use logout_core::path::loose_segments;
use logout_core::platform::{Platform, SetUpError};
use logout_core::provider::{Endpoint, LoginProvider, LogoutProvider, TokenIssuer};
use logout_core::sign_out::{PresentedCredential, Refusal};
use logout_core::upstream::UpstreamSession;

use crate::config::{Dialect, SitefinityConfig};
use crate::request::{ACCESS, SIGN_OUT, WIDGET_SIGN_OUT};
use crate::{reading, reply, request, stand_in, upstream};

/// Speaks Sitefinity's sign-out for one platform.
#[derive(Debug)]
pub struct SitefinityProvider {
    pub(crate) dialect: Dialect,
    endpoints: Vec<Endpoint>,
    login_endpoints: Vec<Endpoint>,
    pub(crate) relayed_endpoints: Vec<Endpoint>,
    namespaces: [String; 3],
}

impl SitefinityProvider {
    /// The provider of `platform`.
    ///
    /// # Errors
    /// Names the configuration key that cannot be used.
    pub fn new(config: SitefinityConfig, platform: &Platform) -> Result<Self, SetUpError> {
        let dialect = Dialect::new(config, platform)?;
        let both = [Method::Get, Method::Post];
        // Observed: clients write the path in any case, and with a slash at its end.
        let mut endpoints = vec![
            Endpoint::new(SIGN_OUT, &both, "/Sitefinity/SignOut", &[])
                .ignoring_case()
                .with_optional_slash(),
        ];
        if dialect.config.widget_sign_out {
            let widget = Endpoint::new(WIDGET_SIGN_OUT, &both, "/{page}/**/SignOut", &["page"]);
            endpoints.push(widget.ignoring_case().with_optional_slash());
        }
        Ok(Self {
            endpoints,
            login_endpoints: stand_in::endpoints(&dialect),
            relayed_endpoints: upstream::relayed_endpoints(),
            namespaces: [
                "/Sitefinity".to_owned(),
                format!("/api/{}", dialect.config.service_path),
                "/sf/system".to_owned(),
            ],
            dialect,
        })
    }
}

impl CredentialReader for SitefinityProvider {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        reading::forms(presented)
    }

    fn presented(&self, request: &Request<'_>) -> UpstreamSession {
        upstream::presented(request, &self.dialect)
    }
}

impl SitefinityProvider {
    /// Whether a path goes through the product's own addresses, so that no page of the site can be
    /// there.
    fn is_no_page(&self, path: &str) -> bool {
        let segments = loose_segments(path);
        let goes_through = |namespace: &Vec<String>| {
            segments
                .windows(namespace.len())
                .any(|part| part == namespace)
        };
        self.namespaces
            .iter()
            .map(|namespace| loose_segments(namespace))
            .any(|namespace| goes_through(&namespace))
    }
}

#[async_trait]
impl LogoutProvider for SitefinityProvider {
    fn vendor(&self) -> &'static str {
        "sitefinity"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply {
        if request.endpoint() == WIDGET_SIGN_OUT && self.is_no_page(request.path()) {
            return self.refused(request, &Refusal::NotFound);
        }
        let asked = request::read(request, &self.dialect);
        match sessions.sign_out(request, asked.sign_out).await {
            Ok(done) => reply::signed_out(&done, asked.stays, request, &self.dialect),
            Err(refusal) => reply::refused(&refusal),
        }
    }

    fn refused(&self, request: &Request<'_>, refusal: &Refusal) -> Reply {
        // Observed: the web services word their errors in JSON, where the rest of the site shows
        // text.
        let is_service = || {
            self.namespaces[1..]
                .iter()
                .any(|own| loose_segments(request.path()).starts_with(&loose_segments(own)))
        };
        if *refusal == Refusal::NotFound && is_service() {
            reply::no_such_service()
        } else {
            reply::refused(refusal)
        }
    }

    fn token_issuer(&self) -> Option<&dyn TokenIssuer> {
        Some(self)
    }
}

#[async_trait]
impl LoginProvider for SitefinityProvider {
    fn login_endpoints(&self) -> &[Endpoint] {
        &self.login_endpoints
    }

    async fn serve(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Response {
        stand_in::serve(request, sessions, &self.dialect)
            .await
            .unwrap_or_else(|refusal| reply::refused(&refusal).into())
    }
}

impl TokenIssuer for SitefinityProvider {
    fn token(&self, token: &str, _sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        vec![PresentedCredential::in_header(ACCESS, token)]
    }
}
