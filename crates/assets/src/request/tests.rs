use logout_core::platform::Platform;
use logout_core::ports::TokenClaims;
use logout_core::redirect::RedirectError;
use logout_suite::testing::RememberedTokens;

use super::*;
use crate::AssetsConfig;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn dialect(profile: Profile) -> Dialect {
    let config = AssetsConfig {
        profile,
        ..AssetsConfig::default()
    };
    Dialect::new(
        config,
        &Platform::new("dam", "http://dam.example/".parse().unwrap()),
    )
    .unwrap()
}

fn token(tokens: &RememberedTokens, issuer: &str, audience: &str, exp: u64) -> String {
    let claims = TokenClaims {
        iss: issuer.into(),
        aud: audience.into(),
        sub: "alice".into(),
        jti: "1".into(),
        iat: 0,
        exp,
        vendor: Default::default(),
    };
    tokens.mint(&claims).unwrap().reveal().to_owned()
}

fn read_as(profile: Profile, request: &Request<'_>, tokens: &RememberedTokens) -> SignOut {
    read(request, &dialect(profile), tokens, NOW)
}

#[test]
fn a_token_that_is_not_ours_or_over_never_reaches_the_store() {
    let tokens = RememberedTokens::default();
    let good = token(&tokens, "dam", TOKEN, 2_000);
    for (presented, ours) in [
        (good.as_str(), true),
        (&token(&tokens, "dam", TOKEN, 1_000), false),
        (&token(&tokens, "cms", TOKEN, 2_000), false),
        (&token(&tokens, "dam", "access", 2_000), false),
        ("e30.e30.x", false),
        ("null", false),
    ] {
        for request in [
            Request::new(Method::Post, "/services/logout")
                .with_header("authorization", format!("Bearer {presented}")),
            Request::new(Method::Post, "/services/logout")
                .with_header("cookie", format!("authToken={presented}")),
        ] {
            let credentials = read_as(Profile::Assets6, &request, &tokens).credentials;
            assert_eq!(
                credentials
                    .iter()
                    .map(|presented| !presented.foreign)
                    .collect::<Vec<_>>(),
                [ours],
                "{presented}"
            );
        }
    }
}

#[test]
fn in_front_of_a_real_instance_tokens_are_looked_up_and_not_verified() {
    let mut platform = Platform::new("dam", "http://dam.example/".parse().unwrap());
    platform.has_upstream = true;
    let dam = Dialect::new(AssetsConfig::default(), &platform).unwrap();
    let request = Request::new(Method::Post, "/services/logout")
        .with_header("cookie", "authToken=theirs")
        .with_header("authorization", "Bearer e30.e30.x");
    let found: Vec<_> = read(&request, &dam, &RememberedTokens::default(), NOW)
        .credentials
        .iter()
        .map(|one| (one.purpose, one.secret.reveal().to_owned()))
        .collect();
    assert_eq!(
        found,
        ["e30.e30.x", "theirs"].map(|value| (TOKEN, value.to_owned()))
    );
}

#[test]
fn the_bearer_token_comes_before_the_cookies_and_each_value_counts_once() {
    let request = Request::new(Method::Post, "/services/logout")
        .with_header(
            "cookie",
            "authToken=a; JSESSIONID=z; authToken=b; authToken=a; authToken=",
        )
        .with_header("authorization", "Bearerb");
    let by_cookie: Vec<bool> = read_as(Profile::Elvis6, &request, &RememberedTokens::default())
        .credentials
        .iter()
        .map(|one| one.by_cookie)
        .collect();
    assert_eq!(by_cookie, [false, true]);
}

#[test]
fn elvis_4_and_5_read_the_path_and_then_their_own_cookie_and_no_bearer() {
    let known = |value: &str| (SESSION_ID, value.to_owned());
    for (path, expected) in [
        (
            "/services/logout;jsessionid=p",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout;x=1;jsessionid=p",
            vec![known("p"), known("c")],
        ),
        ("/services/logout;jsessionid=", vec![known("c")]),
        (
            "/services;jsessionid=p/logout",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout;jsessionid=p/",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout;jsessionid=p;jsessionid=q",
            vec![known("p"), known("q"), known("c")],
        ),
        (
            "/services;jsessionid=q/logout;jsessionid=p;",
            vec![known("q"), known("p"), known("c")],
        ),
        (
            "/services/logout;jsessionid=p;jsessionid=p",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout%3Bjsessionid=p",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout;jsessioni%64=p",
            vec![known("p"), known("c")],
        ),
        (
            "/services/logout;jsessionid=%70",
            vec![known("%70"), known("p"), known("c")],
        ),
        ("/services/logout", vec![known("c")]),
    ] {
        let request = Request::new(Method::Get, path)
            .with_header("cookie", "authToken=a; JSESSIONID=c")
            .with_header("authorization", "Bearer b");
        let found: Vec<_> = read_as(Profile::Elvis5, &request, &RememberedTokens::default())
            .credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn two_sessions_in_one_path_contradict_each_other() {
    for (path, contradicts) in [
        ("/services/logout", false),
        ("/services/logout;jsessionid=p", false),
        ("/services/logout;jsessionid=p;jsessionid=p", false),
        ("/services/logout;jsessionid=p;jsessionid=", false),
        ("/services/logout;jsessionid=p;jsessionid=q", true),
        ("/services;jsessionid=p/logout;jsessionid=q", true),
        ("/services/logout;jsessionid=%70", true),
    ] {
        let request = Request::new(Method::Get, path);
        assert_eq!(
            super::contradicts(&request, &dialect(Profile::Elvis5)),
            contradicts,
            "{path}"
        );
        assert!(
            !super::contradicts(&request, &dialect(Profile::Assets6)),
            "{path}"
        );
    }
}

#[test]
fn only_the_redirecting_form_takes_a_return_address_needs_no_proof_and_accepts_strangers() {
    let tokens = RememberedTokens::default();
    let request = Request::new(Method::Get, "/").with_query("logoutSuccessUrl=%2Fa");
    let redirecting = read_as(
        Profile::Assets6,
        &request.clone().with_endpoint(LOGOUT_AND_REDIRECT, vec![]),
        &tokens,
    );
    assert!(
        matches!(redirecting.redirect.requested, RequestedRedirect::Address(ref to) if to == "/a")
    );
    assert!(
        matches!(redirecting.csrf, CsrfProof::NotNeeded)
            && redirecting.no_session == NoSessionPolicy::Succeed
    );
    let service = read_as(
        Profile::Assets6,
        &request.with_endpoint(LOGOUT, vec![]),
        &tokens,
    );
    assert!(matches!(
        service.redirect.requested,
        RequestedRedirect::Nothing
    ));
    assert!(
        matches!(service.csrf, CsrfProof::Presented(None))
            && service.no_session == NoSessionPolicy::Reject
    );
}

#[test]
fn a_return_address_is_read_from_query_and_form_and_two_are_one_too_many() {
    for (query, body, requested) in [
        ("", "", None),
        ("logoutSuccessUrl=", "", None),
        ("logoutSuccessUrl=/a", "", Some(Ok("/a"))),
        ("", "logoutSuccessUrl=/b", Some(Ok("/b"))),
        (
            "logoutSuccessUrl=/a",
            "logoutSuccessUrl=/a",
            Some(Err(RedirectError::Duplicated)),
        ),
        (
            "logoutSuccessUrl=/a&logoutSuccessUrl=/b",
            "",
            Some(Err(RedirectError::Duplicated)),
        ),
        ("LogoutSuccessUrl=/a", "", None),
    ] {
        let request = Request::new(Method::Post, "/logout")
            .with_query(query)
            .with_header(
                "content-type",
                "application/x-www-form-urlencoded; charset=UTF-8",
            )
            .with_body(body)
            .with_endpoint(LOGOUT_AND_REDIRECT, vec![]);
        let asked = read_as(Profile::Assets6, &request, &RememberedTokens::default());
        let found = match &asked.redirect.requested {
            RequestedRedirect::Address(address) => Some(Ok(address.as_str())),
            RequestedRedirect::Bad(fault) => Some(Err(*fault)),
            RequestedRedirect::Nothing => None,
        };
        assert_eq!(found, requested, "{query} {body}");
    }
}

#[test]
fn from_6_on_the_service_takes_post_only() {
    for (profile, methods) in [
        (Profile::Assets6, vec![Method::Post]),
        (Profile::Elvis6, vec![Method::Post]),
        (Profile::Elvis5, vec![Method::Get, Method::Post]),
        (Profile::Elvis4, vec![Method::Get, Method::Post]),
    ] {
        let endpoints = endpoints(profile);
        assert_eq!(endpoints[0].methods(), methods, "{profile:?}");
        assert_eq!(
            endpoints[1].methods(),
            [Method::Get, Method::Post],
            "{profile:?}"
        );
        assert_eq!(
            endpoints[0]
                .matches("/services/logout;jsessionid=1")
                .is_some(),
            !profile.has_tokens(),
            "{profile:?}"
        );
    }
}
