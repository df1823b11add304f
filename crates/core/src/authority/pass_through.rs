//! The sign-out of a session that the hub never saw, at a platform whose upstream may know it.

use super::callers::check_client;
use super::redirect::{approved, decide};
use super::{SessionAuthority, SignedOut};
use crate::ports::PassThrough;
use crate::receipt::{Reason, ReceiptId};
use crate::relayed_cookie::handed_on;
use crate::session::{Device, Subject};
use crate::sign_out::{Asked, NoSessionPolicy, Refusal, RequestedRedirect};
use crate::store::{EndOrder, EndTarget, Join, OpenOutcome};
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

impl SessionAuthority {
    /// Carries the sign-out of a session that the hub never saw to the upstream, and answers from
    /// what that says. Only when the upstream cannot be reached is anything written: then the
    /// session is registered and ended like any other.
    pub(super) async fn pass_through(
        &self,
        asked: &Asked,
        session: &UpstreamSession,
        at: Timestamp,
    ) -> Result<SignedOut, Refusal> {
        check_client(asked, &[])?;
        let redirect = decide(
            &asked.redirect,
            asked.client.as_ref().map(|claim| &claim.id),
            &[],
        )?;
        let receipt = ReceiptId::at(at);
        let reach = asked.reach.max(self.platform.reach);
        let done = |redirect, ended, removals| {
            Ok(SignedOut {
                receipt,
                ended,
                redirect,
                caller_included: true,
                reach,
                removals,
                by_cookie: asked.brings_cookie(),
                way_on: self.way_on(None),
            })
        };
        match self
            .services
            .deliveries
            .pass_through(&self.platform.name, session)
            .await
        {
            PassThrough::Confirmed {
                redirect: requested,
                removals,
            } => {
                let told = requested
                    .filter(|_| matches!(asked.redirect.requested, RequestedRedirect::Nothing));
                let told = told
                    .and_then(|requested| approved(&asked.redirect.policy, &requested, None).ok());
                done(
                    told.or(redirect),
                    Vec::new(),
                    handed_on(removals, &self.platform),
                )
            }
            PassThrough::NotSignedIn if asked.no_session == NoSessionPolicy::Succeed => {
                done(redirect, Vec::new(), Vec::new())
            }
            PassThrough::NotSignedIn => Err(Refusal::NotSignedIn),
            PassThrough::Refused | PassThrough::Busy => Err(Refusal::Unavailable),
            PassThrough::Unreachable => {
                let mut unregistered =
                    self.new_session(Subject::unknown(), None, Device::default());
                let credentials = asked
                    .credentials
                    .iter()
                    .filter(|presented| !presented.foreign);
                unregistered.credentials = credentials
                    .map(|presented| {
                        self.credential(
                            presented.purpose,
                            &presented.secret,
                            unregistered.expires,
                            false,
                        )
                    })
                    .collect();
                unregistered.sealed = Some(self.seal(unregistered.id, session));
                let id = unregistered.id;
                if self.open(unregistered, Join::Always).await? != OpenOutcome::Opened {
                    return Err(Refusal::NotSignedIn);
                }
                let (platform, targets) = (
                    Some(self.platform.name.clone()),
                    vec![EndTarget::Session(id)],
                );
                let order = EndOrder {
                    receipt,
                    at,
                    reason: Reason::User,
                    platform,
                    reach,
                    targets,
                    token: None,
                };
                done(redirect, self.services.carry_out(order).await?, Vec::new())
            }
        }
    }
}
