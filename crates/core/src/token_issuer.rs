//! What a stand-in says of the tokens that it issues, so that clients can revoke them.

use crate::authority::SessionAuthority;
use crate::credential::Secret;
use crate::session::ClientId;
use crate::sign_out::PresentedCredential;

/// The id and the secret by which a client identifies itself (RFC 6749, section 2.3).
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// `client_id`, as it was sent.
    pub id: String,
    /// The client's password; absent where none was sent, or an empty one.
    pub secret: Option<Secret>,
}

/// A stand-in that issues tokens which can be revoked (RFC 7009).
pub trait TokenIssuer: Send + Sync {
    /// The credentials that `token` may be, read as by the stand-in's own endpoints. Empty where it
    /// is none that they would take, since it is forged or has expired.
    fn token(&self, token: &str, sessions: &SessionAuthority) -> Vec<PresentedCredential>;

    /// The client of these credentials, in the spelling that sessions keep it in. `None`: there is
    /// no such client, or a client has to identify itself and did not.
    ///
    /// The default is for stand-ins that register no clients. They issue tokens to any client, and
    /// one that does not identify itself may revoke those that were issued to no client.
    fn client(&self, credentials: Option<&ClientCredentials>) -> Option<ClientId> {
        Some(ClientId::new(credentials.map_or("", |client| &client.id)))
    }
}
