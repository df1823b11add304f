//! The request of OpenID Connect RP-Initiated Logout 1.0, section 2.

use logout_core::message::Parameters;

/// The longest `state` that is handed back, in bytes. Our choice.
const LONGEST_STATE: usize = 2_048;

/// Why a request is refused with 400. Nothing has ended then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndSessionError {
    /// A parameter is given twice: which of them counts would be a guess (OAuth 2.0, RFC 6749,
    /// section 3.1, forbids it).
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// `state` is longer than 2,048 bytes.
    #[error("state is too long")]
    LongState,
    /// `client_id` is not the client that the ID token was issued to (section 2).
    #[error("client_id is not the client that id_token_hint was issued to")]
    OtherClient,
    /// A return address without a client that it could belong to (section 3).
    #[error("post_logout_redirect_uri needs a valid id_token_hint or a client_id")]
    NoClient,
    /// The address is not registered for the client, byte for byte (section 3).
    #[error("post_logout_redirect_uri is not registered for this client")]
    Unregistered,
}

/// The parameters, each at most once. Those that are not understood are ignored; `logout_hint` and
/// `ui_locales` are among them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndSessionRequest {
    /// An ID token of the session that is to end.
    pub id_token_hint: Option<String>,
    /// The client that asks.
    pub client_id: Option<String>,
    /// Where the browser is to go afterwards.
    pub redirect: Option<String>,
    /// What is handed back with that.
    pub state: Option<String>,
}

impl EndSessionRequest {
    /// Reads a query string or a urlencoded form. An empty parameter is none.
    ///
    /// # Errors
    /// A parameter is given twice, or `state` is too long.
    pub fn read(bytes: &[u8]) -> Result<Self, EndSessionError> {
        let parameters = Parameters::read(bytes);
        let one = |name: &'static str| {
            let mut values = parameters.all(name);
            let value = values.next().filter(|value| !value.is_empty());
            match values.next() {
                Some(_) => Err(EndSessionError::Repeated(name)),
                None => Ok(value.map(str::to_owned)),
            }
        };
        let request = Self {
            id_token_hint: one("id_token_hint")?,
            client_id: one("client_id")?,
            redirect: one("post_logout_redirect_uri")?,
            state: one("state")?,
        };
        if request
            .state
            .as_ref()
            .is_some_and(|state| state.len() > LONGEST_STATE)
        {
            return Err(EndSessionError::LongState);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_once_and_an_empty_one_is_none() {
        let read = |text: &str| EndSessionRequest::read(text.as_bytes());
        let request = read("client_id=app&state=a%20b&post_logout_redirect_uri=&x=1&x=2").unwrap();
        assert_eq!(request.client_id.as_deref(), Some("app"));
        assert_eq!(request.state.as_deref(), Some("a b"));
        assert_eq!((request.redirect, request.id_token_hint), (None, None));
        for name in [
            "id_token_hint",
            "client_id",
            "post_logout_redirect_uri",
            "state",
        ] {
            let twice = format!("{name}=a&{name}=a");
            assert_eq!(read(&twice), Err(EndSessionError::Repeated(name)));
            let empty = format!("{name}=&{name}=a");
            assert_eq!(read(&empty), Err(EndSessionError::Repeated(name)));
        }
        let long = format!("state={}", "x".repeat(LONGEST_STATE + 1));
        assert_eq!(read(&long), Err(EndSessionError::LongState));
    }
}
