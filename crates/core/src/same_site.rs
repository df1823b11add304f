//! Whether a request comes from the platform's own site, as far as a browser says it.

use crate::cors::OriginList;
use crate::message::Request;
use crate::platform::Platform;

/// Whether a browser says that `request` was caused by another site: by `Sec-Fetch-Site`, and by
/// `Origin` where that is missing. A client that says nothing (no browser, or one from before 2020
/// following a link) is not cross-site.
///
/// `trusted` origins are not foreign: the operator allows their pages to call.
pub fn is_cross_site(request: &Request<'_>, platform: &Platform, trusted: &OriginList) -> bool {
    let origin = request.header("origin");
    if origin.is_some_and(|origin| trusted.allows(origin)) {
        return false;
    }
    match (request.header("sec-fetch-site"), origin) {
        (Some(site), _) => !matches!(site, "same-origin" | "same-site" | "none"),
        (None, Some(origin)) => {
            !origin.eq_ignore_ascii_case(&platform.public_url.origin().ascii_serialization())
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::message::Method;

    #[test]
    fn a_browser_on_another_site_gives_itself_away() {
        let platform = Platform::new("cms", Url::parse("https://cms.example.com/").unwrap());
        let trusted = OriginList::new(&["https://app.example.net".into()]);
        for (headers, cross) in [
            (vec![], false),
            (vec![("sec-fetch-site", "same-origin")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("sec-fetch-site", "cross-site")], true),
            (vec![("sec-fetch-site", "nonsense")], true),
            (vec![("origin", "https://cms.example.com")], false),
            (vec![("origin", "https://evil.test")], true),
            (vec![("origin", "null")], true),
            (
                vec![
                    ("origin", "https://app.example.net"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (
                vec![
                    ("origin", "https://cms.example.com"),
                    ("sec-fetch-site", "cross-site"),
                ],
                true,
            ),
        ] {
            let request = headers
                .iter()
                .fold(Request::new(Method::Get, "/"), |request, (name, value)| {
                    request.with_header(*name, *value)
                });
            assert_eq!(
                is_cross_site(&request, &platform, &trusted),
                cross,
                "{headers:?}"
            );
        }
    }
}
