//! What each step of a login brings.

mod member;

use base64::engine::general_purpose::STANDARD;
use logout_core::Method;
use logout_suite::testing::product::answer;
use serde_json::json;

use super::*;
use crate::paths::AUTHORIZE;
use crate::upstream::tests::{
    APP, JSON, NOW, anonymous, authorize, dialect, exchange, log_in, post, refresh, sign_out_link,
    told,
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
