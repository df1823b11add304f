//! What a sign-out request asks for, in our words, and the ways it can be refused.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::credential::{Secret, SecretDigest};
use crate::message::Method;
use crate::receipt::Reach;
use crate::redirect::{ApprovedUrl, RedirectError, RedirectPolicy};
use crate::session::{ClientId, Subject};
use crate::upstream::UpstreamSession;

/// How many different credentials a request may present. A request with more is refused as a whole:
/// a sign-out that looks at some of them only would be a partial one.
pub const MOST_CREDENTIALS: usize = 16;

/// A credential as it was presented.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PresentedCredential {
    /// What it is for, in the adapter's own word.
    pub purpose: &'static str,
    /// The text that was sent.
    pub secret: Secret,
    /// Whether a browser sent it by itself.
    pub by_cookie: bool,
    /// Whether it cannot be one of ours (not a token, badly signed, expired), so that no store is
    /// asked for it.
    pub foreign: bool,
    /// Whether it proves by itself that it was ours and has not expired, even when its session is
    /// gone.
    pub vouched: bool,
}

impl PresentedCredential {
    /// A credential out of a header.
    pub fn in_header(purpose: &'static str, secret: impl Into<String>) -> Self {
        Self {
            purpose,
            secret: Secret::new(secret),
            by_cookie: false,
            foreign: false,
            vouched: false,
        }
    }

    /// A credential out of a cookie.
    pub fn in_cookie(purpose: &'static str, secret: impl Into<String>) -> Self {
        Self {
            by_cookie: true,
            ..Self::in_header(purpose, secret)
        }
    }

    /// The same, well signed and not expired.
    #[must_use]
    pub fn vouched(mut self) -> Self {
        self.vouched = true;
        self
    }

    /// The same, known to be none of ours.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// Each of `presented` once, in order, by purpose and text.
    pub fn each_once(presented: impl IntoIterator<Item = Self>) -> Vec<Self> {
        each_once(presented, |one| (one.purpose, one.secret.reveal()))
    }
}

/// Each of the credentials that `items` hold once, in order, without empty ones; `key` says purpose
/// and secret. Reading stops at one more than [`MOST_CREDENTIALS`], so that the work does not grow
/// faster than the request.
pub(crate) fn each_once<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> (&str, &str),
) -> Vec<T> {
    let mut each: Vec<T> = Vec::with_capacity(2);
    for item in items {
        if !key(&item).1.is_empty() && !each.iter().any(|known| key(known) == key(&item)) {
            each.push(item);
            if each.len() > MOST_CREDENTIALS {
                break;
            }
        }
    }
    each
}

/// Which of several credentials count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialPolicy {
    /// Every live one.
    All,
    /// The first live one that no cookie carried, and those of the same subject. A live cookie
    /// without such a first one, or of another subject, refuses the request: browsers send cookies
    /// whoever caused the request.
    FirstAndProvenCookies,
    /// The first live one, and those of the same subject.
    FirstAndSameSubject,
    /// The first live one.
    FirstValid,
}

/// Whether the request proves that it was not forged by another site.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CsrfProof {
    /// This kind of request needs none.
    NotNeeded,
    /// The digest of the token it carries, if it carries one; whether one is due is a property of
    /// the credential.
    Presented(Option<SecretDigest>),
}

impl CsrfProof {
    /// Whether it suffices for a session with this CSRF secret, presented by a credential to which
    /// `is_due` applies.
    ///
    /// # Errors
    /// A token is due, and none came, or another one.
    pub fn check(self, secret: Option<&SecretDigest>, is_due: bool) -> Result<(), Refusal> {
        match self {
            Self::Presented(None) if is_due => Err(Refusal::CsrfMissing),
            Self::Presented(Some(token))
                if is_due && !secret.is_some_and(|due| due.matches(&token)) =>
            {
                Err(Refusal::CsrfWrong)
            }
            Self::NotNeeded | Self::Presented(_) => Ok(()),
        }
    }
}

/// What it means that no credential is live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoSessionPolicy {
    /// A success: there is nothing to end.
    Succeed,
    /// A refusal.
    Reject,
    /// A refusal only when a credential came in a header, none came in a cookie, and it is neither
    /// ended nor vouched for.
    RejectUnrecognized,
}

/// Whose sessions are to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// The caller's.
    Caller,
    /// Those of a named subject, which takes an administrator unless it is the caller.
    Subject(Subject),
}

/// Where the caller wants to go afterwards.
#[derive(Clone, Debug)]
pub enum RequestedRedirect {
    /// To an address that is bad whatever the policy says: duplicated, say.
    Bad(RedirectError),
    /// To this address, decoded once.
    Address(String),
    /// Nowhere in particular.
    Nothing,
}

impl RequestedRedirect {
    /// What the values of a return address parameter ask for: none or an empty one asks for
    /// nothing, two are one too many.
    pub fn from_values<'a>(mut values: impl Iterator<Item = &'a str>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(_), Some(_)) => Self::Bad(RedirectError::Duplicated),
            (Some(value), None) if value.trim_matches(' ').is_empty() => Self::Nothing,
            (Some(value), None) => Self::Address(value.to_owned()),
        }
    }
}

/// The policy that decides on the return address.
#[derive(Clone, Debug)]
pub enum PostLogoutRedirectPolicy {
    /// By the client that the request or else the session names; without either, no return address
    /// is allowed. Absolute addresses only.
    ByClient(Arc<BTreeMap<ClientId, RedirectPolicy>>),
    /// The platform's.
    Platform(Arc<RedirectPolicy>),
}

/// Where the browser goes afterwards.
#[derive(Clone, Debug)]
pub struct PostLogoutRedirect {
    /// What the request asks for.
    pub requested: RequestedRedirect,
    /// What decides on it.
    pub policy: PostLogoutRedirectPolicy,
    /// Where to go when nothing, or nothing allowed, is asked for.
    pub default: Option<ApprovedUrl>,
    /// Whether a bad address is refused before anything ends; otherwise the session ends and the
    /// default is taken.
    pub reject_invalid: bool,
}

/// The client that a request names.
#[derive(Clone, Debug)]
pub struct ClientClaim {
    /// Its id.
    pub id: ClientId,
    /// Whether there is such a client.
    pub known: bool,
}

/// What a sign-out request asks for.
#[derive(Clone, Debug)]
pub struct SignOut {
    /// Who asks, in the vendor's order of precedence.
    pub credentials: Vec<PresentedCredential>,
    /// Which of the credentials count.
    pub credential_policy: CredentialPolicy,
    /// Proof against forgery.
    pub csrf: CsrfProof,
    /// The client that the request names.
    pub client: Option<ClientClaim>,
    /// Whose sessions are to end.
    pub target: Target,
    /// How far to go at least; the platform's configuration may widen it.
    pub reach: Reach,
    /// What it means that nobody is signed in.
    pub no_session: NoSessionPolicy,
    /// Where to go afterwards.
    pub redirect: PostLogoutRedirect,
}

/// A sign-out that is asked for, with what its request presents to the upstream.
pub(crate) struct Asked {
    sign_out: SignOut,
    /// An upstream may know what the hub has never seen; absent for stand-ins.
    pub(crate) pass_through: Option<UpstreamSession>,
}

impl Asked {
    pub(crate) fn new(sign_out: SignOut, pass_through: Option<UpstreamSession>) -> Self {
        Self {
            sign_out,
            pass_through,
        }
    }

    /// Whether the request brought a cookie that may name a session.
    pub(crate) fn brings_cookie(&self) -> bool {
        let of_upstream = self
            .pass_through
            .as_ref()
            .is_some_and(|presented| !presented.cookies.is_empty());
        of_upstream || self.credentials.iter().any(|presented| presented.by_cookie)
    }
}

impl Deref for Asked {
    type Target = SignOut;

    fn deref(&self) -> &SignOut {
        &self.sign_out
    }
}

/// Why a request did not become a sign-out. Nothing has ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The body is larger than is read.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The credential belongs to another client.
    #[error("the session belongs to another client")]
    ClientMismatch,
    /// There is no such client.
    #[error("unknown client")]
    ClientUnknown,
    /// The request comes from another site, and the platform forbids that.
    #[error("cross-site request")]
    CrossSite,
    /// A CSRF token is due and none came.
    #[error("the CSRF token is missing")]
    CsrfMissing,
    /// A CSRF token is due and another one came.
    #[error("the CSRF token is wrong")]
    CsrfWrong,
    /// The caller may not sign out that subject.
    #[error("administrator rights are needed")]
    Forbidden,
    /// The return address is not allowed, and the vendor refuses for that.
    #[error("the return address is not allowed: {0}")]
    RedirectRefused(RedirectError),
    /// A parameter or the body cannot be understood.
    #[error("malformed {field}: {rule}")]
    Malformed {
        /// The parameter, in the vendor's spelling.
        field: &'static str,
        /// What is wrong with it, in the vendor's word where there is one.
        rule: &'static str,
    },
    /// The endpoint does not take this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// What it takes.
        allow: Vec<Method>,
    },
    /// The platform has no such address. The mount says so of every path that is the platform's and
    /// no endpoint's.
    #[error("no such address")]
    NotFound,
    /// Nobody is signed in with what was presented.
    #[error("not signed in")]
    NotSignedIn,
    /// A browser fetched the address ahead of a click.
    #[error("a fetch ahead of a click ends nothing")]
    Prefetch,
    /// The request presents more cookies or credentials than are looked at.
    #[error("too many cookies or credentials")]
    TooManyCredentials,
    /// Too many logins were asked for, so that this one was not looked at.
    #[error("too many logins")]
    TooManyLogins {
        /// After which time another one may be looked at.
        retry_after: Duration,
    },
    /// The request did not arrive in time.
    #[error("the request took too long")]
    TooSlow,
    /// The store, or something else that the answer depends on, did not answer.
    #[error("temporarily unavailable")]
    Unavailable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_return_address_asks_for_nothing_and_a_second_one_is_bad() {
        assert!(matches!(
            RequestedRedirect::from_values([].into_iter()),
            RequestedRedirect::Nothing
        ));
        assert!(matches!(
            RequestedRedirect::from_values(["  "].into_iter()),
            RequestedRedirect::Nothing
        ));
        assert!(matches!(
            RequestedRedirect::from_values(["/a"].into_iter()),
            RequestedRedirect::Address(_)
        ));
        assert!(matches!(
            RequestedRedirect::from_values(["/a", "/a"].into_iter()),
            RequestedRedirect::Bad(RedirectError::Duplicated)
        ));
    }
}
