//! `[[idp]]`: the identity providers that may sign people out.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::document::{Document, Node};
use super::error::{ConfigError, Place};
use super::places::Places;
use super::values;

/// One `[[idp]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdpConfig {
    /// Its name, which stands in the addresses of its endpoints. Must be given.
    #[serde(deserialize_with = "values::name")]
    pub name: String,
    /// The issuer, as its tokens name it (`iss`), byte for byte. Must be given.
    pub issuer: String,
    /// The client that the hub is registered as, which tokens name in `aud`. Must be given.
    pub client_id: String,
    /// The algorithms that tokens may be signed by. Default: `["RS256"]`.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    /// The address of its keys (JWK Set): https, or http on this machine. This or `jwks_file` must
    /// be given.
    #[serde(
        default,
        deserialize_with = "values::key_set_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub jwks_uri: Option<Url>,
    /// The file that holds its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// A PEM file with certificate authorities that are trusted for `jwks_uri` besides the
    /// system's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The provider's `end_session_endpoint`, where browsers go on that sign out at a platform with
    /// this `idp`. Default: none.
    #[serde(
        default,
        deserialize_with = "values::public_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_session_endpoint: Option<Url>,
    /// The claim that names the person whose sessions end where none is known to come from the
    /// token's login: `sub` or `email`. Default: nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<IdpPerson>,
    /// The file with a token that authenticates a Global Token Revocation, besides tokens that the
    /// provider signs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_token_file: Option<PathBuf>,
    /// How many Global Token Revocations are carried out in a minute. Default: 600.
    #[serde(default = "revocations_per_minute")]
    pub revocations_per_minute: NonZeroU32,
    /// The audience of this provider's security events (`aud`), which the hub takes where this is
    /// given. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_audience: Option<String>,
    /// Whether a changed credential, such as a password, ends the person's sessions. Default:
    /// false.
    #[serde(default)]
    pub end_on_credential_change: bool,
    /// Whether this provider's word on e-mail addresses counts. Must be true for
    /// `person = "email"`. Default: false.
    #[serde(default)]
    pub email_trusted: bool,
    #[serde(skip)]
    places: Places,
}

/// The claim that names a person.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdpPerson {
    /// The e-mail address.
    Email,
    /// The subject.
    Sub,
}

fn revocations_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(600).unwrap() }
}

fn algorithms() -> Vec<String> {
    vec!["RS256".to_owned()]
}

impl IdpConfig {
    /// Nothing where it cannot be used at all.
    pub(super) fn read(
        document: &Document,
        node: &Node<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let name = node
            .get_ref()
            .get("name")
            .and_then(|name| name.get_ref().as_str());
        let label = name.map_or_else(|| "idp".to_owned(), |name| format!("idp.{name}"));
        let read = document.read::<Self>(&label, node, &[]);
        let is_sound = read.errors.is_empty();
        errors.extend(read.errors);
        let mut idp = read.value?;
        idp.places = Places::of(document, node);
        let files = [
            &mut idp.jwks_file,
            &mut idp.ca_file,
            &mut idp.revocation_token_file,
        ];
        for file in files.into_iter().flatten() {
            *file = document.resolve(file);
        }
        if is_sound {
            errors.extend(idp.faults());
        }
        (read.is_complete && is_sound).then_some(idp)
    }

    fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Vec::new();
        let mut refuse = |key: &str, reason: &str| faults.push(self.error(key, reason));
        // The token's word is compared byte for byte, so what is no address can never fit.
        let issuer = Url::parse(&self.issuer).ok();
        if !issuer.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
            refuse(
                "issuer",
                "is not a URL; write the `issuer` of the provider's discovery document as it \
                 stands there",
            );
        }
        if self.client_id.trim().is_empty() {
            refuse("client_id", "must not be empty");
        }
        if self.algorithms.is_empty() {
            refuse("algorithms", "must name at least one, such as \"RS256\"");
        }
        match (&self.jwks_uri, &self.jwks_file) {
            (None, None) => refuse(
                "",
                "`jwks_uri` or `jwks_file` must be given: without the provider's keys no token can \
                 be verified",
            ),
            (Some(_), Some(_)) => refuse("jwks_file", "goes in place of `jwks_uri`; keep one"),
            _ => {}
        }
        if self
            .events_audience
            .as_ref()
            .is_some_and(|audience| audience.trim().is_empty())
        {
            refuse("events_audience", "must not be empty");
        }
        if self.end_on_credential_change && self.events_audience.is_none() {
            refuse("end_on_credential_change", "goes with `events_audience`");
        }
        if self.ca_file.is_some() && self.jwks_uri.is_none() {
            refuse("ca_file", "goes with `jwks_uri`");
        }
        if self.person == Some(IdpPerson::Email) && !self.email_trusted {
            refuse(
                "person",
                "needs `email_trusted = true`: who may choose their own address at this provider \
                 could sign out others",
            );
        }
        faults
    }

    /// The error that something is wrong with `key`, or with the whole where that is empty.
    pub(crate) fn error(&self, key: &str, reason: impl ToString) -> ConfigError {
        self.places
            .error(&format!("idp.{}", self.name), key, reason)
    }

    /// Where `key` stands, or the whole where it is not written.
    pub(super) fn place(&self, key: &str) -> Place {
        self.places.of_key(key)
    }
}
