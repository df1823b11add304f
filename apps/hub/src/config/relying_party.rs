//! `[[relying_party]]`: applications that send a browser to sign out here, and that are told when
//! somebody is signed out everywhere.

use std::path::PathBuf;

use logout_core::redirect::ApprovedUrl;
use logout_core::relying_party::KnownName;
use serde::{Deserialize, Serialize};
use url::Url;

use super::document::{Document, Node};
use super::error::{ConfigError, Place};
use super::places::Places;
use super::values;

/// One `[[relying_party]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RelyingPartyConfig {
    /// Its client id at the identity provider, which logout tokens name in `aud`. Must be given.
    pub client_id: String,
    /// Its name in receipts and metrics, beside those of platforms. Default: `client_id`.
    #[serde(
        default,
        deserialize_with = "values::some_name",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// The addresses that a browser may be sent to after a sign-out, each compared byte for byte.
    /// Default: none.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent. Default: none are.
    #[serde(
        default,
        deserialize_with = "values::endpoint_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub backchannel_logout_uri: Option<Url>,
    /// What the page of a receipt loads, so that the browser is signed out there. Default: nothing.
    #[serde(
        default,
        deserialize_with = "values::endpoint_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub frontchannel_logout_uri: Option<Url>,
    /// Whether it is told only of sessions whose `sid` is known. Default: false.
    #[serde(default)]
    pub session_required: bool,
    /// Whose name its `sub` is: `person`, or `idp` for that of the login at the identity provider.
    /// Default: `person`.
    #[serde(default)]
    pub subject: RelyingPartySubject,
    /// Where it says whether a session lives, at the host of `backchannel_logout_uri`. Default: it
    /// is not asked.
    #[serde(
        default,
        deserialize_with = "values::endpoint_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub probe_uri: Option<Url>,
    /// A PEM file with certificate authorities that are trusted there besides the system's.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip)]
    places: Places,
}

/// Whose name a relying party knows a person by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RelyingPartySubject {
    /// `sub` of the login at the identity provider.
    Idp,
    /// The person across platforms.
    #[default]
    Person,
}

impl From<RelyingPartySubject> for KnownName {
    fn from(subject: RelyingPartySubject) -> Self {
        match subject {
            RelyingPartySubject::Idp => Self::Login,
            RelyingPartySubject::Person => Self::Person,
        }
    }
}

impl RelyingPartyConfig {
    /// Nothing where it cannot be used at all.
    pub(super) fn read(
        document: &Document,
        node: &Node<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let read = document.read::<Self>("relying_party", node, &[]);
        let is_sound = read.errors.is_empty();
        errors.extend(read.errors);
        let mut party = read.value.filter(|_| read.is_complete)?;
        party.places = Places::of(document, node);
        if let Some(file) = &mut party.ca_file {
            *file = document.resolve(file);
        }
        if is_sound {
            errors.extend(party.faults());
        }
        Some(party)
    }

    fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Vec::new();
        let mut refuse = |key: &str, reason: &str| faults.push(self.error(key, reason));
        if self.client_id.trim().is_empty() {
            refuse("client_id", "must not be empty");
        } else if self.is_told() && self.name.is_none() && !values::is_name(&self.client_id) {
            refuse(
                "name",
                "must be given, because `client_id` is no name that receipts could use",
            );
        }
        for address in &self.post_logout_redirect_uris {
            let reason = match ApprovedUrl::from_operator(address) {
                Err(fault) => fault.to_string(),
                Ok(_) if address.starts_with('/') => "not an absolute URL".to_owned(),
                Ok(_) => continue,
            };
            refuse(
                "post_logout_redirect_uris",
                &format!("`{address}` cannot be used: {reason}"),
            );
        }
        match (&self.probe_uri, &self.backchannel_logout_uri) {
            (Some(probe), Some(told)) if probe.origin() != told.origin() => refuse(
                "probe_uri",
                "must be at the scheme, host and port of `backchannel_logout_uri`",
            ),
            (Some(_), None) => refuse("probe_uri", "goes with `backchannel_logout_uri`"),
            _ => {}
        }
        if self.ca_file.is_some() && self.backchannel_logout_uri.is_none() {
            refuse("ca_file", "goes with `backchannel_logout_uri`");
        }
        faults
    }

    /// Whether a sign-out concerns it at all.
    pub(crate) fn is_told(&self) -> bool {
        self.backchannel_logout_uri.is_some() || self.frontchannel_logout_uri.is_some()
    }

    /// Its name in receipts and metrics.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }

    /// The error that something is wrong with `key`, or with the whole where that is empty.
    pub(crate) fn error(&self, key: &str, reason: impl ToString) -> ConfigError {
        self.places.error("relying_party", key, reason)
    }

    /// Where its name stands, or what the name follows from.
    pub(super) fn place_of_name(&self) -> Place {
        let key = if self.name.is_some() {
            "name"
        } else {
            "client_id"
        };
        self.places.of_key(key)
    }
}
