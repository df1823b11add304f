//! The portal's logout address, its two homes, and where a logout leads.

use logout_core::cookie::{SameSite, Secure};
use logout_core::message::{Method, Request};
use logout_hcl_dx::{HclDxConfig, HclDxProvider};
use logout_suite::testing::StandIn;

use crate::support::*;

const IDP: &str =
    "https://idp.example/logout?post_logout_redirect_uri=https://h/wps/portal&client_id=x";

/// What the core API says and where the portal sends, for the same configuration.
fn after_logout(config: &HclDxConfig) -> (String, String) {
    let dx = dx(config.clone());
    let core = json(&dx.send(cookie(post(LOGOUT), &log_in(&dx, "alice"))));
    let portal = dx.send(cookie(get(PORTAL_LOGOUT), &log_in(&dx, "alice")));
    assert_eq!(portal.status(), 302);
    (
        core["redirectUrl"].as_str().unwrap().to_owned(),
        header(&portal, "location").unwrap().to_owned(),
    )
}

fn assert_leads_to(config: &HclDxConfig, page: &str) {
    assert_eq!(after_logout(config), (page.to_owned(), page.to_owned()));
}

#[test]
fn the_portals_logout_redirects_to_what_the_core_api_says_and_ends_the_same_session() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let logout = dx.send(cookie(get(PORTAL_LOGOUT), &token));
    assert_eq!(
        (logout.status(), header(&logout, "location")),
        (302, Some(PUBLIC_PAGE))
    );
    assert_eq!(cleared(&logout), ["LtpaToken2"]);
    assert!(logout.body().is_empty() && header(&logout, "logout-receipt").is_some());
    assert_eq!(header(&logout, "cache-control"), Some("no-store"));
    assert_dead(&dx, &token);
    assert_leads_to(&config(), PUBLIC_PAGE);
}

#[test]
fn auto_redirect_false_hands_the_target_out_instead() {
    let dx = dx(config());
    for value in ["false", "FALSE", "False"] {
        let token = log_in(&dx, "alice");
        let logout = dx.send(cookie(
            get(PORTAL_LOGOUT).with_query(format!("autoRedirect={value}")),
            &token,
        ));
        assert_eq!((logout.status(), header(&logout, "location")), (200, None));
        assert_eq!(
            String::from_utf8_lossy(logout.body()),
            r#"{"redirectUrl":"http://dx.example/wps/portal"}"#
        );
        assert_eq!(cleared(&logout), ["LtpaToken2"]);
        assert_dead(&dx, &token);
    }
}

#[test]
fn any_other_value_of_auto_redirect_changes_nothing() {
    let dx = dx(config());
    for query in [
        "",
        "autoRedirect=true",
        "autoRedirect=",
        "autoRedirect=0",
        "autoRedirect",
        "autoRedirect=%ff",
        "x=%",
    ] {
        let token = log_in(&dx, "alice");
        let logout = dx.send(cookie(get(PORTAL_LOGOUT).with_query(query), &token));
        assert_eq!(
            (logout.status(), header(&logout, "location")),
            (302, Some(PUBLIC_PAGE)),
            "{query}"
        );
        assert!(!is_alive(&dx, &token));
    }
}

#[test]
fn the_logout_address_has_a_few_spellings_and_no_others() {
    let dx = dx(config());
    let bare = PORTAL_LOGOUT.trim_end_matches('/');
    for path in [
        bare.to_owned(),
        PORTAL_LOGOUT.replace('!', "%21"),
        bare.replace('!', "%21"),
    ] {
        let token = log_in(&dx, "alice");
        assert_eq!(dx.send(cookie(get(&path), &token)).status(), 302, "{path}");
        assert!(!is_alive(&dx, &token), "{path}");
    }
    let token = log_in(&dx, "alice");
    for path in [
        PORTAL_LOGOUT.replace("04_S", "04_T"),
        PORTAL_LOGOUT.replace("a1", "a0"),
        PORTAL_LOGOUT.to_lowercase(),
        PORTAL_LOGOUT.replace("/myportal", "/portal"),
        format!("{PORTAL_LOGOUT}/"),
        "/wps/myportal/!ut/p/a1/".to_owned(),
    ] {
        assert_eq!(dx.send(cookie(get(&path), &token)).status(), 404, "{path}");
    }
    assert_eq!(dx.send(cookie(post(PORTAL_LOGOUT), &token)).status(), 405);
    assert_eq!(
        dx.send(cookie(Request::new(Method::Head, PORTAL_LOGOUT), &token))
            .status(),
        405
    );
    assert!(is_alive(&dx, &token));
}

#[test]
fn without_a_session_the_portals_logout_leads_to_the_public_home_never_to_the_configured_page() {
    let dx = dx(with_properties(&[
        ("redirect.logout", true.into()),
        ("redirect.logout.url", IDP.into()),
    ]));
    for query in ["", "autoRedirect=false"] {
        for (request, clears) in [
            (get(PORTAL_LOGOUT), 0),
            (cookie(get(PORTAL_LOGOUT), "stale"), 1),
        ] {
            let response = dx.send(request.with_query(query));
            assert_eq!(
                (response.status(), header(&response, "location")),
                (302, Some(PUBLIC_PAGE))
            );
            assert_eq!(cleared(&response).len(), clears);
        }
    }
}

#[test]
fn a_configured_page_is_handed_on_byte_for_byte() {
    assert_leads_to(
        &with_properties(&[
            ("redirect.logout", true.into()),
            ("redirect.logout.url", IDP.into()),
        ]),
        IDP,
    );
}

#[test]
fn a_configured_page_has_no_effect_without_its_switch() {
    assert_leads_to(
        &with_properties(&[
            ("redirect.logout", false.into()),
            ("redirect.logout.url", IDP.into()),
        ]),
        PUBLIC_PAGE,
    );
    assert_leads_to(
        &with_properties(&[("redirect.logout.url", IDP.into())]),
        PUBLIC_PAGE,
    );
}

#[test]
fn the_computed_page_follows_scheme_host_and_port_of_the_properties() {
    let on = ("redirect.logout", true.into());
    let ssl = ("redirect.logout.ssl", true.into());
    assert_leads_to(&with_properties(std::slice::from_ref(&on)), PUBLIC_PAGE);
    assert_leads_to(
        &with_properties(&[on.clone(), ssl.clone()]),
        "https://dx.example/wps/portal",
    );
    let host = [
        on,
        ssl,
        ("host.name", "portal.example.com".into()),
        ("host.port.https", 8443.into()),
    ];
    assert_leads_to(
        &with_properties(&host),
        "https://portal.example.com:8443/wps/portal",
    );
}

#[test]
fn the_switch_for_https_leaves_a_configured_page_alone() {
    let page = "http://portal.example.com/bye";
    let properties = [
        ("redirect.logout", true.into()),
        ("redirect.logout.ssl", true.into()),
        ("redirect.logout.url", page.into()),
    ];
    assert_leads_to(&with_properties(&properties), page);
}

#[test]
fn no_header_of_a_request_gets_into_an_answer() {
    let dx = dx(config());
    let forge = |request: Request<'static>| {
        [
            "host",
            "x-forwarded-host",
            "forwarded",
            "x-original-host",
            "origin",
            "referer",
        ]
        .iter()
        .fold(request, |request, name| {
            request.with_header(*name, "host=evil.example")
        })
    };
    let core = dx.send(forge(cookie(post(LOGOUT), &log_in(&dx, "alice"))));
    let portal = dx.send(forge(cookie(get(PORTAL_LOGOUT), &log_in(&dx, "alice"))));
    let target = dx.send(forge(cookie(
        get(PORTAL_LOGOUT).with_query("autoRedirect=false"),
        &log_in(&dx, "alice"),
    )));
    let without = dx.send(forge(get(PORTAL_LOGOUT)));
    for response in [core, portal, target, without] {
        assert!(
            response
                .headers()
                .iter()
                .all(|(_, value)| !value.contains("evil"))
        );
        assert!(!String::from_utf8_lossy(response.body()).contains("evil"));
    }
}

#[test]
fn clearing_repeats_domain_secure_and_same_site() {
    let mut platform = platform();
    platform.cookies.secure = Secure::Always;
    platform.cookies.domain = "example".into();
    platform.cookies.same_site = SameSite::None;
    let dx = StandIn::new(platform, |platform| {
        HclDxProvider::new(config(), platform).unwrap()
    });
    let token = log_in(&dx, "alice");
    let set = dx.send(login_request("alice", "alice-password"));
    let attributes = |value: &str| {
        let mut parts: Vec<String> = value.split("; ").skip(1).map(str::to_owned).collect();
        parts.retain(|part| !part.starts_with("Max-Age") && !part.starts_with("Expires"));
        parts.sort();
        parts
    };
    let logout = dx.send(cookie(get(PORTAL_LOGOUT), &token));
    let first = header(&logout, "set-cookie").unwrap();
    assert_eq!(
        attributes(first),
        attributes(header(&set, "set-cookie").unwrap())
    );
    assert_eq!(
        attributes(first),
        [
            "Domain=example",
            "HttpOnly",
            "Path=/",
            "SameSite=None",
            "Secure"
        ]
    );
}

#[test]
fn below_a_prefix_the_cookie_is_still_for_the_whole_host() {
    let platform =
        logout_core::platform::Platform::new("dx", "http://dx.example/below".parse().unwrap());
    let dx = StandIn::new(platform, |platform| {
        HclDxProvider::new(config(), platform).unwrap()
    });
    let set = dx.send(login_request("alice", "alice-password"));
    assert!(
        header(&set, "set-cookie").unwrap().contains("; Path=/;")
            || header(&set, "set-cookie").unwrap().ends_with("; Path=/")
    );
    let logout = dx.send(cookie(get(PORTAL_LOGOUT), &log_in(&dx, "alice")));
    assert_eq!(
        header(&logout, "location"),
        Some("http://dx.example/below/wps/portal")
    );
}

#[test]
fn the_logout_address_and_the_computed_page_move_with_the_context_root() {
    for context in ["", "/intra/net"] {
        let dx = dx(with_properties(&[
            ("uri.context.path", context.into()),
            ("uri.home.protected", "mine".into()),
        ]));
        let token = log_in(&dx, "alice");
        assert_eq!(dx.send(cookie(get(PORTAL_LOGOUT), &token)).status(), 404);
        let path = PORTAL_LOGOUT.replace("/wps/myportal", &format!("{context}/mine"));
        let logout = dx.send(cookie(get(&path), &token));
        assert_eq!(
            header(&logout, "location"),
            Some(format!("http://dx.example{context}/portal").as_str())
        );
        assert!(!is_alive(&dx, &token));
    }
}

#[test]
fn another_navigational_state_can_be_the_logout_address() {
    let dx = dx(HclDxConfig {
        logout_state: "z1/logout".into(),
        ..config()
    });
    let token = log_in(&dx, "alice");
    assert_eq!(dx.send(cookie(get(PORTAL_LOGOUT), &token)).status(), 404);
    assert_eq!(
        dx.send(cookie(get("/wps/myportal/!ut/p/z1/logout/"), &token))
            .status(),
        302
    );
    assert!(!is_alive(&dx, &token));
}

#[test]
fn the_homes_say_who_is_signed_in_and_the_protected_one_lets_nobody_else_in() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    for path in [
        "/wps/portal",
        "/wps/portal/",
        "/wps/myportal",
        "/wps/myportal/",
    ] {
        let page = dx.send(cookie(get(path), &token));
        assert!(
            page.status() == 200
                && String::from_utf8_lossy(page.body()).contains("Signed in: alice."),
            "{path}"
        );
    }
    assert!(
        String::from_utf8_lossy(dx.send(get("/wps/portal")).body())
            .contains("Nobody is signed in.")
    );
    let outside = dx.send(get("/wps/myportal"));
    assert_eq!(
        (outside.status(), header(&outside, "location")),
        (302, Some(PUBLIC_PAGE))
    );
    assert!(is_alive(&dx, &token));
}

#[test]
fn with_substitution_who_is_signed_in_is_sent_to_the_protected_home() {
    let dx = dx(with_properties(&[
        ("uri.home.substitution", true.into()),
        ("logout.user.onpublic", true.into()),
    ]));
    let token = log_in(&dx, "alice");
    let page = dx.send(cookie(get("/wps/portal"), &token));
    assert_eq!(
        (page.status(), header(&page, "location")),
        (302, Some("http://dx.example/wps/myportal"))
    );
    assert!(is_alive(&dx, &token));
    assert_eq!(dx.send(get("/wps/portal")).status(), 200);
}

#[test]
fn touching_the_public_home_signs_out_where_the_operator_says_so() {
    let dx = dx(with_properties(&[("logout.user.onpublic", true.into())]));
    let token = log_in(&dx, "alice");
    let page = dx.send(cookie(get("/wps/portal"), &token));
    assert_eq!(page.status(), 200);
    assert_eq!(cleared(&page), ["LtpaToken2"]);
    assert!(String::from_utf8_lossy(page.body()).contains("Nobody is signed in."));
    assert_dead(&dx, &token);
}
