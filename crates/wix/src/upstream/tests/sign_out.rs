//! What a sign-out presents, and what the answers to it and to the probe mean.

use logout_suite::testing::product::{looked_up, registered};

use super::*;
use crate::request::read;

#[test]
fn what_is_presented_is_looked_up_by_the_same_words_at_a_sign_out() {
    for (query, body, headers) in [
        ("", "", vec![]),
        ("", "", vec![("authorization", "OauthNG.JWS.a")]),
        (
            "",
            "",
            vec![
                ("authorization", "Bearer a,IST.key"),
                ("cookie", "x=y; smSession=m; svSession=v; smSession=n"),
            ],
        ),
        ("ticket=t", "", vec![("cookie", "smSession=m")]),
        (
            "ticket=q",
            r#"{"ticket":"b"}"#,
            vec![("content-type", JSON), ("authorization", "a")],
        ),
        ("ticket=", "", vec![("authorization", "IST.key")]),
        ("", "", vec![("cookie", "svSession=v")]),
    ] {
        let request = Request::new(Method::Post, LOGOUT)
            .with_query(query)
            .with_body(body);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.with_header(*name, *value)
        });
        let asked = read(&request, &dialect(), |_| panic!("nothing is verified")).unwrap();
        let session = presented(&request, &dialect());
        assert_eq!(
            looked_up(&asked.sign_out.credentials),
            registered(&provider().credentials(&session)),
            "{query} {headers:?}"
        );
        assert_eq!(
            told(&UpstreamSession::from_bytes(&session.to_bytes())),
            told(&session)
        );
    }
}

#[test]
fn the_relayed_endpoints_are_the_steps_of_a_login_and_the_sign_out_links() {
    let endpoints = relayed_endpoints(&dialect());
    let mut paths: Vec<_> = endpoints
        .iter()
        .map(|endpoint| (endpoint.methods()[0], endpoint.path()))
        .collect();
    paths.sort_by_key(|(method, path)| (*path, method.name()));
    assert_eq!(
        paths,
        [
            (Method::Post, LOGIN_PATH),
            (Method::Get, AUTHORIZE),
            (Method::Post, AUTHORIZE),
            (Method::Post, "/_api/oauth2/token"),
            (Method::Post, "/_api/redirects-api/v1/redirect-session"),
            (Method::Post, "/headless/v1/redirect-session"),
            (Method::Post, "/oauth2/token"),
            (Method::Post, "/redirect-session/v1/redirect-session"),
        ]
    );
}

fn envelope(status: u16, headers: &[(&str, &str)]) -> String {
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    json!({ "body": "", "statusCode": status, "headers": headers }).to_string()
}

#[test]
fn an_answer_is_read_with_and_without_its_envelope() {
    use Confirmation::{NotSignedIn, Refused};

    let redirect = |to: &str| Confirmation::Confirmed {
        redirect: Some(to.to_owned()),
    };
    let removal = ("set-cookie", "smSession=; Path=/; Max-Age=0");
    let unauthenticated =
        r#"{"message":"no","details":{"applicationError":{"code":"UNAUTHENTICATED"}}}"#;
    let gone =
        r#"{"message":"no","details":{"applicationError":{"code":"FAILED_TO_EXTRACT_SESSION"}}}"#;
    let denied = r#"{"message":"no","details":{"applicationError":{"code":"PERMISSION_DENIED"}}}"#;
    let page = "<html>Signed out</html>";
    for (status, headers, body, meaning) in [
        (200, vec![], envelope(200, &[]), confirmed()),
        (
            200,
            vec![],
            envelope(302, &[("Location", "https://evil.example/x")]),
            redirect("https://evil.example/x"),
        ),
        (
            200,
            vec![],
            envelope(302, &[("location", "/relative")]),
            confirmed(),
        ),
        (
            200,
            vec![],
            envelope(302, &[("location", "javascript:x")]),
            confirmed(),
        ),
        (200, vec![], envelope(302, &[]), confirmed()),
        (200, vec![], envelope(401, &[]), NotSignedIn),
        (200, vec![], envelope(403, &[]), Refused),
        (200, vec![], envelope(429, &[]), Refused),
        (200, vec![], envelope(500, &[]), Refused),
        (500, vec![], envelope(200, &[]), Refused),
        (
            200,
            vec![],
            r#"{"statusCode":"200","headers":[]}"#.to_owned(),
            Refused,
        ),
        (200, vec![], r#"{"statusCode":99999}"#.to_owned(), Refused),
        (200, vec![removal], page.to_owned(), confirmed()),
        (
            200,
            vec![(
                "set-cookie",
                "svSession=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            )],
            page.to_owned(),
            confirmed(),
        ),
        (
            200,
            vec![("set-cookie", "smSession=fresh; Path=/; Max-Age=60")],
            page.to_owned(),
            Refused,
        ),
        (
            200,
            vec![("set-cookie", "other=; Max-Age=0")],
            page.to_owned(),
            Refused,
        ),
        (200, vec![], page.to_owned(), Refused),
        (200, vec![], "{}".to_owned(), Refused),
        (200, vec![], "{".to_owned(), Refused),
        (200, vec![], String::new(), Refused),
        (
            302,
            vec![removal, ("location", "https://elsewhere.example/")],
            String::new(),
            redirect("https://elsewhere.example/"),
        ),
        (
            302,
            vec![("location", "https://app.example/bye")],
            String::new(),
            redirect("https://app.example/bye"),
        ),
        (
            302,
            vec![(
                "location",
                "https://shop.example/_api/iam/authentication/v1/logout",
            )],
            String::new(),
            Refused,
        ),
        (302, vec![("location", "/login")], String::new(), Refused),
        (302, vec![], String::new(), Refused),
        (401, vec![], unauthenticated.to_owned(), NotSignedIn),
        (401, vec![], gone.to_owned(), NotSignedIn),
        (400, vec![], gone.to_owned(), NotSignedIn),
        (401, vec![], page.to_owned(), Refused),
        (401, vec![], String::new(), Refused),
        (400, vec![], unauthenticated.to_owned(), Refused),
        (403, vec![], denied.to_owned(), Refused),
        (404, vec![], denied.to_owned(), Refused),
        (429, vec![removal], gone.to_owned(), Refused),
        (500, vec![removal], gone.to_owned(), Refused),
        (
            503,
            vec![],
            r#"{"message":"","details":{}}"#.to_owned(),
            Refused,
        ),
    ] {
        assert_eq!(
            provider().confirm(&answer(status, &headers, &body)),
            meaning,
            "{status} {headers:?} {body}"
        );
    }
}

#[test]
fn a_member_is_alive_an_unauthenticated_one_is_not_and_the_rest_says_nothing() {
    let error = r#"{"message":"no","details":{}}"#;
    for (status, body, says) in [
        (200, r#"{"member":{"id":"1"}}"#, Some(true)),
        (403, error, Some(true)),
        (401, error, Some(false)),
        (200, r#"{"member":{}}"#, None),
        (200, "{}", None),
        (200, "<html>member</html>", None),
        (200, "", None),
        (401, "<html>proxy</html>", None),
        (403, "<html>firewall</html>", None),
        (302, "", None),
        (404, error, None),
        (429, error, None),
        (500, r#"{"member":{"id":"1"}}"#, None),
    ] {
        assert_eq!(
            provider().alive(&answer(status, &[], body)),
            says,
            "{status} {body}"
        );
    }
}
