//! Cookies that an upstream sets and removes, as the browser is to see them behind the hub.

use cookie::Cookie;

use crate::cookie::removed;
use crate::platform::Platform;
use crate::provider::SignOutDialect;
use crate::time::Timestamp;
use crate::upstream::UpstreamAnswer;

/// How many removals are kept with a session or handed on, the first ones, and how long each may
/// be: what an upstream says must not make records and answers grow without bound.
const MOST_REMOVALS: usize = 16;
const LONGEST_REMOVAL: usize = 1024;

/// A `Set-Cookie` whose `Domain` covers the upstream's host, bound instead to the domain that is
/// configured for the platform, else to its host alone, as its sign-out clears it; `None` for any
/// other.
pub(crate) fn rescoped(text: &str, upstream_host: &str, platform: &Platform) -> Option<String> {
    let mut changed = false;
    let kept: Vec<&str> = text
        .split(';')
        .enumerate()
        .filter(|(index, attribute)| {
            let domain = attribute
                .split_once('=')
                .filter(|(name, _)| *index > 0 && name.trim().eq_ignore_ascii_case("domain"));
            let upstreams = domain.is_some_and(|(_, value)| {
                let domain = value.trim().trim_start_matches('.').to_ascii_lowercase();
                upstream_host == domain
                    || upstream_host
                        .strip_suffix(domain.as_str())
                        .is_some_and(|rest| rest.ends_with('.'))
            });
            changed |= upstreams;
            !upstreams
        })
        .map(|(_, attribute)| attribute)
        .collect();
    let domain = platform.cookies.domain.as_str();
    let own = if domain.is_empty() {
        String::new()
    } else {
        format!("; Domain={domain}")
    };
    changed.then(|| kept.join(";") + &own)
}

/// The `Set-Cookie` that removes what `set_cookie` sets: with its name and attributes, and no
/// value. One without a path of its own is removed under `default_path`, where that is given.
fn removal(set_cookie: &str, default_path: Option<&str>) -> Option<String> {
    let mut cookie = Cookie::parse(set_cookie).ok()?;
    // RFC 6265, 5.2.4: what does not begin with a slash counts as absent.
    if !cookie.path().is_some_and(|path| path.starts_with('/')) {
        cookie.unset_path();
        if let Some(path) = default_path {
            cookie.set_path(path.to_owned());
        }
    }
    let text = removed(cookie).to_string();
    (text.len() <= LONGEST_REMOVAL).then_some(text)
}

/// The path that a browser gives a cookie without one (RFC 6265, 5.1.4), for a request to this
/// path.
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        Some(end) if end > 0 && request_path.starts_with('/') => &request_path[..end],
        _ => "/",
    }
}

/// What removes the platform's cookies that the answer to a login at `path`, below the platform's
/// base, sets.
pub(crate) fn removals_of_login(
    dialect: &dyn SignOutDialect,
    answer: &UpstreamAnswer,
    (platform, upstream_host): (&Platform, &str),
    path: &str,
    now: Timestamp,
) -> Vec<String> {
    let path = format!("{}{path}", platform.public_url.path().trim_end_matches('/'));
    let owned = answer
        .cookie_headers(now, false)
        .into_iter()
        .filter(|(name, _)| dialect.owns_cookie(name))
        .map(|(_, text)| text);
    let removals = owned.filter_map(|text| {
        let rescoped = rescoped(text, upstream_host, platform);
        removal(
            rescoped.as_deref().unwrap_or(text),
            Some(default_path(&path)),
        )
    });
    each_once(removals)
}

/// What the answer to a sign-out removes of the platform's cookies, as the upstream says it. What
/// it sets is left out: a sign-out gives nobody a credential.
pub fn removals_of_sign_out(
    dialect: &dyn SignOutDialect,
    answer: &UpstreamAnswer,
    now: Timestamp,
) -> Vec<String> {
    let owned = answer
        .cookie_headers(now, true)
        .into_iter()
        .filter(|(name, _)| dialect.owns_cookie(name));
    each_once(owned.filter_map(|(_, text)| removal(text, None)))
}

/// The removals that an upstream said, as the browser is to see them.
pub(crate) fn handed_on(removals: Vec<String>, platform: &Platform) -> Vec<String> {
    let Some(host) = platform.upstream_host.as_deref() else {
        return removals;
    };
    each_once(
        removals
            .into_iter()
            .map(|text| rescoped(&text, host, platform).unwrap_or(text)),
    )
}

/// The first removals, each once.
pub(crate) fn each_once(removals: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for removal in removals {
        if each.len() < MOST_REMOVALS && !each.contains(&removal) {
            each.push(removal);
        }
    }
    each
}

/// The name of the cookie that a `Set-Cookie` is about.
pub(crate) fn name_of(set_cookie: &str) -> &str {
    set_cookie
        .split(['=', ';'])
        .next()
        .unwrap_or_default()
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_is_all_of_the_request_s_but_its_last_segment() {
        for (path, default) in [
            ("/services/login", "/services"),
            ("/login", "/"),
            ("/", "/"),
            ("", "/"),
            ("/a/b/", "/a/b"),
            ("login", "/"),
            ("/dam/services/login", "/dam/services"),
        ] {
            assert_eq!(default_path(path), default, "{path}");
        }
    }

    #[test]
    fn a_removal_has_every_attribute_but_the_value_and_the_lifetime() {
        let end = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        for (set, path, place) in [
            (
                "a=secret; Path=/services; HttpOnly",
                Some("/x"),
                vec!["HttpOnly", "Path=/services"],
            ),
            ("a=secret", Some("/services"), vec!["Path=/services"]),
            ("a=secret; Path=services", Some("/x"), vec!["Path=/x"]),
            ("a=secret", None, vec![]),
            (
                "a=secret; Secure; Partitioned; SameSite=None; Path=/; Max-Age=60; Domain=hub.test",
                None,
                vec![
                    "SameSite=None",
                    "Partitioned",
                    "Secure",
                    "Path=/",
                    "Domain=hub.test",
                ],
            ),
        ] {
            let removal = removal(set, path).unwrap();
            let parts: Vec<&str> = removal.split("; ").collect();
            assert!(
                parts[0] == "a=" && parts.len() == place.len() + 3,
                "{removal}"
            );
            assert!(
                place
                    .iter()
                    .chain(&end.split("; ").collect::<Vec<_>>())
                    .all(|part| parts.contains(part)),
                "{removal}"
            );
        }
        assert_eq!(removal("nothing", None), None);
        assert_eq!(
            removal(&format!("a=b; Path=/{}", "x".repeat(LONGEST_REMOVAL)), None),
            None
        );
    }

    #[test]
    fn the_domain_of_the_upstream_becomes_that_of_the_platform_and_another_stays() {
        let mut platform = Platform::new("dam", "https://dam.hub.test/".parse().unwrap());
        platform.upstream_host = Some("dam.internal".to_owned());
        let handed =
            |text: &str, platform: &Platform| handed_on(vec![text.to_owned()], platform).remove(0);
        assert_eq!(
            handed("a=; Domain=.internal; Path=/", &platform),
            "a=; Path=/"
        );
        assert_eq!(
            handed("a=; Path=/; Domain=hub.test", &platform),
            "a=; Path=/; Domain=hub.test"
        );
        platform.cookies.domain = "hub.test".to_owned();
        assert_eq!(
            handed("a=; Domain=dam.internal", &platform),
            "a=; Domain=hub.test"
        );
    }
}
