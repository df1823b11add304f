//! The contract of an adapter.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::authority::SessionAuthority;
use crate::canonical::CredentialReader;
use crate::cors::Preflight;
pub use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use crate::reply::Reply;
use crate::session::Subject;
use crate::sign_out::Refusal;
use crate::time::Timestamp;
pub use crate::token_issuer::{ClientCredentials, TokenIssuer};
use crate::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamClient, UpstreamCredential, UpstreamLogin,
    UpstreamRequest, UpstreamSession,
};

/// A vendor's sign-out dialect.
///
/// Implementors are glue: they read a [`crate::SignOut`] out of the request, hand it to
/// [`SessionAuthority::sign_out`], and put the outcome into the vendor's words. They decide nothing
/// about sessions.
#[async_trait]
pub trait LogoutProvider: CredentialReader {
    /// Whose dialect it is, as configurations, pages and logs name it: `sitefinity`.
    fn vendor(&self) -> &'static str;

    /// The sign-out endpoints.
    fn endpoints(&self) -> &[Endpoint];

    /// Where the product's addresses are, below the platform's prefix: the beginnings of paths
    /// (`/services`, `/dx/api`) that no other product and no ordinary site has. A request there
    /// that is no endpoint's is answered in the vendor's words, with [`Refusal::NotFound`], also
    /// where several platforms share one root. Compared as by [`crate::path::loose_segments`].
    /// Endpoints need not be repeated: every spelling of one is the platform's anyway.
    fn namespaces(&self) -> &[String];

    /// Answers a request to one of [`LogoutProvider::endpoints`]. Always answers; a refusal is
    /// spoken in the vendor's words.
    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply;

    /// The vendor's words when a request never became a sign-out: wrong method, too large,
    /// malformed, unavailable.
    fn refused(&self, request: &Request<'_>, refusal: &Refusal) -> Reply;

    /// How a preflight is answered where origins are configured.
    fn preflight(&self) -> Preflight {
        Preflight::default()
    }

    /// What a stand-in says of its tokens, so that clients can sign out by revoking them. `None`
    /// where it issues none, or goes on taking those whose session has ended.
    fn token_issuer(&self) -> Option<&dyn TokenIssuer> {
        None
    }
}

/// The rest of a stand-in: logins, probes and landing pages.
#[async_trait]
pub trait LoginProvider: LogoutProvider {
    /// The endpoints besides sign-out.
    fn login_endpoints(&self) -> &[Endpoint];

    /// Answers a request to one of [`LoginProvider::login_endpoints`].
    async fn serve(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Response;
}

/// How a sign-out is told to somebody outside: a real instance of a product, or a relying party.
/// Pure: nothing in here opens a connection.
pub trait SignOutDialect: Debug + Send + Sync + 'static {
    /// Whether a cookie of this name is one of the product's that a login sets and a sign-out
    /// removes.
    fn owns_cookie(&self, name: &str) -> bool;

    /// Whether sessions can be ended with a credential of the operator's own, so that none of the
    /// session's is needed.
    fn signs_out_by_name(&self) -> bool {
        false
    }

    /// The call that ends one session there.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest;

    /// What the answer to [`SignOutDialect::sign_out`] means, by status *and* body.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation;

    /// A harmless call that tells whether the session still lives; `None` where there is none for
    /// this credential.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest>;

    /// Whether the session lives, by the answer to [`SignOutDialect::probe`]; `None` when the
    /// answer does not say.
    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool>;
}

/// Speaks to real instances of the vendor's product: what a hub in front of one needs.
pub trait UpstreamLogout: LogoutProvider + SignOutDialect {
    /// The login endpoints that the hub stands in front of, and whatever a login needs first.
    fn relayed_endpoints(&self) -> &[Endpoint];

    /// The credentials in `session`, in the words that the sign-out reads them by.
    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential>;

    /// The session that an answer to one of [`UpstreamLogout::relayed_endpoints`] opens or renews;
    /// `None` for any other answer: a failed login, a form, an anti-forgery token.
    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: Timestamp,
    ) -> Option<UpstreamLogin>;

    /// The subject that a person means by this name, in the spelling that
    /// [`UpstreamLogout::parse_login`] tells the same one in.
    fn subject(&self, realm: Option<&str>, name: &str) -> Subject {
        Subject::new(realm.unwrap_or_default(), name)
    }

    /// Whether the product means nobody in particular by this subject: a browser that has a session
    /// before its login. No rule makes a person of such a subject.
    fn is_anonymous(&self, _subject: &Subject) -> bool {
        false
    }
}

/// A real instance of a product, as one platform of ours knows it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Speaks its language.
    pub provider: Arc<dyn UpstreamLogout>,
    /// Goes there.
    pub client: Arc<dyn UpstreamClient>,
}

/// Somebody who is told of sign-outs.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Speaks its language.
    pub dialect: Arc<dyn SignOutDialect>,
    /// Goes there.
    pub client: Arc<dyn UpstreamClient>,
}

impl From<Upstream> for Recipient {
    fn from(upstream: Upstream) -> Self {
        Self {
            dialect: upstream.provider,
            client: upstream.client,
        }
    }
}
