//! Forward authentication: may a reverse proxy let a request with these credentials pass?

use std::collections::HashSet;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::authority::SessionAuthority;
use crate::endpoint::Endpoint;
use crate::message::Request;
use crate::path::{loose_readings, loose_segments};
use crate::prefetch::is_prefetch;
use crate::provider::UpstreamLogout;
use crate::session::Session;
use crate::sign_out::{MOST_CREDENTIALS, Refusal};
use crate::store::{Lookup, StoreUnavailable};
use crate::upstream::UpstreamCredential;

/// Which requests a reverse proxy may let pass.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckMode {
    /// Those whose every credential the hub saw begin and knows to be alive. Everything else is
    /// denied, a request without credentials too.
    Known,
    /// Those none of whose credentials has been ended here. A credential that the hub never saw
    /// passes, and so does a spelling of an ended one that no decoder known to the adapter takes
    /// for it.
    #[default]
    NotEnded,
}

/// What a request's credentials are to a reverse proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckResult {
    /// Denied: it presents two different credentials where the product takes one, and which one is
    /// not known here.
    Ambiguous,
    /// Denied: one of them has been ended. It counts even beside a live one.
    Ended,
    /// It may pass, as far as [`CheckMode`] says.
    Passes,
    /// Denied: a browser fetches a sign-out of the product ahead of a click.
    Prefetch,
    /// Denied: it presents more than is looked at.
    TooMany,
    /// Denied, with [`CheckMode::Known`] only: no credential, or one that the hub does not know to
    /// be alive.
    Unknown,
}

impl SessionAuthority {
    /// Whether `request` can be read without doubt and within bounds: at most
    /// [`crate::platform::Platform::max_cookies`], and one `Authorization` at most, because
    /// products disagree on which of several counts.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if request.headers_named("authorization").nth(1).is_some() {
            return Err(Refusal::Malformed {
                field: "Authorization",
                rule: "must be given once",
            });
        }
        if request.cookie_count() > self.platform().max_cookies {
            return Err(Refusal::TooManyCredentials);
        }
        Ok(())
    }

    /// The same for a request to a sign-out endpoint, which must not be a fetch ahead of a click.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit_sign_out(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if is_prefetch(request) {
            log::info!(platform = self.platform().name.as_str(); "a fetch ahead of a click was refused");
            return Err(Refusal::Prefetch);
        }
        self.admit(request)
    }

    /// Looks at all credentials that `request` presents to this platform. A live one counts as
    /// used. Cookies are also read as servers do that take them in quotes, behind a comma or
    /// percent-encoded: an ended one must not get by in other clothes.
    ///
    /// # Errors
    /// The store did not answer; the proxy must deny.
    pub async fn check(
        &self,
        provider: &dyn UpstreamLogout,
        request: &Request<'_>,
    ) -> Result<CheckResult, StoreUnavailable> {
        let denied = |checked, reason: &str| {
            log::info!(platform = self.platform().name.as_str(), reason; "a request was denied");
            Ok(checked)
        };
        if is_prefetch(request)
            && may_sign_out(
                provider.endpoints(),
                request.path(),
                &self.platform().prefix,
            )
        {
            return denied(
                CheckResult::Prefetch,
                "a fetch of a sign-out ahead of a click",
            );
        }
        if provider.contradicts(request) {
            return denied(
                CheckResult::Ambiguous,
                "two different credentials in one place",
            );
        }
        match self.admit(request) {
            Ok(()) => {}
            Err(Refusal::TooManyCredentials) => {
                return denied(CheckResult::TooMany, "too many cookies");
            }
            Err(_) => return denied(CheckResult::Ambiguous, "several Authorization headers"),
        }
        let read = |request: &Request<'_>| provider.credentials(&provider.presented(request));
        let presented = read(request);
        let Some(bearers) = bearers(provider, request) else {
            return denied(CheckResult::TooMany, "too many credentials");
        };
        let is_several = bearers.len() > 1;
        let others: Vec<_> = other_readings(request)
            .iter()
            .map(read)
            .chain([bearers])
            .collect();
        // Each is cut one behind the limit, so what a longer one holds is not known here.
        if others
            .iter()
            .chain([&presented])
            .any(|credentials| credentials.len() > MOST_CREDENTIALS)
        {
            return denied(CheckResult::TooMany, "too many credentials");
        }
        let mut live: Vec<(&'static str, Arc<Session>)> = Vec::new();
        // One of another scheme is for somebody who is not known here: a password, the key of a
        // program.
        let mut has_unknown = request
            .header("authorization")
            .is_some_and(|value| read(&alone(request, value)).is_empty());
        for one in &presented {
            match self.look_up(one.purpose, one.secret.reveal()).await? {
                Lookup::Ended => return denied(CheckResult::Ended, "a credential has been ended"),
                Lookup::Live(session, _) => live.push((one.purpose, session)),
                Lookup::Unknown => has_unknown = true,
            }
        }
        let mut seen: HashSet<_> = presented
            .iter()
            .map(|one| (one.purpose, one.secret.reveal()))
            .collect();
        for one in others
            .iter()
            .flatten()
            .filter(|one| seen.insert((one.purpose, one.secret.reveal())))
        {
            match self.look_up(one.purpose, one.secret.reveal()).await? {
                Lookup::Ended => {
                    return denied(
                        CheckResult::Ended,
                        "a credential has been ended, in another spelling",
                    );
                }
                Lookup::Live(session, _) => live.push((one.purpose, session)),
                Lookup::Unknown => has_unknown = true,
            }
        }
        let contradicts = |(index, (purpose, session)): (usize, &(&str, Arc<Session>))| {
            live[..index]
                .iter()
                .any(|(other, known)| other == purpose && known.id != session.id)
        };
        if is_several || live.iter().enumerate().any(contradicts) {
            return denied(
                CheckResult::Ambiguous,
                "two different credentials for one purpose",
            );
        }
        if self.platform().check == CheckMode::Known && (has_unknown || live.is_empty()) {
            return denied(
                CheckResult::Unknown,
                if has_unknown {
                    "an unknown credential"
                } else {
                    "no credential"
                },
            );
        }
        let now = self.now();
        for (_, session) in live {
            self.note_use(&session, now).await?;
        }
        Ok(CheckResult::Passes)
    }
}

/// Whether a server behind the proxy may take `path` for one of these sign-outs, however it reads
/// paths. The proxy, or the caller, may have taken the prefix off.
fn may_sign_out(endpoints: &[Endpoint], path: &str, prefix: &str) -> bool {
    let prefix = loose_segments(prefix);
    loose_readings(path).iter().any(|reading| {
        let below = reading.strip_prefix(prefix.as_slice()).unwrap_or(reading);
        endpoints.iter().any(|endpoint| endpoint.resembles(below))
    })
}

/// The different credentials in an `Authorization` header that holds several values behind commas,
/// as intermediaries fold them; none where it holds one value only, and `None` where it holds more
/// than is looked at. What the vendor writes behind a comma and is no credential does not count.
fn bearers(
    provider: &dyn UpstreamLogout,
    request: &Request<'_>,
) -> Option<Vec<UpstreamCredential>> {
    let Some(value) = request
        .header("authorization")
        .filter(|value| value.contains(','))
    else {
        return Some(Vec::new());
    };
    if value.split(',').nth(2 * MOST_CREDENTIALS).is_some() {
        return None;
    }
    let read =
        |piece: &str| provider.credentials(&provider.presented(&alone(request, piece.trim())));
    Some(UpstreamCredential::each_once(
        value.split(',').flat_map(read),
    ))
}

/// The request with this `Authorization` and nothing else.
fn alone(request: &Request<'_>, authorization: &str) -> Request<'static> {
    Request::new(request.method(), request.path()).with_header("authorization", authorization)
}

/// What `request` is to servers that read cookies more generously than RFC 6265 has it: without the
/// quotes around a value (servlet containers), with a comma between two cookies (the older RFCs,
/// OWIN), percent-decoded (OWIN, ASP.NET Core). Each reading is a request of its own, because an
/// adapter may put a credential together from several cookies.
fn other_readings(request: &Request<'_>) -> Vec<Request<'static>> {
    let headers: Vec<&str> = request.headers_named("cookie").collect();
    let has = |mark: char| headers.iter().any(|header| header.contains(mark));
    let mut readings = Vec::new();
    for (separators, decoded) in [
        (&[';'][..], false),
        (&[';'][..], true),
        (&[';', ','][..], false),
        (&[';', ','][..], true),
    ] {
        if (separators.len() > 1 && !has(','))
            || (decoded && !has('%'))
            || (separators.len() == 1 && !decoded && !has('"'))
        {
            continue;
        }
        let read = |text: &str| {
            let text = text.trim();
            let text = text
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(text);
            if decoded {
                percent_decode_str(text).decode_utf8_lossy().into_owned()
            } else {
                text.to_owned()
            }
        };
        let mut reading =
            Request::new(request.method(), request.path()).with_query(request.raw_query());
        for (name, value) in request.headers().filter(|(name, _)| *name != "cookie") {
            reading = reading.with_header(name.to_owned(), value.to_owned());
        }
        for (name, value) in headers
            .iter()
            .flat_map(|header| header.split(separators))
            .filter_map(|pair| pair.split_once('='))
        {
            reading = reading.with_header("cookie", format!("{}={}", read(name), read(value)));
        }
        readings.push(reading);
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    #[test]
    fn a_path_that_some_server_takes_for_a_sign_out_may_be_one() {
        let endpoints = [
            Endpoint::new("out", &[Method::Get], "/services/logout", &[]),
            Endpoint::new("widget", &[Method::Get], "/{page}/**/SignOut", &["page"]),
        ];
        for (path, prefix, may) in [
            ("/services/logout", "", true),
            ("//services/./LOGOUT/", "", true),
            ("/services/logout;x/y", "", true),
            ("/page/../signout", "", true),
            ("/services/profile", "", false),
            ("/SignOut", "", false),
            ("/dam/services/logout", "/dam", true),
            ("//DAM//services/logout", "/dam", true),
            ("/x/../dam/services/logout", "/dam", true),
            // A proxy may have taken the prefix off.
            ("/services/logout", "/dam", true),
            ("/dam/services/profile", "/dam", false),
        ] {
            assert_eq!(
                may_sign_out(&endpoints, path, prefix),
                may,
                "{prefix} {path}"
            );
        }
    }
}
