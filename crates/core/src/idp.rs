//! Logins at identity providers: what a session has in common with what a logout token names.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::credential::{Secret, SecretDigest};
use crate::redirect::ApprovedUrl;
use crate::session::bounded_name;

/// A login at an identity provider, as OpenID Connect names it: the issuer (`iss`), and there the
/// person (`sub`), the person's session (`sid`), or both.
///
/// Each is a text of at most [`crate::session::LONGEST_NAME`] bytes; of a longer one the digest
/// stands there, as in [`bounded_name`]. The names of one issuer say nothing about another's.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct IdpLogin {
    #[serde(rename = "iss")]
    issuer: Arc<str>,
    #[serde(rename = "sub")]
    subject: Option<Arc<str>>,
    #[serde(rename = "sid")]
    session: Option<Arc<str>>,
}

/// What a store lists sessions of a login by: 16 bytes of a digest. Sessions of another login may
/// have the same, so each that is found is compared as a whole.
pub type IdpKey = [u8; 16];

impl IdpLogin {
    /// The login at `issuer`. `None` where it is not named: the issuer or both others are missing
    /// or empty.
    pub fn new(issuer: &str, subject: Option<&str>, session: Option<&str>) -> Option<Self> {
        let name = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(bounded_name);
        let (subject, session) = (name(subject), name(session));
        let is_named = !issuer.is_empty() && (subject.is_some() || session.is_some());
        is_named.then(|| Self {
            issuer: bounded_name(issuer),
            subject,
            session,
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `sid`.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether a session of `other` is one of this login: the same issuer, and the same of all that
    /// this names.
    pub fn includes(&self, other: &Self) -> bool {
        let agrees =
            |own: &Option<Arc<str>>, other: &Option<Arc<str>>| own.is_none() || own == other;
        self.issuer == other.issuer
            && agrees(&self.subject, &other.subject)
            && agrees(&self.session, &other.session)
    }

    /// All logins of its `sub`; `None` where there is none.
    pub fn of_subject(&self) -> Option<Self> {
        Self::new(&self.issuer, self.subject(), None)
    }

    /// Its `sid`, whoever the subject is; `None` where there is none.
    pub fn of_session(&self) -> Option<Self> {
        Self::new(&self.issuer, None, self.session())
    }

    /// The key of its `sub`.
    pub fn subject_key(&self) -> Option<IdpKey> {
        self.subject().map(|name| key(&self.issuer, "sub", name))
    }

    /// The key of its `sid`.
    pub fn session_key(&self) -> Option<IdpKey> {
        self.session().map(|name| key(&self.issuer, "sid", name))
    }

    /// All keys that a store lists a session of this login by: one or two.
    pub fn keys(&self) -> impl Iterator<Item = IdpKey> + use<> {
        self.session_key().into_iter().chain(self.subject_key())
    }

    /// The key that leads to the fewest sessions.
    pub fn narrowest_key(&self) -> IdpKey {
        self.keys().next().unwrap_or_default()
    }
}

fn key(issuer: &str, claim: &str, name: &str) -> IdpKey {
    let digest = SecretDigest::of(&format!("{}:{issuer}{claim}:{name}", issuer.len()));
    *digest.as_bytes().first_chunk().unwrap_or(&[0; 16])
}

/// Where a browser goes on that has signed out at a platform, so that its session at the identity
/// provider ends too (OpenID Connect RP-Initiated Logout 1.0, section 2).
#[derive(Clone, Debug)]
pub struct IdpEndSession {
    /// The provider's `end_session_endpoint`.
    pub endpoint: ApprovedUrl,
    /// The client that the provider knows the platform by.
    pub client_id: String,
}

impl IdpEndSession {
    /// The address that leads there and afterwards to `back`, which is absolute. `id_token` is an
    /// ID token of the session, by which the provider need not ask the person.
    pub fn address(&self, back: &str, id_token: Option<&Secret>) -> ApprovedUrl {
        let address = self
            .endpoint
            .with_parameter("client_id", &self.client_id)
            .with_parameter("post_logout_redirect_uri", back);
        match id_token {
            Some(token) => address.with_parameter("id_token_hint", token.reveal()),
            None => address,
        }
    }
}

/// The token that ordered a sign-out (RFC 7519): its issuer (`iss`) and its own name (`jti`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct TokenId {
    /// The identity provider.
    #[serde(rename = "iss")]
    pub issuer: Arc<str>,
    /// The token's name, unique for the issuer.
    pub jti: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_includes_those_that_agree_with_all_that_it_names() {
        let of = |issuer: &str, sub: &str, sid: &str| {
            let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
            IdpLogin::new(issuer, given(sub), given(sid)).unwrap()
        };
        let whole = of("https://a", "alice", "1");
        for (login, expected) in [
            (of("https://a", "alice", "1"), true),
            (of("https://a", "alice", ""), true),
            (of("https://a", "", "1"), true),
            (of("https://b", "alice", "1"), false),
            (of("https://a", "bob", "1"), false),
            (of("https://a", "alice", "2"), false),
        ] {
            assert_eq!(login.includes(&whole), expected, "{login:?}");
        }
        assert!(!whole.includes(&of("https://a", "alice", "")));
    }

    #[test]
    fn no_two_logins_have_a_key_in_common() {
        let of = |issuer, sub, sid| IdpLogin::new(issuer, sub, sid).unwrap();
        let keys: std::collections::BTreeSet<_> = [
            of("https://a", Some("x"), None),
            of("https://a", None, Some("x")),
            of("https://b", Some("x"), None),
            of("https://asub:", Some("x"), None),
            of("https://a", Some("sub:x"), None),
        ]
        .iter()
        .flat_map(IdpLogin::keys)
        .collect();
        assert_eq!(keys.len(), 5);
    }

    #[test]
    fn a_login_without_a_name_is_none_and_long_names_are_bounded() {
        assert_eq!(IdpLogin::new("", Some("x"), None), None);
        assert_eq!(IdpLogin::new("https://a", Some(""), None), None);
        let long = "x".repeat(10_000);
        let login = IdpLogin::new(&long, Some(&long), Some(&long)).unwrap();
        assert!(login.issuer().len() < 80 && login.subject().is_some_and(|name| name.len() < 80));
    }
}
