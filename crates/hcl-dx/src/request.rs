//! What a sign-out request asks for. Pure.

use logout_core::message::Request;
use logout_core::receipt::Reach;
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    RequestedRedirect, SignOut, Target,
};

use crate::config::{Dialect, LogoutWithoutSession};

/// Where the documented core API begins.
pub(crate) const CORE_API: &str = "/dx/api/core/v1";

/// The core API's logout, below where it begins.
pub(crate) const CORE_LOGOUT_PATH: &str = "/auth/logout";

/// The core API's logout.
pub(crate) const CORE_LOGOUT: &str = "core-logout";
/// The portal's logout address.
pub(crate) const PORTAL_LOGOUT: &str = "portal-logout";
/// The application server's logout servlet, below the context root.
pub(crate) const SERVLET_LOGOUT: &str = "servlet-logout";
/// Its name, the last segment of its path. Documented: the server knows it at any application's
/// path.
pub(crate) const SERVLET_NAME: &str = "ibm_security_logout";
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
    /// A redirect to the exit page that was asked for, else the server's small page.
    Servlet,
    /// The target alone.
    Target,
}

/// Reads a sign-out. Never fails: documented is no body, and clients were observed to send any.
pub(crate) fn read(request: &Request<'_>, dialect: &Dialect) -> Asked {
    let answer = match request.endpoint() {
        CORE_LOGOUT => Answer::Object,
        PUBLIC_HOME => Answer::Page,
        SERVLET_LOGOUT => Answer::Servlet,
        // Documented: `autoRedirect=false`; whatever else the parameter holds changes nothing (our
        // choice).
        _ if request
            .query()
            .first("autoRedirect")
            .is_some_and(|value| value.eq_ignore_ascii_case("false")) =>
        {
            Answer::Target
        }
        _ => Answer::Redirect,
    };
    let absent = match (answer, dialect.config.logout_without_session) {
        // Observed: the servlet needs no login.
        (Answer::Page | Answer::Servlet, _) | (Answer::Object, LogoutWithoutSession::Ok) => {
            NoSessionPolicy::Succeed
        }
        _ => NoSessionPolicy::Reject,
    };
    let requested = if answer == Answer::Servlet {
        exit_page(request, dialect)
    } else {
        RequestedRedirect::Nothing
    };
    // Observed: the servlet redirects to an exit page only. A bad one leads to where every logout
    // leads (our choice).
    let stays = answer == Answer::Servlet && matches!(requested, RequestedRedirect::Nothing);
    Asked {
        sign_out: SignOut {
            credentials: dialect.presented(request),
            // Observed: of several tokens each is tried, and each that is ours is revoked.
            credential_policy: CredentialPolicy::All,
            csrf: CsrfProof::NotNeeded,
            client: None,
            target: Target::Caller,
            reach: Reach::Session,
            no_session: absent,
            redirect: PostLogoutRedirect {
                requested,
                policy: PostLogoutRedirectPolicy::Platform(dialect.redirects.clone()),
                default: (!stays).then(|| dialect.portal.after_logout.clone()),
                reject_invalid: false,
            },
        },
        answer,
    }
}

/// The exit page that a call of the servlet asks for. Query and form count together, as in the
/// servlet's own reading (documented), so that a value in each is one too many.
///
/// Observed: a path with a slash in front is below the context root, and any other one beside the
/// servlet's own address.
fn exit_page(request: &Request<'_>, dialect: &Dialect) -> RequestedRedirect {
    let (query, form) = (request.query(), request.form());
    match RequestedRedirect::from_values(
        query
            .all("logoutExitPage")
            .chain(form.all("logoutExitPage")),
    ) {
        RequestedRedirect::Address(address) => {
            let page = address.trim_matches(' ');
            // A second slash in front would make a host of what follows, and a backslash is read as
            // a slash.
            RequestedRedirect::Address(match page.strip_prefix('/') {
                Some(rest) if !rest.starts_with(['/', '\\']) => {
                    format!("{}{}{page}", dialect.prefix, dialect.portal.context)
                }
                Some(_) => page.to_owned(),
                None if is_relative(page) => {
                    let folder = request
                        .path()
                        .rsplit_once('/')
                        .map_or("", |(folder, _)| folder);
                    format!("{}{folder}/{page}", dialect.prefix)
                }
                None => page.to_owned(),
            })
        }
        other => other,
    }
}

/// Whether `page` is a path without a slash in front, and neither an absolute address nor something
/// that a browser may take for one.
fn is_relative(page: &str) -> bool {
    let before_path = page.split(['/', '?', '#']).next().unwrap_or_default();
    !before_path.contains(':') && !page.starts_with('\\')
}

#[cfg(test)]
mod tests {
    use logout_core::Method;
    use logout_core::platform::Platform;

    use super::*;
    use crate::HclDxConfig;

    fn asked(endpoint: &'static str, query: &str, without_session: LogoutWithoutSession) -> Asked {
        let config = HclDxConfig {
            logout_without_session: without_session,
            ..HclDxConfig::default()
        };
        let dialect = Dialect::new(
            config,
            &Platform::new("dx", "http://dx.example/".parse().unwrap()),
        )
        .unwrap();
        let request = Request::new(Method::Get, "/")
            .with_endpoint(endpoint, vec![])
            .with_query(query);
        read(
            &request.with_header("cookie", "LtpaToken2=a; LtpaToken2=b; LtpaToken=c"),
            &dialect,
        )
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
            assert_eq!(
                asked(PORTAL_LOGOUT, query, LogoutWithoutSession::Unauthorized).answer,
                answer,
                "{query}"
            );
            assert_eq!(
                asked(CORE_LOGOUT, query, LogoutWithoutSession::Unauthorized).answer,
                Answer::Object,
                "{query}"
            );
        }
    }

    #[test]
    fn an_absent_session_is_refused_but_where_the_operator_or_the_public_home_says_otherwise() {
        for (endpoint, without_session, absent) in [
            (
                CORE_LOGOUT,
                LogoutWithoutSession::Unauthorized,
                NoSessionPolicy::Reject,
            ),
            (
                CORE_LOGOUT,
                LogoutWithoutSession::Ok,
                NoSessionPolicy::Succeed,
            ),
            (
                PORTAL_LOGOUT,
                LogoutWithoutSession::Unauthorized,
                NoSessionPolicy::Reject,
            ),
            (
                PORTAL_LOGOUT,
                LogoutWithoutSession::Ok,
                NoSessionPolicy::Reject,
            ),
            (
                PUBLIC_HOME,
                LogoutWithoutSession::Unauthorized,
                NoSessionPolicy::Succeed,
            ),
        ] {
            assert_eq!(
                asked(endpoint, "", without_session).sign_out.no_session,
                absent,
                "{endpoint} {without_session:?}"
            );
        }
    }

    #[test]
    fn an_exit_page_is_read_from_query_and_form_and_resolved_as_the_servlet_does() {
        let asked = |path: &str, query: &str, form: &str, base: &str, context: &str| {
            let config = HclDxConfig {
                config_service: crate::ConfigService::default().with("uri.context.path", context),
                ..HclDxConfig::default()
            };
            let dialect =
                Dialect::new(config, &Platform::new("dx", base.parse().unwrap())).unwrap();
            let request = Request::new(Method::Post, path)
                .with_query(query)
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body(form)
                .with_endpoint(SERVLET_LOGOUT, vec![]);
            let asked = read(&request, &dialect);
            assert_eq!(
                (asked.answer, asked.sign_out.no_session),
                (Answer::Servlet, NoSessionPolicy::Succeed)
            );
            match asked.sign_out.redirect.requested {
                RequestedRedirect::Nothing => "nothing".to_owned(),
                RequestedRedirect::Bad(fault) => format!("{fault:?}"),
                RequestedRedirect::Address(address) => address,
            }
        };
        let deep = "/wps/portal/ibm_security_logout";
        for (query, form, requested) in [
            ("", "", "nothing"),
            ("logoutExitPage=", "", "nothing"),
            ("logoutExitPage=/portal", "", "/wps/portal"),
            ("", "logoutExitPage=%2Fportal%3Fa%3Db", "/wps/portal?a=b"),
            ("logoutExitPage=index.jsp", "", "/wps/portal/index.jsp"),
            ("logoutExitPage=a/b?c=d:e", "", "/wps/portal/a/b?c=d:e"),
            (
                "logoutExitPage=https://www.example.com/x",
                "",
                "https://www.example.com/x",
            ),
            ("logoutExitPage=//evil.example", "", "//evil.example"),
            ("logoutExitPage=/%5Cevil.example", "", "/\\evil.example"),
            ("logoutExitPage=%5C%5Cevil.example", "", "\\\\evil.example"),
            (
                "logoutExitPage=javascript:alert(1)",
                "",
                "javascript:alert(1)",
            ),
            ("logoutExitPage=/a&logoutExitPage=/a", "", "Duplicated"),
            ("logoutExitPage=/a", "logoutExitPage=/b", "Duplicated"),
            ("logoutexitpage=/a", "", "nothing"),
        ] {
            assert_eq!(
                asked(deep, query, form, "http://dx.example/", "/wps"),
                requested,
                "{query} {form}"
            );
        }
        let home = "logoutExitPage=/home";
        assert_eq!(
            asked("/ibm_security_logout", home, "", "http://dx.example/", ""),
            "/home"
        );
        assert_eq!(
            asked(
                "/wps/ibm_security_logout",
                home,
                "",
                "http://dx.example/below",
                "/wps"
            ),
            "/below/wps/home"
        );
        assert_eq!(
            asked(
                "/wps/ibm_security_logout",
                "logoutExitPage=x",
                "",
                "http://dx.example/below",
                "/wps"
            ),
            "/below/wps/x"
        );
    }

    #[test]
    fn every_token_is_presented_and_nothing_else() {
        assert_eq!(
            asked(CORE_LOGOUT, "", LogoutWithoutSession::Ok)
                .sign_out
                .credentials
                .len(),
            2
        );
    }
}
