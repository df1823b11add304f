//! Cookies are removed with the attributes that they are set with.

use logout_core::cookie::{CookiePolicy, SameSite, Secure};
use logout_core::platform::Platform;

use crate::support::*;

const NAMES: [&str; 3] = [".AspNet.Cookies", "SF-TokenId", "idsrv"];

fn attributes(set_cookie: &str) -> Vec<&str> {
    let mut parts: Vec<_> = set_cookie.split("; ").skip(1).collect();
    parts.retain(|part| !part.starts_with("Max-Age") && !part.starts_with("Expires"));
    parts.sort_unstable();
    parts
}

fn cms(base: &str, cookies: CookiePolicy) -> Cms {
    let mut platform = Platform::new("cms", base.parse().unwrap());
    platform.cookies = cookies;
    Cms::at(platform)
}

#[test]
fn secure_follows_the_request_unless_configured() {
    for (secure, on_http, on_https) in [
        (Secure::Auto, false, true),
        (Secure::Always, true, true),
        (Secure::Never, false, false),
    ] {
        let mut policy = CookiePolicy::default();
        policy.secure = secure;
        let cms = cms("http://cms.example/", policy);
        for (https, expected) in [(false, on_http), (true, on_https)] {
            let login = cms.login_with(
                "alice",
                post("/sitefinity/login-handler").with_secure(https),
                "",
            );
            let sign_out = cms.send(sign_out("sts_signout=true").with_secure(https));
            for name in NAMES {
                for answer in [&login, &sign_out] {
                    let set = set_cookies(answer, name);
                    assert_eq!(set.len(), 1, "{name}");
                    assert_eq!(
                        attributes(set[0]).contains(&"Secure"),
                        expected,
                        "{secure:?} {https}: {set:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_sign_out_removes_each_cookie_exactly_as_logins_set_it() {
    for same_site in [SameSite::Lax, SameSite::None, SameSite::Strict] {
        for domain in ["", "example.com"] {
            for (base, path) in [
                ("http://cms.example/", "Path=/"),
                ("http://cms.example/a/cms", "Path=/a/cms"),
            ] {
                for https in [false, true] {
                    let mut policy = CookiePolicy::default();
                    policy.domain = domain.to_owned();
                    policy.same_site = same_site;
                    let cms = cms(base, policy);
                    let login = cms.login_with(
                        "alice",
                        post("/sitefinity/login-handler").with_secure(https),
                        "RememberMe=true",
                    );
                    let token_service = get(SIGN_IN).with_header(
                        "cookie",
                        format!("idsrv={}", cookie_set(&login, "idsrv").unwrap()),
                    );
                    let silent = cms.send(token_service.with_secure(https));
                    let sign_out = cms.send(sign_out("sts_signout=true").with_secure(https));
                    for name in NAMES {
                        let removals = set_cookies(&sign_out, name);
                        assert_eq!(
                            removals.len(),
                            if domain.is_empty() { 1 } else { 2 },
                            "with the twin that has no domain"
                        );
                        for removal in &removals {
                            assert!(
                                removal.starts_with(&format!("{name}=; "))
                                    && removal.contains("; Max-Age=0; "),
                                "{removal}"
                            );
                            assert!(
                                removal.ends_with("; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
                                "{removal}"
                            );
                        }
                        for set in set_cookies(&login, name)
                            .into_iter()
                            .chain(set_cookies(&silent, name))
                        {
                            assert_eq!(attributes(set), attributes(removals[0]), "{name}");
                            assert!(
                                attributes(set).contains(&"HttpOnly")
                                    && attributes(set).contains(&path),
                                "{set}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn which_cookies_go_depends_on_how_far_the_sign_out_reaches() {
    let cms = Cms::new();
    for (query, removed) in [
        ("", &NAMES[..2]),
        ("redirect=false", &NAMES[..2]),
        ("sts_signout=false", &NAMES[..2]),
        ("sts_signout=true", &NAMES[..]),
        ("username=alice", &NAMES[..]),
        ("username=bob", &[]),
    ] {
        let (alice, admin) = (cms.login("alice"), cms.token("admin"));
        let request = alice.sends(sign_out(query));
        let response = cms.send(if query == "username=bob" {
            bearer(request, &admin)
        } else {
            request
        });
        let names: Vec<_> = NAMES
            .into_iter()
            .filter(|name| !set_cookies(&response, name).is_empty())
            .collect();
        assert_eq!(names, removed, "{query}");
    }
}

#[test]
fn a_remembered_login_lasts_as_long_as_a_session_may_and_another_as_long_as_the_browser_runs() {
    let cms = Cms::new();
    for (field, remembered) in [
        ("RememberMe=true", true),
        ("rememberme=ON", true),
        ("RememberMe=false", false),
        ("", false),
    ] {
        let login = cms.login_with("alice", post("/sitefinity/login-handler"), field);
        for name in NAMES {
            assert_eq!(
                set_cookies(&login, name)[0].contains("Max-Age=43200"),
                remembered,
                "{field}"
            );
        }
    }
}

#[test]
fn below_a_prefix_the_root_and_the_token_services_form_are_below_it() {
    let cms = cms("http://cms.example/cms", CookiePolicy::default());
    for (query, location) in [
        ("", "/cms/"),
        ("redirect_uri=", "/cms/"),
        ("redirect_uri=~", "/cms/"),
        ("redirect_uri=%20home", "/cms/home"),
    ] {
        assert_eq!(
            header(&cms.send(sign_out(query)), "location"),
            Some(location),
            "{query}"
        );
    }
    let page = cms.send(get(SIGN_IN));
    let html = String::from_utf8_lossy(page.body()).into_owned();
    for part in [
        "action=\"/cms/sitefinity/login-handler\"",
        "name=\"RedirectUrl\" value=\"/cms/\"",
        "value=\"/cms/Sitefinity/Authenticate/",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert_eq!(cms.send(get("/")).status(), 200);
}
