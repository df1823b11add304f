//! Whether a browser fetches an address that nobody has asked for yet.

use crate::message::{Method, Request};

/// Browsers announce a fetch ahead of a click in these. `Sec-Purpose` is a list of tokens with
/// parameters (the Fetch standard); the others are older.
const HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-moz", "x-purpose"];

/// What they say.
const AHEAD: [&str; 3] = ["prefetch", "prerender", "preview"];

/// Whether `request` is a GET ahead of a click: a link on a page must end nothing before somebody
/// follows it.
pub fn is_prefetch(request: &Request<'_>) -> bool {
    let values = HEADERS.iter().flat_map(|name| request.headers_named(name));
    let mut words = values
        .flat_map(|value| value.split([',', ';']))
        .map(str::trim);
    matches!(request.method(), Method::Get | Method::Head)
        && words.any(|word| AHEAD.iter().any(|ahead| word.eq_ignore_ascii_case(ahead)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_ahead_of_a_click_says_so_in_one_of_several_headers() {
        for (method, name, value, is_ahead) in [
            (Method::Get, "sec-purpose", "prefetch", true),
            (Method::Get, "sec-purpose", "prefetch;prerender", true),
            (
                Method::Get,
                "sec-purpose",
                "prefetch;anonymous-client-ip",
                true,
            ),
            (Method::Get, "sec-purpose", "other, Prerender", true),
            (Method::Head, "purpose", "prefetch", true),
            (Method::Get, "x-moz", "prefetch", true),
            (Method::Get, "x-purpose", "preview", true),
            (Method::Post, "sec-purpose", "prefetch", false),
            (Method::Get, "sec-purpose", "", false),
            (Method::Get, "sec-purpose", "no-prefetch", false),
            (Method::Get, "purpose", "navigate", false),
        ] {
            let request = Request::new(method, "/").with_header(name, value);
            assert_eq!(is_prefetch(&request), is_ahead, "{name}: {value}");
        }
        assert!(!is_prefetch(&Request::new(Method::Get, "/")));
    }
}
