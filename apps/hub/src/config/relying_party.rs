//! `[[relying_party]]`: the applications that may send a browser to sign out here.

use logout_core::redirect::ApprovedUrl;
use serde::{Deserialize, Serialize};

use super::document::{Document, Node};
use super::error::{ConfigError, ConfigErrorKind};

/// One `[[relying_party]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RelyingPartyConfig {
    /// Its client id at the identity provider. Must be given.
    pub client_id: String,
    /// The addresses that a browser may be sent to after a sign-out, each compared byte for byte.
    /// Default: none.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
}

impl RelyingPartyConfig {
    /// Nothing where it cannot be used at all.
    pub(super) fn read(
        document: &Document,
        node: &Node<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let read = document.read::<Self>("relying_party", node, &[]);
        errors.extend(read.errors);
        let party = read.value.filter(|_| read.is_complete)?;
        let place = |key: &str| {
            let value = node.get_ref().get(key);
            document.place(Some(value.map_or_else(|| node.span(), toml::Spanned::span)))
        };
        let mut refuse = |key: &str, reason: String| {
            let fault = ConfigErrorKind::Invalid {
                key: format!("relying_party.{key}"),
                reason,
            };
            errors.push(ConfigError {
                place: place(key),
                fault,
            });
        };
        if party.client_id.trim().is_empty() {
            refuse("client_id", "must not be empty".to_owned());
        }
        for address in &party.post_logout_redirect_uris {
            let reason = match ApprovedUrl::from_operator(address) {
                Err(fault) => fault.to_string(),
                Ok(_) if address.starts_with('/') => "not an absolute URL".to_owned(),
                Ok(_) => continue,
            };
            refuse(
                "post_logout_redirect_uris",
                format!("`{address}` cannot be used: {reason}"),
            );
        }
        Some(party)
    }
}
