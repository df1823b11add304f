//! What a sign-out request asks for. Pure.

use logout_core::message::Request;
use logout_core::receipt::Reach;
use logout_core::sign_out::{Absent, Choice, CsrfProof, Landing, LandingPolicy, SignOut, Target, Wanted};

use crate::config::{Dialect, LogoutWithoutSession};

/// Where the documented core API begins.
pub(crate) const CORE_API: &str = "/dx/api/core/v1";

/// The core API's logout, below where it begins.
pub(crate) const CORE_LOGOUT_PATH: &str = "/auth/logout";

/// The core API's logout.
pub(crate) const CORE_LOGOUT: &str = "core-logout";
/// The portal's logout address.
pub(crate) const PORTAL_LOGOUT: &str = "portal-logout";
/// The public home, where touching it signs out.
pub(crate) const PUBLIC_HOME: &str = "public-home";

/// What a request asks for, and how it wants to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) sign_out: SignOut,
    pub(crate) answer: Answer,
}

/// How a sign-out is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// The core API's object, with the target in it.
    Object,
    /// The public home.
    Page,
    /// A redirect to the target.
    Redirect,
    /// The target alone.
    Target,
}

/// Reads a sign-out. Never fails: documented is no body, and clients were observed to send any.
pub(crate) fn read(request: &Request, dialect: &Dialect) -> Asked {
    let answer = match request.endpoint() {
        CORE_LOGOUT => Answer::Object,
        PUBLIC_HOME => Answer::Page,
        // Documented: `autoRedirect=false`; whatever else the parameter holds changes nothing (our choice).
        _ if request.query().first("autoRedirect").is_some_and(|value| value.eq_ignore_ascii_case("false")) => Answer::Target,
        _ => Answer::Redirect,
    };
    let absent = match (answer, dialect.config.logout_without_session) {
        (Answer::Page, _) | (Answer::Object, LogoutWithoutSession::Ok) => Absent::Accept,
        _ => Absent::Refuse,
    };
    Asked {
        sign_out: SignOut {
            credentials: dialect.presented(request),
            // Observed: of several tokens each is tried, and each that is ours is revoked.
            choice: Choice::All,
            csrf: CsrfProof::NotNeeded,
            client: None,
            target: Target::Caller,
            reach: Reach::Session,
            absent,
            landing: Landing {
                wanted: Wanted::Nothing,
                policy: LandingPolicy::Platform(dialect.redirects.clone()),
                default: Some(dialect.portal.after_logout.clone()),
                refuse_bad: false,
            },
            first_sight: None,
        },
        answer,
    }
}

#[cfg(test)]
mod tests {
    use logout_core::Method;
    use logout_core::platform::Platform;

    use super::*;
    use crate::HclDxConfig;

    fn asked(endpoint: &'static str, query: &str, without_session: LogoutWithoutSession) -> Asked {
        let config = HclDxConfig { logout_without_session: without_session, ..HclDxConfig::default() };
        let dialect = Dialect::new(config, &Platform::new("dx", "http://dx.example/".parse().unwrap())).unwrap();
        let request = Request::new(Method::Get, "/").with_endpoint(endpoint, vec![]).with_query(query);
        read(&request.with_header("cookie", "LtpaToken2=a; LtpaToken2=b; LtpaToken=c"), &dialect)
    }

    #[test]
    fn only_auto_redirect_false_keeps_the_portal_from_redirecting() {
        for (query, answer) in [
            ("", Answer::Redirect),
            ("autoRedirect=false", Answer::Target),
            ("autoRedirect=FALSE", Answer::Target),
            ("autoRedirect=true", Answer::Redirect),
            ("autoRedirect=", Answer::Redirect),
            ("autoRedirect=0", Answer::Redirect),
            ("autoRedirect=no", Answer::Redirect),
            ("autoredirect=false", Answer::Redirect),
            ("autoRedirect=true&autoRedirect=false", Answer::Redirect),
            ("x=%zz&autoRedirect=fals%65", Answer::Target),
        ] {
            assert_eq!(asked(PORTAL_LOGOUT, query, LogoutWithoutSession::Unauthorized).answer, answer, "{query}");
            assert_eq!(asked(CORE_LOGOUT, query, LogoutWithoutSession::Unauthorized).answer, Answer::Object, "{query}");
        }
    }

    #[test]
    fn an_absent_session_is_refused_but_where_the_operator_or_the_public_home_says_otherwise() {
        for (endpoint, without_session, absent) in [
            (CORE_LOGOUT, LogoutWithoutSession::Unauthorized, Absent::Refuse),
            (CORE_LOGOUT, LogoutWithoutSession::Ok, Absent::Accept),
            (PORTAL_LOGOUT, LogoutWithoutSession::Unauthorized, Absent::Refuse),
            (PORTAL_LOGOUT, LogoutWithoutSession::Ok, Absent::Refuse),
            (PUBLIC_HOME, LogoutWithoutSession::Unauthorized, Absent::Accept),
        ] {
            assert_eq!(asked(endpoint, "", without_session).sign_out.absent, absent, "{endpoint} {without_session:?}");
        }
    }

    #[test]
    fn every_token_is_presented_and_nothing_else() {
        assert_eq!(asked(CORE_LOGOUT, "", LogoutWithoutSession::Ok).sign_out.credentials.len(), 2);
    }
}
