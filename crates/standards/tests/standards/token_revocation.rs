//! The form that revokes a token, how its client identifies itself, and the answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_standards::{
    LARGEST_TOKEN_REVOCATION, TokenRevocation, TokenRevocationError as Error, answer,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// A token, and id and password of a client.
type Asked = (String, Option<(String, Option<String>)>);

fn read_with(headers: &[&str], body: &str) -> Result<Asked, Error> {
    let headers = headers.iter().map(|header| header.as_bytes());
    let asked = TokenRevocation::read(FORM, headers, body.as_bytes())?;
    let client = asked.client.map(|client| {
        let secret = client.secret.map(|secret| secret.reveal().to_owned());
        (client.id, secret)
    });
    Ok((asked.token.reveal().to_owned(), client))
}

fn asked(id: Option<&str>, secret: Option<&str>) -> Result<Asked, Error> {
    let client = id.map(|id| (id.to_owned(), secret.map(str::to_owned)));
    Ok(("t".to_owned(), client))
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// RFC 7009, section 2.1, and for what is missing, empty, unknown or repeated RFC 6749, section
/// 3.2.
#[test]
fn exactly_one_token_is_read() {
    for (body, expected) in [
        ("token=t", asked(None, None)),
        ("token=t&token_type_hint=access_token", asked(None, None)),
        ("token=t&token_type_hint=", asked(None, None)),
        // An unknown hint is ignored (section 2.2).
        ("token=t&token_type_hint=rubbish", asked(None, None)),
        ("x=1&token=t&x=2", asked(None, None)),
        ("%74oken=%74", asked(None, None)),
        ("", Err(Error::Missing)),
        ("token=", Err(Error::Missing)),
        ("token", Err(Error::Missing)),
        ("Token=t", Err(Error::Missing)),
        ("token=t&token=t", Err(Error::Repeated("token"))),
        ("token=t&token=", Err(Error::Repeated("token"))),
        (
            "token=t&token_type_hint=access_token&token_type_hint=refresh_token",
            Err(Error::Repeated("token_type_hint")),
        ),
        (
            "token=t&client_id=a&client_id=b",
            Err(Error::Repeated("client_id")),
        ),
        (
            "token=t&client_id=a&client_secret=b&client_secret=b",
            Err(Error::Repeated("client_secret")),
        ),
    ] {
        assert_eq!(read_with(&[], body), expected, "{body}");
    }
}

/// RFC 6749, section 2.3.1.
#[test]
fn a_client_identifies_itself_in_the_form_or_in_the_header() {
    let s6 = "s6BhdRkqt3";
    let rfc = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3";
    for (header, body, expected) in [
        ("", "token=t&client_id=a", asked(Some("a"), None)),
        (
            "",
            "token=t&client_id=a&client_secret=b",
            asked(Some("a"), Some("b")),
        ),
        (
            "",
            "token=t&client_id=a&client_secret=",
            asked(Some("a"), None),
        ),
        ("", "token=t&client_secret=b", Err(Error::SecretAlone)),
        (
            "",
            "token=t&client_id=&client_secret=b",
            Err(Error::SecretAlone),
        ),
        (
            rfc,
            "token=t",
            asked(Some(s6), Some("7Fjfp0ZBr1KtDRbnfVdmIw")),
        ),
        // The same client in both is one method (section 3.2.1), two passwords are two.
        (
            rfc,
            "token=t&client_id=s6BhdRkqt3",
            asked(Some(s6), Some("7Fjfp0ZBr1KtDRbnfVdmIw")),
        ),
        (rfc, "token=t&client_id=a", Err(Error::SeveralMethods)),
        (
            rfc,
            "token=t&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw",
            Err(Error::SeveralMethods),
        ),
        (&basic("a:"), "token=t", asked(Some("a"), None)),
        (
            &basic("a:b").replace("Basic", "BASIC"),
            "token=t",
            asked(Some("a"), Some("b")),
        ),
        // Both are encoded as in a form.
        (
            &basic("a+%3A%2B:%25%3A:c"),
            "token=t",
            asked(Some("a :+"), Some("%::c")),
        ),
        (&basic(":b"), "token=t", Err(Error::Header)),
        (&basic("a"), "token=t", Err(Error::Header)),
        ("Basic", "token=t", Err(Error::Header)),
        ("Basic %%%", "token=t", Err(Error::Header)),
        ("Basic /w==", "token=t", Err(Error::Header)),
        ("Bearer t", "token=t", Err(Error::Header)),
    ] {
        let headers = [header];
        let headers = &headers[..usize::from(!header.is_empty())];
        assert_eq!(read_with(headers, body), expected, "{header} {body}");
    }
    assert_eq!(
        read_with(&[rfc, rfc], "token=t"),
        Err(Error::SeveralMethods)
    );
}

#[test]
fn the_body_must_be_a_form_and_short() {
    let read = |media_type, body: &[u8]| TokenRevocation::read(media_type, [], body).err();
    let accepted = Some("Application/X-WWW-Form-Urlencoded; charset=utf-8");
    assert_eq!(read(accepted, b"token=t"), None);
    for other in [None, Some(""), Some("application/json"), Some("text/plain")] {
        assert_eq!(read(other, b"token=t"), Some(Error::MediaType), "{other:?}");
    }
    let of_length = |length: usize| format!("token=t&x={}", "x".repeat(length - 10));
    let longest = of_length(LARGEST_TOKEN_REVOCATION);
    assert_eq!(read(FORM, longest.as_bytes()), None);
    let longer = of_length(LARGEST_TOKEN_REVOCATION + 1);
    assert_eq!(read(FORM, longer.as_bytes()), Some(Error::TooLarge));
}

/// RFC 7009, section 2.2.1, and RFC 6749, section 5.2.
#[test]
fn each_refusal_has_its_word_and_status() {
    for (error, status, code) in [
        (Error::Incomplete, 400, "invalid_request"),
        (Error::TooLarge, 400, "invalid_request"),
        (Error::MediaType, 400, "invalid_request"),
        (Error::Missing, 400, "invalid_request"),
        (Error::Repeated("token"), 400, "invalid_request"),
        (Error::SecretAlone, 400, "invalid_request"),
        (Error::SeveralMethods, 400, "invalid_request"),
        (Error::Header, 401, "invalid_client"),
        (Error::UnknownClient, 401, "invalid_client"),
        (Error::OtherClient, 400, "invalid_grant"),
        (Error::Unsupported, 400, "unsupported_token_type"),
    ] {
        let response = answer::token_not_revoked(error);
        let header = |name: &str| {
            let mut headers = response.headers().iter();
            let found = headers.find(|(own, _)| *own == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(response.status(), status, "{error}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let description = error.to_string();
        assert_eq!(
            body,
            json!({ "error": code, "error_description": description })
        );
        // The characters that an error may have.
        let is_allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(is_allowed), "{error}");
        assert_eq!(header("cache-control"), Some("no-store"));
        let challenge = (status == 401).then_some("Basic realm=\"token revocation\"");
        assert_eq!(header("www-authenticate"), challenge, "{error}");
    }
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(
        header in any::<Vec<u8>>(),
        body in any::<Vec<u8>>(),
        credentials in "\\PC{0,20}",
    ) {
        let _ = TokenRevocation::read(FORM, [&header[..]], &body);
        let _ = read_with(&[&basic(&credentials)], "token=t");
    }

    #[test]
    fn what_a_client_encodes_is_what_is_read(id in "\\PC{1,20}", secret in "\\PC{1,20}") {
        let encode = |text: &str| {
            let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
            bytes.collect::<String>()
        };
        let header = basic(&format!("{}:{}", encode(&id), encode(&secret)));
        prop_assert_eq!(read_with(&[&header], "token=t"), asked(Some(&id), Some(&secret)));
    }
}
