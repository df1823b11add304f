//! The secrets by which an upstream knows a session.

use crate::credential::Secret;
use crate::message::Parameters;
use crate::relayed_cookie;
use crate::session::ClientId;
use crate::sign_out::each_once;

/// What an upstream must be given back so that it knows a session: cookies, a bearer token, a CSRF
/// token, each as it was issued. Never prints a value.
#[derive(Clone, Debug, Default)]
pub struct UpstreamSession {
    /// Cookies by name, in the order they are to be sent.
    pub cookies: Vec<(String, Secret)>,
    /// What follows `Bearer` in `Authorization`, or stands there alone where the vendor wants it
    /// so.
    pub bearer: Option<Secret>,
    /// The token that proves that a request was not forged.
    pub csrf: Option<Secret>,
    /// The application that the session was opened for.
    pub client: Option<ClientId>,
    /// Further secrets of the session, by the adapter's word for them: a refresh token, say. Never
    /// sent as cookies.
    pub others: Vec<(String, Secret)>,
    /// `Set-Cookie` values that take from the browser what its login put there, under the paths,
    /// domains and partitions that were seen. No value of a cookie stands in them.
    pub removals: Vec<String>,
}

impl UpstreamSession {
    /// Whether there is nothing in it by which an upstream could know a session.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty() && self.bearer.is_none() && self.others.is_empty()
    }

    /// The value of the first of the further secrets that is called so.
    pub fn other(&self, name: &str) -> Option<&Secret> {
        self.others
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// What a session is known by once `before` has been renewed by this: what is not renewed
    /// stays.
    #[must_use]
    pub fn renewing(mut self, before: Self) -> Self {
        let kept =
            |new: &[(String, Secret)], old: Vec<(String, Secret)>| -> Vec<(String, Secret)> {
                old.into_iter()
                    .filter(|(name, _)| new.iter().all(|(renewed, _)| renewed != name))
                    .collect()
            };
        let (cookies, others) = (
            kept(&self.cookies, before.cookies),
            kept(&self.others, before.others),
        );
        self.cookies.extend(cookies);
        self.others.extend(others);
        self.bearer = self.bearer.or(before.bearer);
        self.csrf = self.csrf.or(before.csrf);
        self.client = self.client.or(before.client);
        self.removals = relayed_cookie::each_once(self.removals.into_iter().chain(before.removals));
        self
    }

    /// The value of the first cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<&Secret> {
        self.cookies
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// The value of a `Cookie` header that presents all of them; `None` where there are none.
    pub fn cookie_header(&self) -> Option<Secret> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={}", value.reveal()))
            .collect();
        (!pairs.is_empty()).then(|| Secret::new(pairs.join("; ")))
    }

    /// Its bytes, to be sealed at once.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (kind, pairs) in [("cookie", &self.cookies), ("other", &self.others)] {
            for (name, value) in pairs {
                form.append_pair(kind, &format!("{name}={}", value.reveal()));
            }
        }
        let rest = [
            ("bearer", self.bearer.as_ref().map(Secret::reveal)),
            ("csrf", self.csrf.as_ref().map(Secret::reveal)),
        ];
        let rest = rest
            .into_iter()
            .chain([("client", self.client.as_ref().map(ClientId::as_str))]);
        for (name, value) in rest.filter_map(|(name, value)| Some((name, value?))) {
            form.append_pair(name, value);
        }
        for removal in &self.removals {
            form.append_pair("removal", removal);
        }
        form.finish().into_bytes()
    }

    /// Reads [`UpstreamSession::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let parameters = Parameters::read(bytes);
        let secret = |name: &str| parameters.first(name).map(Secret::new);
        let pairs = |kind: &str| {
            let pairs = parameters.all(kind).filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect()
        };
        Self {
            cookies: pairs("cookie"),
            bearer: secret("bearer"),
            csrf: secret("csrf"),
            client: parameters.first("client").map(ClientId::new),
            others: pairs("other"),
            removals: parameters.all("removal").map(str::to_owned).collect(),
        }
    }
}

/// A credential of an upstream session in the words that the adapter's sign-out reads it by.
#[derive(Clone, Debug)]
pub struct UpstreamCredential {
    /// The adapter's word for what it is for, as in [`crate::credential::CredentialDigest::of`].
    pub purpose: &'static str,
    /// The secret itself.
    pub secret: Secret,
    /// Whether a sign-out with it must prove that it was not forged, given that the session's CSRF
    /// token is known.
    pub csrf_due: bool,
}

impl UpstreamCredential {
    /// A credential for `purpose`.
    pub fn new(purpose: &'static str, secret: Secret) -> Self {
        Self {
            purpose,
            secret,
            csrf_due: false,
        }
    }

    /// Each of `credentials` once, in order, at most one more than the flow takes
    /// ([`crate::sign_out::MOST_CREDENTIALS`]).
    pub fn each_once(credentials: impl IntoIterator<Item = Self>) -> Vec<Self> {
        each_once(credentials, |one| (one.purpose, one.secret.reveal()))
    }
}
