use base64::engine::general_purpose::STANDARD;
use logout_core::Method;
use serde_json::json;

use super::*;
use crate::paths::AUTHORIZE;
use crate::upstream::tests::{
    APP, JSON, NOW, anonymous, answer, authorize, dialect, exchange, log_in, post, refresh,
    sign_out_link, told,
};

#[test]
fn a_grant_brings_its_tokens_and_renews_what_it_was_given_for() {
    let granted = |body: &Value| answer(200, &[("content-type", JSON)], &body.to_string());
    let both = json!({ "access_token": "A", "refresh_token": "R", "expires_in": 14400 });
    let fortnight = 1_790_000_000 + 14 * 24 * 60 * 60;
    for (request, body, others, renews, expires) in [
        (
            anonymous(),
            both.clone(),
            vec![(REFRESH, "R")],
            None,
            fortnight,
        ),
        (
            exchange("C"),
            both.clone(),
            vec![(REFRESH, "R")],
            Some((CODE, "C")),
            fortnight,
        ),
        (
            refresh("R"),
            both.clone(),
            vec![(REFRESH, "R")],
            Some((REFRESH, "R")),
            fortnight,
        ),
        (
            refresh("R"),
            json!({ "access_token": "A", "expires_in": 60 }),
            vec![(REFRESH, "R")],
            Some((REFRESH, "R")),
            fortnight,
        ),
        (
            refresh("old"),
            both.clone(),
            vec![(REFRESH, "R")],
            Some((REFRESH, "old")),
            fortnight,
        ),
        (
            anonymous(),
            json!({ "access_token": "A", "expires_in": 60 }),
            vec![],
            None,
            1_790_000_060,
        ),
        (
            Request::new(Method::Post, "/oauth2/token")
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body(format!(
                    "client_id={APP}&grant_type=refresh_token&refresh_token=R"
                ))
                .with_endpoint(stand_in::TOKEN, vec![]),
            both.clone(),
            vec![(REFRESH, "R")],
            Some((REFRESH, "R")),
            fortnight,
        ),
    ] {
        let learned = parse_login(&request, &granted(&body), NOW, &dialect()).unwrap();
        assert_eq!(
            told(&learned.session),
            (vec![], Some("A"), others),
            "{body}"
        );
        assert_eq!(learned.session.client, Some(ClientId::new(APP)));
        assert_eq!(
            learned
                .renews
                .as_ref()
                .map(|before| (before.purpose, before.secret.reveal())),
            renews
        );
        assert_eq!(
            learned.expires.map(Timestamp::as_secs),
            Some(expires),
            "{body}"
        );
    }
    let enveloped =
        json!({ "statusCode": 200, "headers": [], "body": STANDARD.encode(both.to_string()) });
    assert!(parse_login(&anonymous(), &granted(&enveloped), NOW, &dialect()).is_some());
    let raw = json!({ "body": STANDARD.encode(refresh("old").body()), "method": "POST" });
    let learned = parse_login(
        &post(stand_in::TOKEN, "/_api/oauth2/token", &raw),
        &granted(&enveloped),
        NOW,
        &dialect(),
    )
    .unwrap();
    assert_eq!(
        learned
            .renews
            .map(|before| before.secret.reveal().to_owned()),
        Some("old".to_owned())
    );
}

#[test]
fn a_grant_that_is_refused_or_not_of_a_persons_brings_nothing() {
    let body = json!({ "access_token": "A", "refresh_token": "R" }).to_string();
    for (status, body) in [
        (400, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"access_token":""}"#),
        (200, r#"{"access_token":1}"#),
        (200, "<html></html>"),
        (200, ""),
        (401, body.as_str()),
        (500, body.as_str()),
    ] {
        for request in [anonymous(), exchange("C"), refresh("R")] {
            assert!(
                parse_login(&request, &answer(status, &[], body), NOW, &dialect()).is_none(),
                "{status} {body}"
            );
        }
    }
    for grant in ["client_credentials", "authorized_client", ""] {
        let request = post(
            stand_in::TOKEN,
            "/oauth2/token",
            &json!({ "clientId": APP, "grantType": grant }),
        );
        assert!(
            parse_login(&request, &answer(200, &[], &body), NOW, &dialect()).is_none(),
            "{grant}"
        );
    }
    let elsewhere = anonymous().with_endpoint("member", vec![]);
    assert!(parse_login(&elsewhere, &answer(200, &[], &body), NOW, &dialect()).is_none());
}

#[test]
fn a_token_says_whose_it_is_where_it_can_be_read() {
    let token = |payload: &Value| {
        format!(
            "{TOKEN_PREFIX}e30.{}.x",
            URL_SAFE_NO_PAD.encode(payload.to_string())
        )
    };
    let real = |instance: Value| {
        token(&json!({ "data": json!({ "instance": instance }).to_string(), "exp": 1 }))
    };
    let subject = |access: &str, request: &Request<'_>| {
        let body = json!({ "access_token": access, "refresh_token": "R" }).to_string();
        parse_login(request, &answer(200, &[], &body), NOW, &dialect())
            .unwrap()
            .subject
    };
    for (access, own) in [
        (
            real(json!({ "uid": "9C9F-M", "aid": "a" })),
            Subject::new("", "9c9f-m"),
        ),
        (
            real(json!({ "aid": "3E50" })),
            Subject::new(VISITOR, "3e50"),
        ),
        (token(&json!({ "sub": "M1" })), Subject::new("", "m1")),
    ] {
        assert_eq!(subject(&access, &refresh("R")), own);
    }
    assert_eq!(
        subject(&token(&json!({ "sub": "v1" })), &anonymous()),
        Subject::new(VISITOR, "v1")
    );
    let unreadable = [
        token(&json!([])),
        "opaque".to_owned(),
        format!("{TOKEN_PREFIX}a.%.c"),
        real(json!(1)),
    ];
    let mut unnamed: Vec<_> = unreadable
        .iter()
        .map(|access| subject(access, &exchange("C")))
        .collect();
    assert!(
        unnamed
            .iter()
            .all(|subject| subject.realm.is_empty() && crate::guid::is_guid(&subject.name))
    );
    unnamed.sort();
    unnamed.dedup();
    assert_eq!(
        unnamed.len(),
        unreadable.len(),
        "nobody is taken for somebody else"
    );
}

#[test]
fn a_login_is_learned_by_its_session_token_under_the_members_address() {
    let visitor = format!(
        "e30.{}.x",
        URL_SAFE_NO_PAD.encode(json!({ "client_id": APP }).to_string())
    );
    let succeeded = |identity: Value| {
        json!({ "state": "SUCCESS", "sessionToken": "T", "identity": identity }).to_string()
    };
    for (identity, name) in [
        (
            json!({ "id": "1", "email": { "address": "Alice@Example.com" } }),
            "alice@example.com",
        ),
        (json!({ "id": "1" }), "bob@example.com"),
        (json!(null), "bob@example.com"),
    ] {
        let request = log_in("Bob@example.com", "x", &visitor);
        let learned = parse_login(
            &request,
            &answer(200, &[], &succeeded(identity)),
            NOW,
            &dialect(),
        )
        .unwrap();
        assert_eq!(learned.subject, Subject::new("", name));
        assert_eq!(
            told(&learned.session),
            (vec![], None, vec![(SESSION_TOKEN, "T")])
        );
        assert_eq!(learned.session.client, Some(ClientId::new(APP)));
        assert!(learned.renews.is_none());
    }
    for (status, body) in [
        (
            401,
            json!({ "message": "", "details": { "applicationError": { "code": "-19976" } } })
                .to_string(),
        ),
        (
            200,
            json!({ "state": "REQUIRE_EMAIL_VERIFICATION", "stateToken": "T" }).to_string(),
        ),
        (200, json!({ "state": "SUCCESS" }).to_string()),
        (200, json!({ "sessionToken": "T" }).to_string()),
        (200, "<html></html>".to_owned()),
        (500, succeeded(json!(null))),
    ] {
        assert!(
            parse_login(
                &log_in("bob", "x", "v"),
                &answer(status, &[], &body),
                NOW,
                &dialect()
            )
            .is_none(),
            "{status} {body}"
        );
    }
}

#[test]
fn an_authorization_is_learned_by_its_code_and_its_cookie() {
    let sets = ("set-cookie", "smSession=m; Path=/; HttpOnly");
    let by_cookie = Request::new(Method::Get, AUTHORIZE)
        .with_query(format!("clientId={APP}"))
        .with_header("cookie", "smSession=old; svSession=v")
        .with_endpoint(stand_in::AUTHORIZATION, vec![]);
    for (request, status, headers, known, renews) in [
        (
            authorize("T"),
            302,
            vec![("location", "https://app.example/in?code=C&state=s"), sets],
            (vec![("smSession", "m")], None, vec![(CODE, "C")]),
            Some((SESSION_TOKEN, "T")),
        ),
        (
            authorize("T"),
            302,
            vec![("location", "https://app.example/in#code=C&state=s")],
            (vec![], None, vec![(CODE, "C")]),
            Some((SESSION_TOKEN, "T")),
        ),
        (
            authorize("T"),
            200,
            vec![sets],
            (vec![("smSession", "m")], None, vec![]),
            Some((SESSION_TOKEN, "T")),
        ),
        (
            by_cookie.clone(),
            302,
            vec![("location", "https://app.example/in?code=C")],
            (
                vec![("smSession", "old"), ("svSession", "v")],
                None,
                vec![(CODE, "C")],
            ),
            Some((MEMBER_COOKIE, "old")),
        ),
        (
            by_cookie.clone(),
            302,
            vec![("location", "https://app.example/in?code=C"), sets],
            (
                vec![("smSession", "m"), ("svSession", "v")],
                None,
                vec![(CODE, "C")],
            ),
            Some((MEMBER_COOKIE, "old")),
        ),
    ] {
        let learned = parse_login(&request, &answer(status, &headers, ""), NOW, &dialect())
            .unwrap_or_else(|| panic!("{headers:?}"));
        assert_eq!(told(&learned.session), known, "{headers:?}");
        assert_eq!(learned.session.client, Some(ClientId::new(APP)));
        assert_eq!(
            learned
                .renews
                .as_ref()
                .map(|before| (before.purpose, before.secret.reveal())),
            renews
        );
    }
    for (status, headers) in [
        (
            302,
            vec![(
                "location",
                "https://app.example/in?error=login_required&state=s",
            )],
        ),
        (
            302,
            vec![
                ("location", "https://app.example/login?x=y"),
                ("set-cookie", "svSession=v"),
            ],
        ),
        (
            302,
            vec![
                ("location", "https://app.example/in"),
                ("set-cookie", "smSession=; Max-Age=0"),
            ],
        ),
        (200, vec![("location", "https://app.example/in?code=C")]),
        (200, vec![]),
        (403, vec![]),
    ] {
        assert!(
            parse_login(&by_cookie, &answer(status, &headers, ""), NOW, &dialect()).is_none(),
            "{headers:?}"
        );
    }
    let form = Request::new(Method::Post, AUTHORIZE)
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_header("cookie", "smSession=somebody-elses")
        .with_body(format!("clientId={APP}&email=Alice@example.com&password=x"))
        .with_endpoint(stand_in::LOGIN_FORM, vec![]);
    let learned = parse_login(
        &form,
        &answer(
            302,
            &[("location", "https://app.example/in?code=C"), sets],
            "",
        ),
        NOW,
        &dialect(),
    )
    .unwrap();
    assert_eq!(learned.subject, Subject::new("", "alice@example.com"));
    assert_eq!(
        told(&learned.session),
        (vec![("smSession", "m")], None, vec![(CODE, "C")])
    );
    assert!(
        learned.renews.is_none()
            && parse_login(&form, &answer(401, &[], ""), NOW, &dialect()).is_none()
    );
}

#[test]
fn a_sign_out_link_is_learned_by_its_ticket() {
    let link = |url: &str| {
        answer(
            200,
            &[],
            &json!({ "redirectSession": { "fullUrl": url } }).to_string(),
        )
    };
    let learned = parse_login(
        &sign_out_link("A"),
        &link("https://shop.example/x?clientId=y&ticket=T"),
        NOW,
        &dialect(),
    )
    .unwrap();
    assert_eq!(
        told(&learned.session),
        (vec![], Some("A"), vec![(TICKET, "T")])
    );
    assert_eq!(
        learned
            .renews
            .map(|before| (before.purpose, before.secret.reveal().to_owned())),
        Some((ACCESS, "A".to_owned()))
    );
    let for_login = post(
        stand_in::REDIRECT_SESSION,
        "/headless/v1/redirect-session",
        &json!({ "auth": {} }),
    );
    for (request, answer) in [
        (
            sign_out_link("A"),
            link("https://shop.example/x?clientId=y"),
        ),
        (sign_out_link("A"), link("x")),
        (sign_out_link("A"), answer(200, &[], "{}")),
        (sign_out_link("A"), answer(401, &[], "{}")),
        (sign_out_link(""), link("https://shop.example/x?ticket=T")),
        (
            for_login.with_header("authorization", "A"),
            link("https://shop.example/x?ticket=T"),
        ),
    ] {
        assert!(parse_login(&request, &answer, NOW, &dialect()).is_none());
    }
}

#[test]
fn a_subject_that_is_named_by_hand_is_the_one_that_a_login_tells() {
    for (realm, name, own) in [
        (
            None,
            "Alice@Example.com",
            Subject::new("", "alice@example.com"),
        ),
        (
            Some("Default"),
            "alice@example.com",
            Subject::new("", "alice@example.com"),
        ),
        (Some(VISITOR), "3E50", Subject::new(VISITOR, "3e50")),
    ] {
        assert_eq!(subject(realm, name), own);
    }
}
