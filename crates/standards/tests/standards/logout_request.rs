//! The form that brings a token, and the answers.

use std::time::Duration;

use logout_core::Response;
use logout_standards::{
    LARGEST_LOGOUT_REQUEST, LogoutRequestError, LogoutTokenError, answer, read_logout_request,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn read(body: &str) -> Result<String, LogoutRequestError> {
    read_logout_request(FORM, body.as_bytes())
}

#[test]
fn exactly_one_token_is_read() {
    for (body, expected) in [
        ("logout_token=a.b.c", Ok("a.b.c")),
        ("x=1&logout_token=a.b.c&x=2", Ok("a.b.c")),
        ("logout%5Ftoken=a%2Eb.c", Ok("a.b.c")),
        (
            "logout_token=a&logout_token=a",
            Err(LogoutRequestError::Repeated),
        ),
        (
            "logout_token=a&logout_token=",
            Err(LogoutRequestError::Repeated),
        ),
        (
            "logout_token=&logout_token=a",
            Err(LogoutRequestError::Repeated),
        ),
        (
            "logout_token=a&logout%5ftoken=b",
            Err(LogoutRequestError::Repeated),
        ),
        ("", Err(LogoutRequestError::Missing)),
        ("logout_token=", Err(LogoutRequestError::Missing)),
        ("logout_token", Err(LogoutRequestError::Missing)),
        ("LOGOUT_TOKEN=a", Err(LogoutRequestError::Missing)),
    ] {
        assert_eq!(read(body), expected.map(str::to_owned), "{body}");
    }
}

#[test]
fn the_body_must_be_a_form_and_short() {
    let body = b"logout_token=a";
    for accepted in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
    ] {
        assert!(read_logout_request(Some(accepted), body).is_ok());
    }
    for other in [
        None,
        Some(""),
        Some("application/json"),
        Some("multipart/form-data; boundary=x"),
        Some("application/x-www-form-urlencoded2"),
    ] {
        assert_eq!(
            read_logout_request(other, body),
            Err(LogoutRequestError::MediaType),
            "{other:?}"
        );
    }
    let sized = |size: usize| {
        let start = "logout_token=a&x=";
        format!("{start}{}", "x".repeat(size - start.len()))
    };
    assert!(read(&sized(LARGEST_LOGOUT_REQUEST)).is_ok());
    assert_eq!(
        read(&sized(LARGEST_LOGOUT_REQUEST + 1)),
        Err(LogoutRequestError::TooLarge)
    );
}

fn header<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    let named = response.headers().iter().filter(|(own, _)| *own == name);
    named.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn no_answer_is_cached_and_errors_are_json() {
    let token = LogoutTokenError::Nonce;
    for (response, status, error) in [
        (answer::carried_out(), 200, None),
        (
            answer::refused(LogoutRequestError::Repeated),
            400,
            Some(("invalid_request", "logout_token is given twice")),
        ),
        (
            answer::refused(token),
            400,
            Some(("invalid_request", "nonce must not be present")),
        ),
        (
            answer::method_not_allowed(),
            405,
            Some(("invalid_request", "the method must be POST")),
        ),
        (
            answer::unavailable(Duration::from_millis(1500)),
            503,
            Some((
                "temporarily_unavailable",
                "the token cannot be carried out now; send it again",
            )),
        ),
    ] {
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "cache-control"), ["no-store"]);
        assert_eq!(header(&response, "pragma"), ["no-cache"]);
        match error {
            None => assert!(response.body().is_empty()),
            Some((error, description)) => {
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                let expected = json!({ "error": error, "error_description": description });
                assert_eq!(body, expected);
                assert_eq!(header(&response, "content-type"), ["application/json"]);
            }
        }
        let allow: &[&str] = if status == 405 { &["POST"] } else { &[] };
        assert_eq!(header(&response, "allow"), allow);
        let retry: &[&str] = if status == 503 { &["2"] } else { &[] };
        assert_eq!(header(&response, "retry-after"), retry);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(content_type in any::<Option<String>>(), body in any::<Vec<u8>>()) {
        let _ = read_logout_request(content_type.as_deref(), &body);
        let _ = read_logout_request(FORM, &body);
        let _ = logout_standards::max_age(content_type.as_deref());
    }
}
