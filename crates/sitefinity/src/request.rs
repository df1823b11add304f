//! What a sign-out request asks for. Pure.

use logout_core::message::Request;
use logout_core::receipt::Reach;
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    PresentedCredential, RequestedRedirect, SignOut, Target,
};

use crate::config::Dialect;
use crate::cookies;

/// The documented address.
pub(crate) const SIGN_OUT: &str = "sign-out";
/// The login widget's own link, below the page that the widget is on.
pub(crate) const WIDGET_SIGN_OUT: &str = "widget-sign-out";

/// The site's session, in its cookie.
pub(crate) const SITE: &str = "site";
/// The token service's session, in its cookie.
pub(crate) const TOKEN_SERVICE: &str = "token-service";
/// An OAuth2 access token.
pub(crate) const ACCESS: &str = "access";
/// An OAuth2 refresh token of a real site. No sign-out presents one; it is what a renewal is
/// recognised by.
pub(crate) const REFRESH: &str = "refresh";

/// What a request asks for, and how it wants to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) sign_out: SignOut,
    /// `redirect=false`: the answer is not a redirect.
    pub(crate) stays: bool,
}

/// Reads a sign-out. Never fails: what cannot be understood counts as absent. Parameters come from
/// the query, by POST too, and their names have no case (our choice).
pub(crate) fn read(request: &Request<'_>, dialect: &Dialect) -> Asked {
    if request.endpoint() == WIDGET_SIGN_OUT {
        return read_widget(request, dialect);
    }
    let query = request.query();
    let with_token_service = flag(query.first_ignoring_case("sts_signout")) == Some(true);
    let username = query
        .first_ignoring_case("username")
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let (target, reach) = match username {
        Some(name) => (
            Target::Subject(dialect.subject(query.first_ignoring_case("provider"), name)),
            Reach::Subject,
        ),
        // A real site is always asked to sign out of its token service too, so the answer has to
        // clear that cookie, and what is behind it counts.
        None if with_token_service || dialect.has_upstream => (Target::Caller, Reach::SignOn),
        None => (Target::Caller, Reach::Session),
    };
    let requested = match RequestedRedirect::from_values(query.all_ignoring_case("redirect_uri")) {
        // Observed in ASP.NET sites: `~/` means the application's root, which relative addresses
        // resolve against anyway.
        RequestedRedirect::Address(address) => {
            RequestedRedirect::Address(match address.trim_matches(' ').strip_prefix('~') {
                Some("") => dialect.root.as_str().to_owned(),
                Some(path) if path.starts_with('/') => format!("{}{path}", dialect.prefix),
                _ => address,
            })
        }
        other => other,
    };
    let redirect = PostLogoutRedirect {
        requested,
        policy: PostLogoutRedirectPolicy::Platform(dialect.redirects.clone()),
        default: Some(dialect.root.clone()),
        reject_invalid: false,
    };
    let stays = flag(query.first_ignoring_case("redirect")) == Some(false);
    Asked {
        sign_out: sign_out(request, target, reach, redirect, dialect),
        stays,
    }
}

/// Observed in the widget's source: it reads no parameter, takes GET and POST alike, signs out of
/// everything that the site's authentication knows, and redirects to the page that the widget names
/// or else to the page that it is on; to the root of the site where that may not be. Which page a
/// widget names is not known here.
fn read_widget(request: &Request<'_>, dialect: &Dialect) -> Asked {
    let path = request.path().trim_end_matches('/');
    let page = path.rsplit_once('/').map_or("", |(page, _)| page);
    let page = dialect
        .redirects
        .approve(&format!("{}{page}", dialect.prefix))
        .unwrap_or_else(|_| dialect.root.clone());
    let redirect = PostLogoutRedirect {
        requested: RequestedRedirect::Nothing,
        policy: PostLogoutRedirectPolicy::Platform(dialect.redirects.clone()),
        default: Some(page),
        reject_invalid: false,
    };
    Asked {
        sign_out: sign_out(request, Target::Caller, Reach::SignOn, redirect, dialect),
        stays: false,
    }
}

fn sign_out(
    request: &Request<'_>,
    target: Target,
    reach: Reach,
    redirect: PostLogoutRedirect,
    dialect: &Dialect,
) -> SignOut {
    SignOut {
        // The answer clears every cookie it was shown, so the session behind each of them has to
        // end.
        credentials: credentials(request, dialect, reach.max(dialect.reach) >= Reach::SignOn),
        credential_policy: CredentialPolicy::All,
        csrf: CsrfProof::NotNeeded,
        client: None,
        target,
        reach,
        // Observed: clients sign out to get rid of a cookie that the server already rejects, so an
        // unknown session is answered like a known one (docs/vendors/sitefinity.md, "Stale
        // cookie").
        no_session: NoSessionPolicy::Succeed,
        redirect,
    }
}

fn credentials(
    request: &Request<'_>,
    dialect: &Dialect,
    with_token_service: bool,
) -> Vec<PresentedCredential> {
    let sent: Vec<(&str, &str)> = request.all_cookies().collect();
    let by_token = bearer(request).map(|token| PresentedCredential::in_header(ACCESS, token));
    let site = cookies::values(&sent, dialect.session_cookie.name())
        .map(|value| PresentedCredential::in_cookie(SITE, value));
    let token_service = dialect.token_service_cookie.name();
    let token_service = cookies::values(&sent, token_service)
        .map(|value| PresentedCredential::in_cookie(TOKEN_SERVICE, value));
    PresentedCredential::each_once(
        by_token
            .into_iter()
            .chain(site)
            .chain(token_service.filter(|_| with_token_service)),
    )
}

/// The access token that a request presents.
pub(crate) fn bearer<'a>(request: &'a Request<'_>) -> Option<&'a str> {
    request
        .authorization("Bearer")
        .filter(|token| !token.is_empty())
}

fn flag(value: Option<&str>) -> Option<bool> {
    match value {
        Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use logout_core::Method;
    use logout_core::platform::Platform;
    use logout_core::redirect::{ApprovedUrl, RedirectError};
    use logout_core::session::Subject;

    use super::*;
    use crate::SitefinityConfig;

    fn dialect(base: &str) -> Dialect {
        Dialect::new(
            SitefinityConfig::default(),
            &Platform::new("cms", base.parse().unwrap()),
        )
        .unwrap()
    }

    fn asked(query: &str) -> Asked {
        read(
            &Request::new(Method::Get, "/Sitefinity/SignOut").with_query(query),
            &dialect("http://cms.example/"),
        )
    }

    #[test]
    fn the_token_service_is_signed_out_only_by_true() {
        for (query, reach) in [
            ("", Reach::Session),
            ("sts_signout=false", Reach::Session),
            ("sts_signout=maybe", Reach::Session),
            ("sts_signout=true", Reach::SignOn),
            ("STS_SignOut=TRUE", Reach::SignOn),
            ("sts_signout=true&sts_signout=false", Reach::SignOn),
        ] {
            assert_eq!(asked(query).sign_out.reach, reach, "{query}");
        }
    }

    #[test]
    fn a_user_is_named_by_provider_and_name_without_case() {
        for (query, target) in [
            (
                "provider=Default&username=MyUserName",
                Target::Subject(Subject::new("default", "myusername")),
            ),
            (
                "username=MyUserName",
                Target::Subject(Subject::new("default", "myusername")),
            ),
            (
                "Provider=LDAP&UserName=x",
                Target::Subject(Subject::new("ldap", "x")),
            ),
            (
                "provider=&username=x",
                Target::Subject(Subject::new("default", "x")),
            ),
            ("provider=Default", Target::Caller),
            ("username=", Target::Caller),
        ] {
            assert_eq!(asked(query).sign_out.target, target, "{query}");
        }
    }

    #[test]
    fn only_redirect_false_stays() {
        for (query, stays) in [
            ("", false),
            ("redirect=false", true),
            ("Redirect=FALSE", true),
            ("redirect=maybe", false),
            ("redirect=false&redirect=true", true),
        ] {
            assert_eq!(asked(query).stays, stays, "{query}");
        }
    }

    #[test]
    fn a_tilde_means_the_root_of_the_application() {
        for (requested, meant) in [
            ("~/home", "/cms/home"),
            ("~", "/cms/"),
            ("~/", "/cms/"),
            ("~//evil.test", "/cms//evil.test"),
            ("~home", "~home"),
        ] {
            let request = Request::new(Method::Get, "/Sitefinity/SignOut")
                .with_query(format!("redirect_uri={requested}"));
            let redirect = read(&request, &dialect("http://x.example/cms"))
                .sign_out
                .redirect;
            assert!(
                matches!(&redirect.requested, RequestedRedirect::Address(to) if to == meant),
                "{requested}: {:?}",
                redirect.requested
            );
        }
        assert!(matches!(
            asked("redirect_uri=a&redirect_uri=b")
                .sign_out
                .redirect
                .requested,
            RequestedRedirect::Bad(RedirectError::Duplicated)
        ));
    }

    #[test]
    fn the_widget_leads_back_to_its_page_and_reads_no_parameter() {
        for (base, path, redirect) in [
            ("http://x.example", "/news/SignOut", "/news"),
            ("http://x.example", "/a/b%20c/signout/", "/a/b%20c"),
            ("http://x.example/cms", "/news/SignOut", "/cms/news"),
            ("http://x.example", "/%5Cevil.test/SignOut", "/"),
            ("http://x.example", "/%2Fevil.test/SignOut", "/"),
        ] {
            let request = Request::new(Method::Get, path)
                .with_query("redirect_uri=/elsewhere&redirect=false&sts_signout=false&username=bob")
                .with_endpoint(WIDGET_SIGN_OUT, vec![]);
            let asked = read(&request, &dialect(base));
            assert_eq!(
                asked
                    .sign_out
                    .redirect
                    .default
                    .as_ref()
                    .map(ApprovedUrl::as_str),
                Some(redirect),
                "{path}"
            );
            assert!(
                matches!(
                    asked.sign_out.redirect.requested,
                    RequestedRedirect::Nothing
                ) && !asked.stays,
                "{path}"
            );
            assert_eq!(
                (asked.sign_out.target, asked.sign_out.reach),
                (Target::Caller, Reach::SignOn),
                "{path}"
            );
        }
    }

    #[test]
    fn bearer_comes_before_cookies_and_the_token_service_only_where_it_counts() {
        let request = Request::new(Method::Get, "/Sitefinity/SignOut")
            .with_header("cookie", ".AspNet.Cookies=a; idsrv=b; .AspNet.Cookies=c")
            .with_header("authorization", "Bearer t");
        let by_cookie = |query: &str| -> Vec<bool> {
            let request = request.clone().with_query(query);
            read(&request, &dialect("http://x.example"))
                .sign_out
                .credentials
                .iter()
                .map(|presented| presented.by_cookie)
                .collect()
        };
        assert_eq!(by_cookie(""), [false, true, true]);
        for query in ["sts_signout=true", "username=x"] {
            assert_eq!(by_cookie(query), [false, true, true, true], "{query}");
        }
        let mut platform = Platform::new("cms", "http://x.example".parse().unwrap());
        platform.reach = Reach::SignOn;
        let dialect = Dialect::new(SitefinityConfig::default(), &platform).unwrap();
        assert_eq!(read(&request, &dialect).sign_out.credentials.len(), 4);
    }

    #[test]
    fn in_front_of_a_real_site_the_token_service_always_counts() {
        let mut platform = Platform::new("cms", "http://x.example".parse().unwrap());
        platform.has_upstream = true;
        let dialect = Dialect::new(SitefinityConfig::default(), &platform).unwrap();
        let request = Request::new(Method::Get, "/Sitefinity/SignOut")
            .with_header("cookie", ".AspNet.Cookies=a; idsrv=b");
        for query in ["", "sts_signout=false", "sts_signout=true"] {
            let asked = read(&request.clone().with_query(query), &dialect).sign_out;
            assert_eq!(
                (asked.reach, asked.credentials.len()),
                (Reach::SignOn, 2),
                "{query}"
            );
        }
    }
}
