//! A request inside a request: what the vendor's SDK posts to the OAuth endpoints. Pure.
//!
//! Documented in its typings as `RawHttpRequest`: the parameters are the bytes of `body`, in base64
//! once they are JSON. The answer of the token endpoint and of the key set is a `RawHttpResponse`
//! then (docs/vendors/wix.md, "Raw requests").

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use logout_core::message::{Method, Request};
use logout_core::sign_out::Refusal;
use serde::Deserialize;

use crate::body::Fields;

/// Standard base64, as the SDK writes it; other clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The members of a `RawHttpRequest` that say something. Its path and query are not looked at: the
/// outer request has them.
#[derive(Deserialize)]
struct RawRequest {
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    headers: Vec<Entry>,
    #[serde(default)]
    method: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

/// Whether the body is such an envelope: a JSON object with a text called `body` or `method`, as no
/// parameter of the endpoints is called. Observed: which method the SDK says that it calls does not
/// tell, since its `OAuthStrategy` names the same one and sends the parameters themselves.
pub(crate) fn is_raw(request: &Request<'_>) -> bool {
    envelope(request).is_some()
}

/// The parameters of a request, out of the envelope where there is one. Inside it they are JSON,
/// unless a `Content-Type` in the envelope says otherwise.
///
/// # Errors
/// As [`Fields::read`], and the `body` of an envelope is no base64.
pub(crate) fn fields(request: &Request<'_>) -> Result<Fields, Refusal> {
    let Some(raw) = envelope(request) else {
        return Fields::read(request);
    };
    let body = BASE64
        .decode(raw.body.unwrap_or_default())
        .map_err(|_| Refusal::Malformed {
            field: "body",
            rule: "INVALID_BASE64",
        })?;
    let inner = Request::new(Method::Post, request.path()).with_body(body);
    let media_type = raw
        .headers
        .into_iter()
        .find(|entry| entry.key.eq_ignore_ascii_case("content-type"));
    Fields::read(&media_type.into_iter().fold(inner, |inner, entry| {
        inner.with_header("content-type", entry.value)
    }))
}

fn envelope(request: &Request<'_>) -> Option<RawRequest> {
    let media_type = request.media_type().to_ascii_lowercase();
    let is_json =
        media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json");
    let raw: RawRequest = if is_json {
        serde_json::from_slice(request.body()).ok()?
    } else {
        return None;
    };
    (raw.body.is_some() || raw.method.is_some()).then_some(raw)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn posted(media_type: &str, body: &str) -> Request<'static> {
        Request::new(Method::Post, "/oauth2/token")
            .with_header("content-type", media_type)
            .with_body(body)
    }

    fn grant(request: &Request<'_>) -> Result<Option<String>, Refusal> {
        fields(request).and_then(|fields| {
            fields
                .either("grantType", "grant_type")
                .map(|text| text.map(str::to_owned))
        })
    }

    #[test]
    fn the_parameters_are_read_out_of_the_envelope() {
        let json = STANDARD.encode(r#"{"grantType":"anonymous"}"#);
        let form = STANDARD.encode("grant_type=anonymous");
        let typed = |key: &str, value: &str| json!([{ "key": "X-Other", "value": "1" }, { "key": key, "value": value }]);
        for envelope in [
            json!({ "body": json, "method": "POST", "headers": typed("Content-Type", "application/json; charset=utf-8") }),
            json!({ "body": json, "method": "POST", "headers": [], "pathParams": [], "rawPath": "/elsewhere", "rawQuery": "a=b" }),
            json!({ "body": json }),
            json!({ "body": json.trim_end_matches('=') }),
            json!({ "body": form, "headers": typed("content-type", "application/x-www-form-urlencoded") }),
        ] {
            let request = posted("application/json", &envelope.to_string());
            assert!(is_raw(&request), "{envelope}");
            assert_eq!(
                grant(&request),
                Ok(Some("anonymous".to_owned())),
                "{envelope}"
            );
        }
    }

    #[test]
    fn a_request_that_is_no_envelope_is_read_as_it_is() {
        for (media_type, body) in [
            ("application/json", r#"{"grantType":"anonymous"}"#),
            (
                "application/json",
                r#"{"grantType":"anonymous","headers":[],"rawPath":"/x"}"#,
            ),
            (
                "application/json",
                r#"{"grantType":"anonymous","body":null}"#,
            ),
            ("application/json", r#"{"grantType":"anonymous","body":1}"#),
            (
                "application/json",
                r#"{"grantType":"anonymous","body":{"grantType":"x"}}"#,
            ),
            (
                "application/x-www-form-urlencoded",
                "grant_type=anonymous&body=e30=",
            ),
        ] {
            let request = posted(media_type, body);
            assert!(!is_raw(&request), "{body}");
            assert_eq!(grant(&request), Ok(Some("anonymous".to_owned())), "{body}");
        }
    }

    #[test]
    fn what_an_envelope_holds_is_read_strictly_and_only_once() {
        let twice = STANDARD
            .encode(json!({ "body": STANDARD.encode(r#"{"grantType":"anonymous"}"#) }).to_string());
        assert_eq!(
            grant(&posted(
                "application/json",
                &json!({ "body": twice }).to_string()
            )),
            Ok(None)
        );
        for (body, rule) in [
            ("!", "INVALID_BASE64"),
            ("e30-_w", "INVALID_BASE64"),
            ("ew==", "INVALID_JSON"),
            ("W10=", "INVALID_JSON"),
        ] {
            let refused = grant(&posted(
                "application/json",
                &json!({ "body": body }).to_string(),
            ));
            assert_eq!(
                refused,
                Err(Refusal::Malformed {
                    field: "body",
                    rule
                }),
                "{body}"
            );
        }
        for empty in [
            r#"{"body":""}"#,
            r#"{"method":"POST"}"#,
            r#"{"method":"POST","body":null}"#,
        ] {
            assert!(is_raw(&posted("application/json", empty)), "{empty}");
            assert_eq!(
                grant(&posted("application/json", empty)),
                Ok(None),
                "{empty}"
            );
        }
    }
}
