//! The steps before the grant, and the sign-out link.

use super::*;

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
