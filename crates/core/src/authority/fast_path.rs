//! The sign-out of a caller whose session is known and may be ended, which nearly all of them are:
//! who the caller is, whether that is the client's session, and the CSRF proof are left to the
//! store to decide in the step that ends the session.
//!
//! Where that ends nothing, nothing was decided: the flow begins anew with a look-up, and that says
//! why.

use super::{SessionAuthority, SignedOut, redirect};
use crate::receipt::{Reach, Reason, ReceiptId};
use crate::session::ClientId;
use crate::sign_out::{
    Asked, CredentialPolicy, CsrfProof, PostLogoutRedirectPolicy, Refusal, RequestedRedirect,
    Target,
};
use crate::store::{ByCredential, EndOrder, EndTarget};
use crate::time::Timestamp;

impl SessionAuthority {
    /// `None`: it has to be decided step by step; nothing has ended.
    pub(super) async fn sign_out_by_fast_path(
        &self,
        asked: &Asked,
        receipt: ReceiptId,
        reach: Reach,
        at: Timestamp,
    ) -> Result<Option<SignedOut>, Refusal> {
        let Some(targets) = self.targets_by_credential(asked, reach) else {
            return Ok(None);
        };
        let client = asked.client.as_ref().map(|claim| &claim.id);
        // A bad return address that refuses has to refuse before anything ends. Any other is
        // decided on later: once, and it may be logged.
        let approved = match asked
            .redirect
            .reject_invalid
            .then(|| redirect::decide(&asked.redirect, client, &[]))
        {
            Some(Err(_)) => return Ok(None),
            Some(Ok(redirect)) => Some(redirect),
            None => None,
        };
        let order = EndOrder {
            receipt,
            at,
            reason: Reason::User,
            platform: Some(self.platform.name.clone()),
            reach,
            targets,
            token: None,
        };
        let ended = self.end(asked, order).await?;
        if ended.sessions.is_empty() {
            return Ok(None);
        }
        let redirect = match approved {
            Some(redirect) => redirect,
            None => redirect::decide(&asked.redirect, client, &[])?,
        };
        Ok(Some(
            self.signed_out(asked, receipt, reach, ended, redirect, true),
        ))
    }

    /// What ends, where that follows from the request and from each credential by itself.
    fn targets_by_credential(&self, asked: &Asked, reach: Reach) -> Option<Vec<EndTarget>> {
        let client = asked.client.as_ref();
        // What the login put into the browser stands in the session's record, which has to be
        // looked at before it is gone.
        if self.platform.has_upstream {
            return None;
        }
        // Which relying parties are told follows from the person, who is not known yet.
        if reach == Reach::Person && !self.services.relying_parties.is_empty() {
            return None;
        }
        let is_plain = asked.target == Target::Caller
            && client.is_none_or(|claim| claim.known)
            && !needs_session(asked);
        // Of several credentials each must count whatever the others are; a single one that no
        // cookie carried always does.
        let is_single = asked.credentials.len() == 1;
        let each_counts = match asked.credential_policy {
            CredentialPolicy::All => {
                is_single || (client.is_none() && asked.csrf == CsrfProof::NotNeeded)
            }
            CredentialPolicy::FirstAndProvenCookies => is_single && !asked.credentials[0].by_cookie,
            CredentialPolicy::FirstAndSameSubject | CredentialPolicy::FirstValid => is_single,
        };
        if !is_plain || !each_counts || asked.credentials.iter().any(|presented| presented.foreign)
        {
            return None;
        }
        let client: Option<ClientId> = client.map(|claim| claim.id.clone());
        let by = |digest| {
            EndTarget::Credential(ByCredential {
                digest,
                client: client.clone(),
                csrf: asked.csrf,
                reach,
            })
        };
        // Of a single credential the likely reading is enough: where it ends nothing, the flow
        // looks at all of them. Beside others that do end something nothing would be looked at
        // again.
        let mut targets = Vec::with_capacity(asked.credentials.len());
        for presented in &asked.credentials {
            match (is_single, presented.secret.reveal()) {
                (true, secret) => targets.push(by(self.digest(presented.purpose, secret))),
                (false, secret) => targets.extend(
                    self.sole_digests(presented.purpose, secret)?
                        .into_iter()
                        .map(by),
                ),
            }
        }
        (!targets.is_empty()).then_some(targets)
    }
}

/// Whether the session has to be known to tell if the return address is allowed.
fn needs_session(asked: &Asked) -> bool {
    let wants = matches!(
        (&asked.redirect.policy, &asked.redirect.requested),
        (
            PostLogoutRedirectPolicy::ByClient(_),
            RequestedRedirect::Address(_)
        )
    );
    wants && asked.client.is_none()
}
