//! What is said when the store does not answer: 503, never success, and cookies stay.

use crate::support::*;

#[test]
fn a_sign_out_is_unavailable_and_works_once_the_store_is_back() {
    let cms = Cms::new();
    let (alice, token, admin) = (cms.login("alice"), cms.token("alice"), cms.login("admin"));
    let requests = [
        alice.sends(sign_out("")),
        alice.sends(sign_out("sts_signout=true&redirect_uri=/home")),
        alice.sends(sign_out("redirect=false")),
        bearer(sign_out(""), &token),
        admin.sends(sign_out("provider=Default&username=alice")),
    ];
    cms.store().set_broken(true);
    for request in &requests {
        let response = cms.send(request.clone());
        assert_eq!(response.status(), 503);
        for name in [
            "location",
            "set-cookie",
            "logout-receipt",
            "x-authentication-error",
        ] {
            assert_eq!(header(&response, name), None, "{name}");
        }
        assert_eq!(
            header(&response, "cache-control"),
            Some("no-cache, no-store")
        );
    }
    cms.store().set_broken(false);
    assert!(cms.site_lives(&alice.site) && cms.token_lives(&token));
    for request in requests {
        assert!(matches!(cms.send(request).status(), 200 | 302));
    }
    assert!(
        !cms.site_lives(&alice.site) && !cms.token_lives(&token) && cms.site_lives(&admin.site)
    );
}

#[test]
fn probes_and_logins_are_unavailable_and_never_say_who_is_signed_in() {
    let cms = Cms::new();
    let (alice, token, anti_forgery) = (cms.login("alice"), cms.token("alice"), cms.anti_forgery());
    cms.store().set_broken(true);
    for path in [
        "/rest-api/login-status",
        "/api/default/users/current",
        "/sf/system/users/current",
        SIGN_IN,
    ] {
        let response = cms.send(alice.sends(get(path)));
        assert_eq!(
            (response.status(), header(&response, "set-cookie")),
            (503, None),
            "{path}"
        );
        assert!(
            !String::from_utf8_lossy(response.body()).contains("alice"),
            "{path}"
        );
    }
    assert_eq!(
        cms.send(bearer(get("/rest-api/login-status"), &token))
            .status(),
        503
    );
    let form = |path: &str, body: String| {
        post(path)
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(body)
    };
    for request in [
        form(
            "/sitefinity/login-handler",
            format!("username=alice&password=alice-password&sf_antiforgery={anti_forgery}"),
        ),
        form(
            "/sitefinity/oauth/token",
            "grant_type=password&username=alice&password=alice-password".to_owned(),
        ),
    ] {
        let response = cms.send(request);
        assert_eq!(
            (
                response.status(),
                header(&response, "set-cookie"),
                header(&response, "location")
            ),
            (503, None, None)
        );
        assert!(!String::from_utf8_lossy(response.body()).contains("access_token"));
    }
}
