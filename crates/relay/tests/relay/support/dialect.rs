//! A product of the tests' own. `POST /logout` answers `{"signedOut":true}`, with a return address
//! behind a comma where it names one; 401 says that nobody is signed in. `GET /session` is its
//! probe: 200 or 401.

use async_trait::async_trait;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use logout_core::{
    CanonicalForm, CredentialReader, Endpoint, LogoutProvider, Method, Refusal, Reply, Request,
    Response, SessionAuthority, SignOutDialect, UpstreamLogout,
};
use logout_suite::testing::AsText;

/// What a sign-out is confirmed by.
pub(crate) const SIGNED_OUT: &str = r#"{"signedOut":true}"#;

#[derive(Debug, Default)]
pub(crate) struct Dialect {
    /// Whether the operator's own credential ends sessions.
    pub(crate) by_name: bool,
}

impl CredentialReader for Dialect {
    fn canonical_forms(&self, purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        AsText.canonical_forms(purpose, presented)
    }

    fn presented(&self, _request: &Request<'_>) -> UpstreamSession {
        UpstreamSession::default()
    }
}

#[async_trait]
impl LogoutProvider for Dialect {
    fn vendor(&self) -> &'static str {
        "simple"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn namespaces(&self) -> &[String] {
        &[]
    }

    async fn logout(&self, request: &Request<'_>, _sessions: &SessionAuthority) -> Reply {
        self.refused(request, &Refusal::Unavailable)
    }

    fn refused(&self, _request: &Request<'_>, refusal: &Refusal) -> Reply {
        Reply::refused(refusal, Response::new(503))
    }
}

impl UpstreamLogout for Dialect {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn credentials(&self, _session: &UpstreamSession) -> Vec<UpstreamCredential> {
        Vec::new()
    }

    fn parse_login(
        &self,
        _request: &Request<'_>,
        _answer: &UpstreamAnswer,
        _now: Timestamp,
    ) -> Option<UpstreamLogin> {
        None
    }
}

impl SignOutDialect for Dialect {
    fn signs_out_by_name(&self) -> bool {
        self.by_name
    }

    fn owns_cookie(&self, name: &str) -> bool {
        name == "sid"
    }

    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let request = UpstreamRequest::new(Method::Post, "/logout").with_cookies(&to.session);
        match (&to.subject, self.by_name) {
            (Some(subject), true) => request.with_header("x-user", &subject.name),
            _ => request,
        }
    }

    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        let body = std::str::from_utf8(&answer.body).unwrap_or_default();
        let redirect = |rest: &str| rest.strip_prefix(',').map(str::to_owned);
        match (answer.status, body.strip_prefix(SIGNED_OUT)) {
            (200, Some(rest)) => Confirmation::Confirmed {
                redirect: redirect(rest),
            },
            (401, _) => Confirmation::NotSignedIn,
            _ => Confirmation::Refused,
        }
    }

    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        (!to.session.is_empty())
            .then(|| UpstreamRequest::new(Method::Get, "/session").with_cookies(&to.session))
    }

    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        match answer.status {
            200 => Some(true),
            401 => Some(false),
            _ => None,
        }
    }
}
