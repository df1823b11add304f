use logout_core::platform::Platform;
use logout_core::redirect::RedirectError;

use super::*;
use crate::{App, WixConfig};

const APP: &str = "12345678-1234-1234-1234-123456789012";

fn dialect(change: impl FnOnce(&mut WixConfig)) -> Dialect {
    let mut config = WixConfig {
        apps: vec![App {
            client_id: APP.into(),
            ..App::default()
        }],
        ..WixConfig::default()
    };
    change(&mut config);
    Dialect::new(
        config,
        &Platform::new("shop", "http://shop.example/".parse().unwrap()),
    )
    .unwrap()
}

fn get(query: &str) -> Request<'static> {
    Request::new(Method::Get, "/v1/logout").with_query(query)
}

fn post(query: &str, media_type: &'static str, body: &str) -> Request<'static> {
    Request::new(Method::Post, "/v1/logout")
        .with_query(query)
        .with_header("content-type", media_type)
        .with_body(body)
}

fn claims(token: &str) -> Option<TokenClaims> {
    let vendor = [(CLIENT_CLAIM.to_owned(), APP.to_owned())].into();
    let text = String::new;
    token.ends_with("good").then(|| TokenClaims {
        iss: text(),
        aud: text(),
        sub: text(),
        jti: text(),
        iat: 0,
        exp: 0,
        vendor,
    })
}

fn asked(request: &Request<'_>) -> Result<Asked, Refusal> {
    read(request, &dialect(|_| {}), claims)
}

fn redirect(request: &Request<'_>) -> Result<Option<String>, Refusal> {
    asked(request).map(|asked| match asked.sign_out.redirect.requested {
        RequestedRedirect::Address(address) => Some(address),
        _ => None,
    })
}

#[test]
fn a_return_address_comes_from_the_body_before_the_query_and_only_once() {
    let json = "application/json";
    for (request, requested) in [
        (
            get("postLogoutRedirectUri=https%3A%2F%2Fa.test%2Fx%3Fa%3D1%26b%3D%C3%BC+x%23frag"),
            Some("https://a.test/x?a=1&b=ü x#frag"),
        ),
        (get("postLogoutRedirectUri=&clientId="), None),
        (get(""), None),
        (
            post(
                "postLogoutRedirectUri=https://q.test",
                json,
                r#"{"postLogoutRedirectUri":"https://b.test"}"#,
            ),
            Some("https://b.test"),
        ),
        (
            post(
                "postLogoutRedirectUri=https://q.test",
                json,
                r#"{"postLogoutRedirectUri":""}"#,
            ),
            Some("https://q.test"),
        ),
        (
            post("postLogoutRedirectUri=https://q.test", json, ""),
            Some("https://q.test"),
        ),
        (
            post(
                "",
                "application/x-www-form-urlencoded",
                "postLogoutRedirectUri=https://f.test",
            ),
            Some("https://f.test"),
        ),
        (
            post(
                "",
                "text/plain",
                r#"{"postLogoutRedirectUri":"https://b.test"}"#,
            ),
            None,
        ),
    ] {
        assert_eq!(
            redirect(&request),
            Ok(requested.map(str::to_owned)),
            "{request:?}"
        );
    }
    for (request, fault) in [
        (
            get("postLogoutRedirectUri=https://a.test&postLogoutRedirectUri=https://a.test"),
            RedirectError::Duplicated,
        ),
        (
            post(
                "",
                json,
                r#"{"postLogoutRedirectUri":"https://a.test","postLogoutRedirectUri":"https://b.test"}"#,
            ),
            RedirectError::Duplicated,
        ),
        (get("postLogoutRedirectUri=/home"), RedirectError::Relative),
        (
            get("postLogoutRedirectUri=//evil.test"),
            RedirectError::Relative,
        ),
        (
            get("postLogoutRedirectUri=javascript:alert(1)"),
            RedirectError::Scheme,
        ),
        (
            get("postLogoutRedirectUri=https://a.test/%0d%0aSet-Cookie:x=1"),
            RedirectError::ForbiddenCharacter,
        ),
    ] {
        assert_eq!(
            redirect(&request),
            Err(Refusal::RedirectRefused(fault)),
            "{request:?}"
        );
    }
}

#[test]
fn a_client_is_the_one_named_or_else_the_tokens() {
    let other = "22345678-1234-1234-1234-123456789012";
    let client = |request: &Request<'_>| {
        asked(request).map(|asked| {
            asked
                .sign_out
                .client
                .map(|claim| (claim.id.as_str().to_owned(), claim.known))
        })
    };
    let own = Some((APP.to_owned(), true));
    assert_eq!(
        client(&get(&format!("clientId={APP}&clientId=x"))),
        Ok(own.clone())
    );
    assert_eq!(
        client(&get(&format!("clientId={other}"))),
        Ok(Some((other.to_owned(), false)))
    );
    assert_eq!(client(&get("")), Ok(None));
    assert_eq!(
        client(&get("").with_header("authorization", "good")),
        Ok(own)
    );
    assert_eq!(
        client(&get("").with_header("authorization", "bad")),
        Ok(None)
    );
    let malformed = Err(Refusal::Malformed {
        field: "clientId",
        rule: "INVALID_GUID",
    });
    assert_eq!(client(&get("clientId=shop")), malformed);
    assert_eq!(
        client(&post(
            &format!("clientId={APP}"),
            "application/json",
            r#"{"clientId":"x"}"#
        )),
        malformed
    );
    let no_text = Err(Refusal::Malformed {
        field: "clientId",
        rule: "INVALID_TYPE",
    });
    assert_eq!(
        client(&post("", "application/json", r#"{"clientId":1}"#)),
        no_text
    );
}

#[test]
fn the_header_comes_before_the_ticket_and_the_ticket_before_cookies() {
    let request = get("ticket=t")
        .with_header("cookie", "smSession=a; x=y; smSession=b")
        .with_header("authorization", "good");
    let presented = asked(&request)
        .map(|asked| asked.sign_out.credentials)
        .unwrap();
    let kinds: Vec<_> = presented
        .iter()
        .map(|one| (one.by_cookie, one.vouched, !one.foreign))
        .collect();
    assert_eq!(
        kinds,
        [
            (false, true, true),
            (false, false, true),
            (true, false, true),
            (true, false, true)
        ]
    );
    let absent = |request: &Request<'_>| {
        asked(request).map(|asked| (asked.sign_out.no_session, asked.by_ticket))
    };
    assert_eq!(
        absent(&request),
        Ok((NoSessionPolicy::RejectUnrecognized, true))
    );
    assert_eq!(
        absent(&get("ticket=t")),
        Ok((NoSessionPolicy::Succeed, true))
    );
    assert_eq!(
        absent(&get("").with_header("authorization", "IST.x")),
        Ok((NoSessionPolicy::Succeed, false))
    );
}

#[test]
fn in_front_of_a_real_site_tokens_are_looked_up_and_neither_verified_nor_vouched_for() {
    let mut platform = Platform::new("shop", "http://shop.example/".parse().unwrap());
    platform.has_upstream = true;
    let config = WixConfig {
        apps: vec![App {
            client_id: APP.into(),
            ..App::default()
        }],
        ..WixConfig::default()
    };
    let shop = Dialect::new(config, &platform).unwrap();
    for token in ["good", "theirs"] {
        let asked = read(&get("").with_header("authorization", token), &shop, |_| {
            panic!("nothing is verified")
        })
        .unwrap();
        let presented = &asked.sign_out.credentials[0];
        assert_eq!(
            (
                presented.purpose,
                presented.secret.reveal(),
                presented.foreign
            ),
            (ACCESS, token, false)
        );
        assert!(!presented.vouched && asked.sign_out.client.is_none());
    }
}

#[test]
fn strict_platforms_want_something_of_a_members() {
    let strict = dialect(|config| config.require_authorization = true);
    let outcome = |request: &Request<'_>| read(request, &strict, claims).map(|_| ()).err();
    assert_eq!(outcome(&get("")), Some(Refusal::NotSignedIn));
    assert_eq!(
        outcome(&get("").with_header("authorization", "")),
        Some(Refusal::NotSignedIn)
    );
    assert_eq!(
        outcome(&get("").with_header("authorization", "IST.x")),
        Some(Refusal::Forbidden)
    );
    for some in [
        get("ticket=t"),
        get("").with_header("cookie", "smSession=a"),
        get("").with_header("authorization", "bad"),
    ] {
        assert_eq!(outcome(&some), None, "{some:?}");
    }
}
