//! Glue: read, sign out, answer. Decisions live in the other rooms.

use async_trait::async_trait;
use logout_core::Reply;
use logout_core::SessionAuthority;
use logout_core::cors::Preflight;
use logout_core::message::{Method, Request, Response};
use logout_core::platform::{Platform, SetUpFault};
use logout_core::provider::{Endpoint, LoginProvider, LogoutProvider, Vendor};
use logout_core::sign_out::Refusal;

use crate::config::{Dialect, HclDxConfig};
use crate::request::{CORE_API, CORE_LOGOUT, PORTAL_LOGOUT};
use crate::{reply, request, stand_in};

/// Speaks HCL Digital Experience's logout for one platform.
#[derive(Debug)]
pub struct HclDxProvider {
    dialect: Dialect,
    endpoints: Vec<Endpoint>,
    login_endpoints: Vec<Endpoint>,
}

impl HclDxProvider {
    /// The provider of `platform`. Reads the vendor's properties file where the configuration names one.
    ///
    /// # Errors
    /// Names the configuration key or the vendor's property that cannot be used.
    pub fn new(config: HclDxConfig, platform: &Platform) -> Result<Self, SetUpFault> {
        let dialect = Dialect::new(config, platform)?;
        let mut endpoints = vec![
            // Documented: POST only.
            Endpoint::new(CORE_LOGOUT, &[Method::Post], format!("{CORE_API}/auth/logout"), &[]),
            Endpoint::new(PORTAL_LOGOUT, &[Method::Get], dialect.portal.logout_path.clone(), &[]).with_optional_slash(),
        ];
        if dialect.portal.logs_out_on_public {
            endpoints.push(stand_in::public_home(&dialect));
        }
        Ok(Self { endpoints, login_endpoints: stand_in::endpoints(&dialect), dialect })
    }
}

#[async_trait]
impl LogoutProvider for HclDxProvider {
    fn vendor(&self) -> Vendor {
        Vendor::HclDx
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    async fn logout(&self, request: &Request, sessions: &SessionAuthority) -> Reply {
        let asked = request::read(request, &self.dialect);
        match sessions.sign_out(asked.sign_out).await {
            Ok(done) => reply::signed_out(&done, asked.answer, request, &self.dialect),
            Err(refusal) => reply::refused(&refusal, request, &self.dialect),
        }
    }

    fn refused(&self, request: &Request, refusal: &Refusal) -> Reply {
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
}

#[async_trait]
impl LoginProvider for HclDxProvider {
    fn login_endpoints(&self) -> &[Endpoint] {
        &self.login_endpoints
    }

    async fn serve(&self, request: &Request, sessions: &SessionAuthority) -> Response {
        stand_in::serve(request, sessions, &self.dialect)
            .await
            .unwrap_or_else(|refusal| reply::refused(&refusal, request, &self.dialect).into())
    }
}
