//! What is said to a provider.

use logout_tests::http::Answer;
use serde_json::json;

/// Checks what every answer has in common: nothing is to be cached.
pub(crate) fn assert_uncached(answer: &Answer, what: &str) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{what}");
    let receipts = answer.headers_named("logout-receipt").count();
    let cookies = answer.headers_named("set-cookie").count();
    assert_eq!((receipts, cookies), (0, 0), "{what}");
}

pub(crate) fn assert_taken(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{what}");
    assert_uncached(answer, what);
}

pub(crate) fn assert_refused(answer: &Answer, description: &str, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{what}"
    );
    let expected = json!({ "error": "invalid_request", "error_description": description });
    assert_eq!(answer.json(), expected, "{what}");
    assert_uncached(answer, what);
}
