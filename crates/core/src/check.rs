//! Forward authentication: has one of a request's credentials been ended here?

use crate::authority::SessionAuthority;
use crate::message::Request;
use crate::provider::UpstreamLogout;
use crate::registration::digests;
use crate::store::{Found, StoreUnavailable};

/// What a request's credentials are to a reverse proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// One of them has been ended. It counts even beside a live one: nobody knows which of them the vendor would take.
    Ended,
    /// None of them has been ended here. Whether they open anything is for the vendor to say.
    Passes,
}

impl SessionAuthority {
    /// Looks at all credentials that `request` presents to this platform. A live one counts as used.
    ///
    /// # Errors
    /// The store did not answer; the proxy must deny.
    pub async fn check(&self, provider: &dyn UpstreamLogout, request: &Request) -> Result<Checked, StoreUnavailable> {
        let mut live = Vec::new();
        for digest in digests(self, provider, &provider.presented(request)) {
            match self.look_up(&digest).await? {
                Found::Ended => return Ok(Checked::Ended),
                Found::Live(..) => live.push(digest),
                Found::Unknown => {}
            }
        }
        for digest in live {
            self.session(&digest).await?;
        }
        Ok(Checked::Passes)
    }
}
