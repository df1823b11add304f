//! What stands in an answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_core::message::Response;
use serde_json::Value;

pub(crate) fn told(answer: &Response) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("no text").to_owned()
}

pub(crate) fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    headers(answer, name).first().copied()
}

pub(crate) fn headers<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    answer
        .headers()
        .iter()
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

pub(crate) fn location(answer: &Response) -> Option<&str> {
    header(answer, "location")
}

pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, rest) = address.split_once(['?', '#'])?;
    let pairs = form_urlencoded::parse(rest.split('#').next()?.as_bytes());
    pairs
        .into_owned()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

pub(crate) fn code_in(answer: &Response) -> String {
    assert_eq!(answer.status(), 302);
    location(answer)
        .and_then(|to| parameter(to, "code"))
        .expect("no code")
}

pub(crate) fn set_cookie(answer: &Response, name: &str) -> Option<String> {
    let pair = headers(answer, "set-cookie")
        .into_iter()
        .find_map(|value| value.strip_prefix(&format!("{name}=")));
    pair.and_then(|rest| rest.split(';').next())
        .map(str::to_owned)
}

/// The names of the cookies that these `Set-Cookie` values remove.
pub(crate) fn removed<'a>(set_cookies: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let gone = set_cookies
        .into_iter()
        .filter(|value| value.contains("=; ") && value.contains("Max-Age=0"));
    gone.filter_map(|value| value.split('=').next()).collect()
}

/// An envelope: the inner status, the inner headers, the decoded body.
pub(crate) fn opened(answer: &Response) -> (u64, Vec<(String, String)>, Vec<u8>) {
    assert_eq!(
        (answer.status(), header(answer, "content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(location(answer), None);
    let told = told(answer);
    let headers = told["headers"].as_array().expect("no headers").iter();
    let headers = headers
        .map(|header| (text(&header["key"]), text(&header["value"])))
        .collect();
    (
        told["statusCode"].as_u64().expect("no status"),
        headers,
        STANDARD.decode(text(&told["body"])).expect("no base64"),
    )
}

/// The code of an application error, or else the field and rule of a validation error.
pub(crate) fn error(answer: &Response) -> (u16, String) {
    let told = told(answer);
    assert!(
        header(answer, "x-wix-request-id").is_some(),
        "an error without a request id"
    );
    let violation = &told["details"]["validationError"]["fieldViolations"][0];
    let code = told["details"]["applicationError"]["code"]
        .as_str()
        .map(str::to_owned);
    let violation = || {
        format!(
            "{} {}",
            violation["field"].as_str().unwrap_or("?"),
            violation["ruleName"].as_str().unwrap_or("?")
        )
    };
    (
        answer.status(),
        code.or_else(|| told["error"].as_str().map(str::to_owned))
            .unwrap_or_else(violation),
    )
}

/// The error of an answer that clears nothing and leads nowhere.
pub(crate) fn refusal(answer: &Response) -> (u16, String) {
    assert_eq!(
        (location(answer), headers(answer, "set-cookie").len()),
        (None, 0)
    );
    error(answer)
}
