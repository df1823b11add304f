//! Glue: read, sign out, answer. Decisions live in the other modules.

use async_trait::async_trait;
use logout_core::Reply;
use logout_core::SessionAuthority;
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::cors::Preflight;
use logout_core::message::{Method, Request, Response};
use logout_core::platform::{Platform, SetUpError};
use logout_core::provider::{
    ClientCredentials, Endpoint, LoginProvider, LogoutProvider, TokenIssuer,
};
use logout_core::session::ClientId;
use logout_core::sign_out::{PresentedCredential, Refusal};
use logout_core::upstream::UpstreamSession;

use crate::config::{Dialect, WixConfig};
use crate::{credentials, paths, reading, reply, request, stand_in, upstream};

/// Where the Logout method is called: what the vendor's SDK makes of its service path, host by host
/// (observed), and the two paths that the documentation prints.
const LOGOUT_PATHS: [&str; 5] = [
    paths::LOGOUT,
    "/iam/authentication/v1/logout",
    "/authentication/v1/logout",
    "/_api/authentication/v1/logout",
    "/v1/logout",
];

/// Where Wix's addresses begin, as its documentation and its SDK spell them.
const NAMESPACES: [&str; 9] = [
    "/_api",
    "/_iam",
    "/authentication",
    "/headless/v1",
    "/iam",
    "/members/v1",
    "/oauth2",
    "/redirect-session/v1",
    "/v1",
];

/// Speaks Wix's sign-out for one site.
#[derive(Debug)]
pub struct WixProvider {
    pub(crate) dialect: Dialect,
    endpoints: Vec<Endpoint>,
    login_endpoints: Vec<Endpoint>,
    pub(crate) relayed_endpoints: Vec<Endpoint>,
    namespaces: Vec<String>,
}

impl WixProvider {
    /// The provider of `platform`.
    ///
    /// # Errors
    /// Names the configuration key that cannot be used.
    pub fn new(config: WixConfig, platform: &Platform) -> Result<Self, SetUpError> {
        let dialect = Dialect::new(config, platform)?;
        Ok(Self {
            endpoints: LOGOUT_PATHS
                .iter()
                .map(|path| Endpoint::new("logout", &[Method::Get, Method::Post], *path, &[]))
                .collect(),
            login_endpoints: stand_in::endpoints(&dialect),
            relayed_endpoints: upstream::relayed_endpoints(&dialect),
            namespaces: NAMESPACES.map(str::to_owned).to_vec(),
            dialect,
        })
    }
}

impl CredentialReader for WixProvider {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        reading::forms(presented)
    }

    fn presented(&self, request: &Request<'_>) -> UpstreamSession {
        upstream::presented(request, &self.dialect)
    }
}

#[async_trait]
impl LogoutProvider for WixProvider {
    fn vendor(&self) -> &'static str {
        "wix"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply {
        let asked = match request::read(request, &self.dialect, |token| {
            credentials::verified(token, sessions)
        }) {
            Ok(asked) => asked,
            Err(refusal) => return reply::refused(&refusal),
        };
        match sessions.sign_out(request, asked.sign_out).await {
            Ok(done) => reply::signed_out(
                &done,
                asked.by_ticket,
                asked.wants_redirect,
                request,
                &self.dialect,
            ),
            Err(refusal) => reply::refused(&refusal),
        }
    }

    fn refused(&self, _request: &Request<'_>, refusal: &Refusal) -> Reply {
        reply::refused(refusal)
    }

    /// Observed: these are the headers that the vendor's SDK sends.
    fn preflight(&self) -> Preflight {
        Preflight {
            headers: "authorization, content-type, x-wix-bi-gateway, wix-site-id, wix-account-id, x-wix-consistent",
            ..Preflight::default()
        }
    }

    fn token_issuer(&self) -> Option<&dyn TokenIssuer> {
        Some(self)
    }
}

#[async_trait]
impl LoginProvider for WixProvider {
    fn login_endpoints(&self) -> &[Endpoint] {
        &self.login_endpoints
    }

    async fn serve(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Response {
        stand_in::serve(request, sessions, &self.dialect)
            .await
            .unwrap_or_else(|reply::ErrorResponse(words)| words)
    }
}

impl TokenIssuer for WixProvider {
    fn token(&self, token: &str, sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        let purpose = if credentials::verified(token, sessions).is_some() {
            credentials::ACCESS
        } else {
            credentials::REFRESH
        };
        vec![PresentedCredential::in_header(purpose, token)]
    }

    /// One of the apps, which have no secrets.
    fn client(&self, credentials: Option<&ClientCredentials>) -> Option<ClientId> {
        let named = credentials.filter(|client| client.secret.is_none())?;
        self.dialect.client(&named.id).ok()
    }
}
