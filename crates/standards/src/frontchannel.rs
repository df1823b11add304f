//! Addresses that a browser loads to sign out at a relying party (OpenID Connect Front-Channel
//! Logout 1.0).

use url::Url;

/// One relying party that browsers are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FrontChannelLogout {
    /// Its `frontchannel_logout_uri`.
    pub uri: Url,
    /// Who asks for it (`iss`).
    pub issuer: String,
    /// Whether it needs `iss` and `sid` (`frontchannel_logout_session_required`).
    pub session_required: bool,
}

impl FrontChannelLogout {
    /// The address for this `sid`, which may be empty: `iss` and `sid` are added both or not at all
    /// (section 2). `None` where it needs them, and the `sid` is not known.
    pub fn address(&self, sid: &str) -> Option<Url> {
        let mut address = self.uri.clone();
        if !sid.is_empty() {
            let mut query = address.query_pairs_mut();
            query
                .append_pair("iss", &self.issuer)
                .append_pair("sid", sid);
        } else if self.session_required {
            return None;
        }
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str, session_required: bool, sid: &str) -> Option<String> {
        let logout = FrontChannelLogout {
            uri: Url::parse(uri).unwrap(),
            issuer: "https://hub.example/a".to_owned(),
            session_required,
        };
        logout.address(sid).map(String::from)
    }

    #[test]
    fn issuer_and_session_are_added_both_or_not_at_all() {
        let uri = "https://rp.example/out?a=b%20c";
        assert_eq!(
            address(uri, true, "s&1").as_deref(),
            Some("https://rp.example/out?a=b%20c&iss=https%3A%2F%2Fhub.example%2Fa&sid=s%261")
        );
        assert_eq!(address(uri, false, "").as_deref(), Some(uri));
        assert_eq!(address(uri, true, ""), None);
    }
}
