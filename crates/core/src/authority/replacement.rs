//! A login in a browser that has a session already: once the new one is open, the former one ends
//! (ASVS 7.2.4).
//!
//! The browser's cookie is overwritten by the login, so nobody could end the session behind it any
//! more.

use std::sync::Arc;

use super::SessionAuthority;
use crate::receipt::{Reach, Reason, ReceiptId};
use crate::session::{Session, SessionId, SsoSessionId};
use crate::store::Join;
use crate::store::{EndOrder, EndTarget, OpenOutcome, StoreUnavailable};

impl SessionAuthority {
    /// Opens a session, and where the platform says so
    /// ([`crate::platform::Platform::end_previous`]) ends those that the browser's own cookies had
    /// open at this platform, with everything of the same browser login.
    ///
    /// `cookies` are purpose and text of each. The former sessions end after the new one is open,
    /// by the same step as any sign-out.
    ///
    /// # Errors
    /// The store did not answer. The login must not be told as done then: the new session may be
    /// open, and ends by itself.
    pub async fn open_in_place_of(
        &self,
        session: Session,
        join: Join,
        cookies: &[(&'static str, &str)],
    ) -> Result<OpenOutcome, StoreUnavailable> {
        let (id, sign_on) = (session.id, session.sign_on);
        let former = self.former_sessions(cookies).await?;
        let opened = self.open(session, join).await?;
        if opened == OpenOutcome::Opened {
            self.end_former(&former, id, sign_on).await?;
        }
        Ok(opened)
    }

    /// The live sessions behind these cookies; none where they may stay.
    pub(crate) async fn former_sessions(
        &self,
        cookies: &[(&'static str, &str)],
    ) -> Result<Vec<Arc<Session>>, StoreUnavailable> {
        if !self.platform.end_previous {
            return Ok(Vec::new());
        }
        self.live_sessions(cookies).await
    }

    /// Ends them, but not what belongs to the login that has just been made.
    pub(crate) async fn end_former(
        &self,
        former: &[Arc<Session>],
        opened: SessionId,
        sign_on: Option<SsoSessionId>,
    ) -> Result<(), StoreUnavailable> {
        let mut targets = Vec::new();
        for session in former.iter().filter(|session| session.id != opened) {
            targets.push(EndTarget::Session(session.id));
            targets.extend(
                session
                    .sign_on
                    .filter(|former| Some(*former) != sign_on)
                    .map(EndTarget::SignOn),
            );
        }
        if targets.is_empty() {
            return Ok(());
        }
        let at = self.now();
        let platform = Some(self.platform.name.clone());
        let order = EndOrder {
            receipt: ReceiptId::at(at),
            at,
            reason: Reason::Replaced,
            platform,
            reach: Reach::SignOn,
            targets,
            token: None,
        };
        self.services.carry_out(order).await?;
        Ok(())
    }
}
