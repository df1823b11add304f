//! The sign-out that a client asks for by revoking a token (RFC 7009).

use super::SessionAuthority;
use crate::provider::{ClientCredentials, TokenIssuer};
use crate::receipt::Reach;
use crate::sign_out::{
    Asked, ClientClaim, CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect,
    PostLogoutRedirectPolicy, Refusal, RequestedRedirect, SignOut, Target,
};

impl SessionAuthority {
    /// Ends the session of a token that `issuer`, the platform's own stand-in, has issued to the
    /// client, with all other tokens of that session, as far as the platform's reach says. A token
    /// that opens nothing is a success that ends nothing, and the caller is not told which it was.
    ///
    /// # Errors
    /// [`Refusal::ClientUnknown`], [`Refusal::ClientMismatch`] where the token is another client's,
    /// or the store did not answer.
    pub async fn revoke_token(
        &self,
        issuer: &dyn TokenIssuer,
        token: &str,
        client: Option<&ClientCredentials>,
    ) -> Result<(), Refusal> {
        let id = issuer.client(client).ok_or(Refusal::ClientUnknown)?;
        let asked = SignOut {
            credentials: issuer.token(token, self),
            credential_policy: CredentialPolicy::FirstValid,
            // No browser sends a token in a form by itself.
            csrf: CsrfProof::NotNeeded,
            client: Some(ClientClaim { id, known: true }),
            target: Target::Caller,
            reach: Reach::Session,
            no_session: NoSessionPolicy::Succeed,
            redirect: PostLogoutRedirect {
                requested: RequestedRedirect::Nothing,
                policy: PostLogoutRedirectPolicy::ByClient(Default::default()),
                default: None,
                reject_invalid: false,
            },
        };
        self.sign_out_asked(Asked::new(asked, None)).await?;
        Ok(())
    }
}
