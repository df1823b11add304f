//! Forward authentication: has one of a request's credentials been ended here?

use percent_encoding::percent_decode_str;

use crate::authority::SessionAuthority;
use crate::credential::CredentialDigest;
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
    /// Looks at all credentials that `request` presents to this platform. A live one counts as used. Cookies are also read as
    /// servers do that take them in quotes, behind a comma or percent-encoded: an ended one must not get by in other clothes.
    ///
    /// # Errors
    /// The store did not answer; the proxy must deny.
    pub async fn check(&self, provider: &dyn UpstreamLogout, request: &Request) -> Result<Checked, StoreUnavailable> {
        let mut live = Vec::new();
        let mut looked_at: Vec<CredentialDigest> = Vec::new();
        let sent = digests(self, provider, &provider.presented(request)).collect::<Vec<_>>();
        let readings = other_readings(request);
        let others = readings.iter().flat_map(|reading| digests(self, provider, &provider.presented(reading)).collect::<Vec<_>>());
        for digest in sent.into_iter().chain(others) {
            if looked_at.contains(&digest) {
                continue;
            }
            looked_at.push(digest);
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

/// What `request` is to servers that read cookies more generously than RFC 6265 has it: without the quotes around a value (servlet
/// containers), with a comma between two cookies (the older RFCs, OWIN), percent-decoded (OWIN, ASP.NET Core). Each reading is
/// a request of its own, because an adapter may put a credential together from several cookies.
fn other_readings(request: &Request) -> Vec<Request> {
    let headers: Vec<&str> = request.headers_named("cookie").collect();
    let has = |mark: char| headers.iter().any(|header| header.contains(mark));
    let mut readings = Vec::new();
    for (separators, decoded) in [(&[';'][..], false), (&[';'][..], true), (&[';', ','][..], false), (&[';', ','][..], true)] {
        if (separators.len() > 1 && !has(',')) || (decoded && !has('%')) || (separators.len() == 1 && !decoded && !has('"')) {
            continue;
        }
        let read = |text: &str| {
            let text = text.trim();
            let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
            if decoded { percent_decode_str(text).decode_utf8_lossy().into_owned() } else { text.to_owned() }
        };
        let mut reading = Request::new(request.method(), request.path()).with_query(request.raw_query());
        for (name, value) in request.headers().filter(|(name, _)| *name != "cookie") {
            reading = reading.with_header(name.to_owned(), value);
        }
        for (name, value) in headers.iter().flat_map(|header| header.split(separators)).filter_map(|pair| pair.split_once('=')) {
            reading = reading.with_header("cookie", format!("{}={}", read(name), read(value)));
        }
        readings.push(reading);
    }
    readings
}
