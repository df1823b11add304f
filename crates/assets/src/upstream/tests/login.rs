//! Which answers to a login open a session, and what they bring.

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn the_relayed_endpoints_are_the_logins() {
    for (profile, paths) in [
        (
            Profile::Assets6,
            vec!["/services/login", "/services/apilogin"],
        ),
        (
            Profile::Elvis6,
            vec!["/services/login", "/services/apilogin"],
        ),
        (Profile::Elvis5, vec!["/services/login"]),
        (Profile::Elvis4, vec!["/services/login"]),
    ] {
        let endpoints = relayed_endpoints(profile);
        assert_eq!(
            endpoints.iter().map(Endpoint::path).collect::<Vec<_>>(),
            paths,
            "{profile:?}"
        );
        assert_eq!(
            endpoints[0]
                .matches("/services/login;jsessionid=1")
                .is_some(),
            !profile.has_tokens(),
            "{profile:?}"
        );
    }
}

#[test]
fn a_login_names_the_user_by_profile_then_request_then_token() {
    let cred = "cred=QWxpY2U6eA%3D%3D";
    let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"sub":"Carol"}"#));
    let form = Request::new(Method::Post, "/services/login")
        .with_header("content-type", FORM)
        .with_body("username=Dave&password=x");
    let part = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nErin\r\n--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b--\r\n";
    let multipart = Request::new(Method::Post, "/services/login")
        .with_header("content-type", "multipart/form-data; boundary=b")
        .with_body(part);
    for (request, told_profile, value, name) in [
        (
            login("username=BOB&password=x"),
            json!({ "username": "Alice" }),
            "t",
            Some("alice"),
        ),
        (
            login("username=BOB&password=x"),
            json!(null),
            "t",
            Some("bob"),
        ),
        (
            login("username=J%C3%9CRGEN&password=x"),
            json!({}),
            "t",
            Some("jürgen"),
        ),
        (login(cred), json!({ "username": 1 }), "t", Some("alice")),
        (form, json!(null), "t", Some("dave")),
        (multipart, json!(null), "t", Some("erin")),
        (login(""), json!(null), token.as_str(), Some("carol")),
        (login(""), json!(null), "t", None),
    ] {
        let body = json!({ "loginSuccess": true, "csrfToken": "c", "userProfile": told_profile })
            .to_string();
        let learned = provider(Profile::Assets6).parse_login(
            &request,
            &answer(
                200,
                &[("set-cookie", &format!("authToken={value}; Path=/"))],
                &body,
            ),
            NOW,
        );
        assert_eq!(
            learned.map(|learned| learned.subject),
            name.map(|name| Subject::new("", name)),
            "{body}"
        );
    }
}

#[test]
fn a_login_brings_what_the_session_is_known_by() {
    let user = login("username=alice&password=x");
    let cookie = ("set-cookie", "authToken=t; Path=/; HttpOnly");
    for (profile, headers, body, known) in [
        (
            Profile::Assets6,
            vec![cookie],
            r#"{"loginSuccess":true,"csrfToken":"c"}"#,
            (vec![(TOKEN, "t")], None, Some("c")),
        ),
        (
            Profile::Elvis6,
            vec![cookie, ("set-cookie", "x=y")],
            r#"{"loginSuccess":true}"#,
            (vec![(TOKEN, "t")], None, None),
        ),
        (
            Profile::Assets6,
            vec![],
            r#"{"loginSuccess":true,"loginFaultMessage":null,"authToken":"b"}"#,
            (vec![], Some("b"), None),
        ),
        (
            Profile::Assets6,
            vec![cookie],
            r#"{"loginSuccess":true,"authToken":"t"}"#,
            (vec![(TOKEN, "t")], Some("t"), None),
        ),
        (
            Profile::Elvis5,
            vec![],
            r#"{"loginSuccess":true,"sessionId":"s","csrfToken":"c"}"#,
            (vec![(SESSION_ID, "s")], None, None),
        ),
        (
            Profile::Elvis4,
            vec![("set-cookie", "JSESSIONID=s; Path=/")],
            r#"{"loginSuccess":true,"sessionId":"s"}"#,
            (vec![(SESSION_ID, "s")], None, None),
        ),
        (
            Profile::Elvis4,
            vec![("set-cookie", "JSESSIONID=s.node1")],
            r#"{"loginSuccess":true,"sessionId":"s"}"#,
            (vec![(SESSION_ID, "s.node1"), (SESSION_ID, "s")], None, None),
        ),
    ] {
        let learned = provider(profile)
            .parse_login(&user, &answer(200, &headers, body), NOW)
            .unwrap_or_else(|| panic!("{body}"));
        assert_eq!(told(&learned.session), known, "{profile:?} {body}");
        assert!(learned.renews.is_none() && learned.expires.is_none());
    }
}

#[test]
fn a_failed_login_opens_nothing_whatever_its_status_and_cookies() {
    let user = login("username=alice&password=x");
    for profile in [Profile::Assets6, Profile::Elvis5] {
        for (status, body) in [
            (
                200,
                r#"{"loginSuccess":false,"loginFaultMessage":"no","sessionId":"s"}"#,
            ),
            (
                200,
                r#"{"errorcode":401,"errorname":"X","message":"Not logged in"}"#,
            ),
            (200, r#"{"loginSuccess":true,"errorcode":500}"#),
            (200, r#"{"loginSuccess":"true"}"#),
            (200, "<html>login</html>"),
            (200, "{"),
            (200, "[]"),
            (200, ""),
            (401, r#"{"loginSuccess":true}"#),
            (500, r#"{"loginSuccess":true}"#),
            (302, r#"{"loginSuccess":true}"#),
        ] {
            let cookies = [
                ("set-cookie", "authToken=t"),
                ("set-cookie", "JSESSIONID=s"),
                ("location", "/x"),
            ];
            assert!(
                provider(profile)
                    .parse_login(&user, &answer(status, &cookies, body), NOW)
                    .is_none(),
                "{profile:?} {status} {body}"
            );
        }
    }
    // Nothing to know it by.
    let bare = answer(
        200,
        &[("set-cookie", "authToken=; Max-Age=0")],
        r#"{"loginSuccess":true}"#,
    );
    assert!(
        provider(Profile::Assets6)
            .parse_login(&user, &bare, NOW)
            .is_none()
    );
    let broken = login("username=alice&password=x")
        .with_header("content-type", "multipart/form-data")
        .with_body("x");
    assert!(
        provider(Profile::Assets6)
            .parse_login(
                &broken,
                &answer(200, &[], r#"{"loginSuccess":true,"authToken":"b"}"#),
                NOW
            )
            .is_none()
    );
}

#[test]
fn a_login_of_elvis_4_and_5_may_answer_with_a_redirect_to_where_success_leads() {
    for (query, location, learns) in [
        ("nextUrl=/home", "/home", true),
        ("nextUrl=home", "/home", true),
        (
            "nextUrl=/home&failUrl=/fail",
            "http://dam.internal/home",
            true,
        ),
        ("nextUrl=/", "/", true),
        ("nextUrl=/home&failUrl=/fail", "/fail", false),
        ("nextUrl=/home&failUrl=/home", "/home", false),
        ("nextUrl=/home", "/otherhome", false),
        ("failUrl=/fail", "/elsewhere", false),
        ("", "/", false),
    ] {
        let request = login(&format!("username=alice&password=x&{query}"));
        let redirect = answer(
            302,
            &[("location", location), ("set-cookie", "JSESSIONID=s")],
            "",
        );
        assert_eq!(
            provider(Profile::Elvis5)
                .parse_login(&request, &redirect, NOW)
                .is_some(),
            learns,
            "{query} {location}"
        );
        assert!(
            provider(Profile::Assets6)
                .parse_login(&request, &redirect, NOW)
                .is_none()
        );
    }
}

#[test]
fn a_session_lasts_as_long_as_its_token_or_else_its_cookie_says() {
    let user = login("username=alice&password=x");
    let readable = format!(
        "e30.{}.x",
        URL_SAFE_NO_PAD.encode(r#"{"sub":"alice","exp":1800000000}"#)
    );
    for (cookie, expires) in [
        (
            format!("authToken={readable}; Max-Age=60"),
            Some(1_800_000_000),
        ),
        (
            "authToken=e30.compressed.x; Max-Age=60".to_owned(),
            Some(1_790_000_060),
        ),
        ("authToken=opaque".to_owned(), None),
    ] {
        let learned = provider(Profile::Assets6)
            .parse_login(
                &user,
                &answer(200, &[("set-cookie", &cookie)], r#"{"loginSuccess":true}"#),
                NOW,
            )
            .unwrap();
        assert_eq!(learned.expires.map(Timestamp::as_secs), expires, "{cookie}");
    }
}
