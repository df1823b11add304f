//! Glue: read, sign out, answer. Decisions live in the other modules.

use async_trait::async_trait;
use logout_core::Reply;
use logout_core::SessionAuthority;
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::cors::Preflight;
use logout_core::message::{Method, Request, Response};
use logout_core::platform::{Platform, SetUpError};
use logout_core::provider::{Endpoint, LoginProvider, LogoutProvider, TokenIssuer};
use logout_core::sign_out::{PresentedCredential, Refusal};
use logout_core::upstream::UpstreamSession;

use crate::config::{Dialect, HclDxConfig};
use crate::request::{
    CORE_API, CORE_LOGOUT, CORE_LOGOUT_PATH, PORTAL_LOGOUT, SERVLET_LOGOUT, SERVLET_NAME,
};
use crate::{reading, reply, request, stand_in, token, upstream};

/// Speaks HCL Digital Experience's logout for one platform.
#[derive(Debug)]
pub struct HclDxProvider {
    pub(crate) dialect: Dialect,
    endpoints: Vec<Endpoint>,
    login_endpoints: Vec<Endpoint>,
    pub(crate) relayed_endpoints: Vec<Endpoint>,
    namespaces: Vec<String>,
}

impl HclDxProvider {
    /// The provider of `platform`. Reads the vendor's properties file where the configuration names
    /// one.
    ///
    /// # Errors
    /// Names the configuration key or the vendor's property that cannot be used.
    pub fn new(config: HclDxConfig, platform: &Platform) -> Result<Self, SetUpError> {
        let dialect = Dialect::new(config, platform)?;
        let mut endpoints = vec![
            // Documented: POST only.
            Endpoint::new(
                CORE_LOGOUT,
                &[Method::Post],
                format!("{CORE_API}{CORE_LOGOUT_PATH}"),
                &[],
            ),
            Endpoint::new(
                PORTAL_LOGOUT,
                &[Method::Get],
                dialect.portal.logout_path.clone(),
                &[],
            )
            .with_optional_slash(),
            // Documented as a form's action and as a link; observed: at any depth below the context
            // root, with path parameters.
            Endpoint::new(
                SERVLET_LOGOUT,
                &[Method::Get, Method::Post],
                format!("{}/**/{SERVLET_NAME}", dialect.portal.context),
                &[],
            )
            .with_path_parameters(),
        ];
        // The public home of a real portal is its own page, which the hub cannot answer.
        if dialect.portal.logs_out_on_public && !platform.has_upstream {
            endpoints.push(stand_in::public_home(&dialect));
        }
        let relayed_endpoints = upstream::relayed_endpoints();
        let namespaces = std::iter::once("/dx/api".to_owned())
            .chain(dialect.portal.namespaces())
            .collect();
        Ok(Self {
            endpoints,
            login_endpoints: stand_in::endpoints(&dialect),
            relayed_endpoints,
            namespaces,
            dialect,
        })
    }
}

impl CredentialReader for HclDxProvider {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        reading::forms(presented)
    }

    fn presented(&self, request: &Request<'_>) -> UpstreamSession {
        upstream::presented(request, &self.dialect)
    }
}

#[async_trait]
impl LogoutProvider for HclDxProvider {
    fn vendor(&self) -> &'static str {
        "hcl-dx"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply {
        let asked = request::read(request, &self.dialect);
        match sessions.sign_out(request, asked.sign_out).await {
            Ok(done) => reply::signed_out(&done, asked.answer, request, &self.dialect),
            Err(refusal) => reply::refused(&refusal, request, &self.dialect),
        }
    }

    fn refused(&self, request: &Request<'_>, refusal: &Refusal) -> Reply {
        reply::refused(refusal, request, &self.dialect)
    }

    /// Documented: the product's defaults for status, methods and age; the headers are our choice.
    fn preflight(&self) -> Preflight {
        Preflight {
            status: 200,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE",
            headers: "accept, accept-language, authorization, content-type, x-requested-with",
            max_age: 86_400,
        }
    }

    fn token_issuer(&self) -> Option<&dyn TokenIssuer> {
        let is_tracked = self.dialect.config.track_logged_out_tokens;
        is_tracked.then_some(self)
    }
}

#[async_trait]
impl LoginProvider for HclDxProvider {
    fn login_endpoints(&self) -> &[Endpoint] {
        &self.login_endpoints
    }

    async fn serve(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Response {
        stand_in::serve(request, sessions, &self.dialect)
            .await
            .unwrap_or_else(|refusal| reply::refused(&refusal, request, &self.dialect).into())
    }
}

impl TokenIssuer for HclDxProvider {
    fn token(&self, token: &str, _sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        vec![PresentedCredential::in_header(token::LTPA, token)]
    }
}
