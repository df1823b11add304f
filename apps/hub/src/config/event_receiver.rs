//! `[[event_receiver]]`: receivers of security events, who are told when a person is signed out
//! everywhere.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::document::{Document, Node};
use super::error::{ConfigError, Place};
use super::places::Places;
use super::relying_party::RelyingPartySubject;
use super::values;

/// One `[[event_receiver]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventReceiverConfig {
    /// Its name in receipts, metrics and in the address where it polls. Must be given.
    #[serde(deserialize_with = "values::name")]
    pub name: String,
    /// Whom the events are for (`aud`). Must be given.
    pub audience: String,
    /// Where events are pushed. Default: none are, the receiver polls.
    #[serde(
        default,
        deserialize_with = "values::endpoint_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub endpoint: Option<Url>,
    /// The file with the bearer token that the endpoint wants, or that the receiver polls with.
    /// Must be given without `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Whose name the subject is: `person`, or `idp` for the `sub` of the login at the identity
    /// provider. Default: `person`.
    #[serde(default)]
    pub subject: RelyingPartySubject,
    /// The format of the subject: `email`, `iss_sub` or `opaque`. Default: `opaque`.
    #[serde(default)]
    pub subject_format: EventSubjectFormat,
    /// A PEM file with certificate authorities that are trusted for `endpoint` besides the
    /// system's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip)]
    places: Places,
}

/// How a subject is named (RFC 9493).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventSubjectFormat {
    /// By an e-mail address.
    Email,
    /// By the hub's issuer and the name.
    IssSub,
    /// By the name.
    #[default]
    Opaque,
}

impl EventReceiverConfig {
    /// Nothing where it cannot be used at all.
    pub(super) fn read(
        document: &Document,
        node: &Node<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let read = document.read::<Self>("event_receiver", node, &[]);
        let is_sound = read.errors.is_empty();
        errors.extend(read.errors);
        let mut receiver = read.value.filter(|_| read.is_complete)?;
        receiver.places = Places::of(document, node);
        for file in [&mut receiver.token_file, &mut receiver.ca_file]
            .into_iter()
            .flatten()
        {
            *file = document.resolve(file);
        }
        if is_sound {
            errors.extend(receiver.faults());
        }
        Some(receiver)
    }

    fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Vec::new();
        let mut refuse = |key: &str, reason: &str| faults.push(self.error(key, reason));
        if self.audience.trim().is_empty() {
            refuse("audience", "must not be empty");
        }
        if self.endpoint.is_none() {
            if self.token_file.is_none() {
                refuse(
                    "token_file",
                    "must be given without `endpoint`, or anybody could poll the events",
                );
            }
            if self.ca_file.is_some() {
                refuse("ca_file", "goes with `endpoint`");
            }
        }
        faults
    }

    /// The error that something is wrong with `key`, or with the whole where that is empty.
    pub(crate) fn error(&self, key: &str, reason: impl ToString) -> ConfigError {
        self.places.error("event_receiver", key, reason)
    }

    /// Where its name stands.
    pub(super) fn place_of_name(&self) -> Place {
        self.places.of_key("name")
    }
}
