//! Glue: read, sign out, answer. Decisions live in the other modules.

use async_trait::async_trait;
use logout_core::Reply;
use logout_core::SessionAuthority;
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::cors::Preflight;
use logout_core::message::{Request, Response};
use logout_core::platform::{Platform, SetUpError};
use logout_core::provider::{Endpoint, LoginProvider, LogoutProvider, TokenIssuer};
use logout_core::sign_out::{PresentedCredential, Refusal};
use logout_core::store::Lookup;
use logout_core::upstream::UpstreamSession;

use crate::config::{AssetsConfig, Dialect, TOKEN};
use crate::{reading, reply, request, stand_in, upstream};

/// Speaks the sign-out of Assets or Elvis for one platform.
#[derive(Debug)]
pub struct AssetsProvider {
    pub(crate) dialect: Dialect,
    endpoints: Vec<Endpoint>,
    login_endpoints: Vec<Endpoint>,
    pub(crate) relayed_endpoints: Vec<Endpoint>,
    namespaces: [String; 1],
}

impl AssetsProvider {
    /// The provider of `platform`.
    ///
    /// # Errors
    /// Names the configuration key that cannot be used.
    pub fn new(config: AssetsConfig, platform: &Platform) -> Result<Self, SetUpError> {
        let dialect = Dialect::new(config, platform)?;
        let endpoints = request::endpoints(dialect.config.profile);
        let mut login_endpoints = stand_in::endpoints(dialect.config.profile);
        if let Some(path) = &dialect.landing_path {
            if endpoints
                .iter()
                .chain(&login_endpoints)
                .any(|endpoint| endpoint.matches(path).is_some())
            {
                return Err(SetUpError::new(
                    "landing_page",
                    "this address has a meaning of its own",
                ));
            }
            login_endpoints.push(stand_in::landing_page(path));
        }
        Ok(Self {
            endpoints,
            login_endpoints,
            relayed_endpoints: upstream::relayed_endpoints(dialect.config.profile),
            namespaces: ["/services".to_owned()],
            dialect,
        })
    }
}

impl CredentialReader for AssetsProvider {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        reading::forms(presented)
    }

    fn presented(&self, request: &Request<'_>) -> UpstreamSession {
        upstream::presented(request, &self.dialect)
    }

    fn contradicts(&self, request: &Request<'_>) -> bool {
        request::contradicts(request, &self.dialect)
    }
}

#[async_trait]
impl LogoutProvider for AssetsProvider {
    fn vendor(&self) -> &'static str {
        "assets"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply {
        if request::contradicts(request, &self.dialect) {
            return self.refused(
                request,
                &Refusal::Malformed {
                    field: "jsessionid",
                    rule: "must be given once",
                },
            );
        }
        let asked = request::read(request, &self.dialect, sessions.tokens(), sessions.now());
        // A single credential leaves nothing to ask about.
        let presented = if asked.credentials.len() > 1 {
            asked.credentials.clone()
        } else {
            Vec::new()
        };
        match sessions.sign_out(request, asked).await {
            Ok(done) => reply::signed_out(
                &done,
                request,
                cookie_lives(&presented, sessions).await,
                &self.dialect,
            ),
            Err(refusal) => reply::refused(&refusal, request, &self.dialect),
        }
    }

    fn refused(&self, request: &Request<'_>, refusal: &Refusal) -> Reply {
        reply::refused(refusal, request, &self.dialect)
    }

    fn preflight(&self) -> Preflight {
        Preflight {
            headers: "authorization, content-type, x-csrf-token",
            ..Preflight::default()
        }
    }

    /// Elvis 4 and 5 have session ids only.
    fn token_issuer(&self) -> Option<&dyn TokenIssuer> {
        let has_tokens = self.dialect.config.profile.has_tokens();
        has_tokens.then_some(self)
    }
}

#[async_trait]
impl LoginProvider for AssetsProvider {
    fn login_endpoints(&self) -> &[Endpoint] {
        &self.login_endpoints
    }

    async fn serve(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Response {
        stand_in::serve(request, sessions, &self.dialect)
            .await
            .unwrap_or_else(|refusal| reply::refused(&refusal, request, &self.dialect).into())
    }
}

impl TokenIssuer for AssetsProvider {
    fn token(&self, token: &str, sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        let (tokens, now) = (sessions.tokens(), sessions.now());
        let presented = PresentedCredential::in_header(TOKEN, token);
        vec![request::verified(presented, &self.dialect, tokens, now)]
    }
}

/// Whether a cookie still opens a session after a sign-out by another credential, since only the
/// first valid one counts. A real instance may know one that the hub does not.
async fn cookie_lives(presented: &[PresentedCredential], sessions: &SessionAuthority) -> bool {
    for one in presented.iter().filter(|one| one.by_cookie && !one.foreign) {
        // A store that does not answer now has answered the sign-out: the cookie stays, since it
        // may open something.
        match sessions.look_up(one.purpose, one.secret.reveal()).await {
            Ok(Lookup::Ended) => {}
            Ok(Lookup::Unknown) if !sessions.platform().has_upstream => {}
            _ => return true,
        }
    }
    false
}
