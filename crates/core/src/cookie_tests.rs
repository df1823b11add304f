use super::*;

fn attributes(header: &str) -> Vec<String> {
    let mut parts: Vec<String> = header.split("; ").skip(1).map(str::to_owned).collect();
    parts.sort();
    parts
}

#[test]
fn clearing_repeats_every_attribute_of_setting() {
    for secure in [Secure::Auto, Secure::Always, Secure::Never] {
        for same_site in [SameSite::Lax, SameSite::None, SameSite::Strict] {
            for domain in ["", "example.com"] {
                for (on_https, partitioned) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let policy = CookiePolicy {
                        secure,
                        domain: domain.into(),
                        same_site,
                        partitioned,
                        paths: vec!["/".into()],
                    };
                    let spec = CookieSpec::new("sid", "/cms", true, &policy, false);
                    let set = attributes(&spec.set("v", on_https, None));
                    let mut cleared = attributes(&spec.clear(on_https)[0]);
                    cleared.retain(|part| {
                        !part.starts_with("Max-Age=0") && !part.starts_with("Expires=")
                    });
                    assert_eq!(set, cleared, "{policy:?}");
                }
            }
        }
    }
}

#[test]
fn a_cookie_with_a_domain_is_cleared_together_with_its_host_only_twin() {
    let policy = CookiePolicy {
        domain: "example.com".into(),
        ..CookiePolicy::default()
    };
    let spec = CookieSpec::new("sid", "", true, &policy, false);
    let cleared = spec.clear(false);
    assert_eq!(cleared.len(), 2);
    assert!(cleared[0].contains("Domain=example.com") && !cleared[1].contains("Domain"));
    assert!(cleared.iter().all(|header| header.starts_with("sid=; ")
        && header.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT")));
}

#[test]
fn same_site_none_goes_together_with_secure() {
    let policy = CookiePolicy {
        same_site: SameSite::None,
        ..CookiePolicy::default()
    };
    let spec = CookieSpec::new("sid", "/", false, &policy, false);
    assert!(spec.set("v", true, None).contains("SameSite=None"));
    assert!(!spec.set("v", false, None).contains("SameSite"));
}

#[test]
fn a_cookie_is_secure_where_the_request_or_the_public_url_is() {
    let spec = |secure, public_https| {
        CookieSpec::new(
            "sid",
            "/",
            true,
            &CookiePolicy {
                secure,
                ..CookiePolicy::default()
            },
            public_https,
        )
    };
    for (secure, public_https, on_https, expected) in [
        (Secure::Auto, false, false, false),
        (Secure::Auto, false, true, true),
        (Secure::Auto, true, false, true),
        (Secure::Never, true, true, false),
        (Secure::Always, false, false, true),
    ] {
        let spec = spec(secure, public_https);
        assert_eq!(
            spec.set("v", on_https, None).contains("; Secure"),
            expected,
            "{secure:?} {public_https} {on_https}"
        );
        assert_eq!(
            spec.clear(on_https)[0].contains("; Secure"),
            expected,
            "{secure:?} {public_https} {on_https}"
        );
        assert_eq!(
            spec.named("other")
                .set("v", on_https, None)
                .contains("; Secure"),
            expected
        );
    }
}

#[test]
fn every_path_of_the_policy_is_cleared_with_and_without_its_domain_and_partition() {
    let paths = vec!["/".into(), "/services".into(), "/app".into()];
    let policy = CookiePolicy {
        domain: "example.com".into(),
        paths,
        partitioned: true,
        ..CookiePolicy::default()
    };
    let spec = CookieSpec::new("sid", "/services", true, &policy, false);
    let cleared = spec.clear(true);
    assert_eq!(cleared.len(), 3 * 2 * 2, "{cleared:?}");
    for path in ["/", "/services", "/app"] {
        for domain in [false, true] {
            for partitioned in [false, true] {
                let is_it = |header: &&HeaderValue| {
                    let parts: Vec<&str> = header.split("; ").collect();
                    parts.contains(&format!("Path={path}").as_str())
                        && parts.contains(&"Domain=example.com") == domain
                        && parts.contains(&"Partitioned") == partitioned
                };
                let found: Vec<_> = cleared.iter().filter(is_it).collect();
                assert!(
                    found.len() == 1
                        && found[0].contains("Secure")
                        && found[0].contains("Max-Age=0"),
                    "{path} {cleared:?}"
                );
            }
        }
    }
    // `Partitioned` without `Secure` is refused by browsers.
    assert_eq!(spec.clear(false).len(), 3 * 2);
    assert!(
        spec.clear(false)
            .iter()
            .all(|header| !header.contains("Partitioned"))
    );
}

#[test]
fn a_policy_that_cannot_be_kept_to_is_refused_by_its_key() {
    let paths = |paths: &[&str]| CookiePolicy {
        paths: paths.iter().map(|&path| path.into()).collect(),
        ..CookiePolicy::default()
    };
    for (policy, key) in [
        (paths(&["services"]), "paths"),
        (paths(&["/", ""]), "paths"),
        (paths(&["/a; Domain=example.com"]), "paths"),
        (paths(&["/a\r\n"]), "paths"),
        (paths(&["/"; 9]), "paths"),
        (
            CookiePolicy {
                domain: "a;b".into(),
                ..CookiePolicy::default()
            },
            "domain",
        ),
        (
            CookiePolicy {
                partitioned: true,
                secure: Secure::Never,
                ..CookiePolicy::default()
            },
            "partitioned",
        ),
    ] {
        let keys: Vec<_> = policy.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [key], "{policy:?}");
    }
    assert_eq!(paths(&["/", "/services"]).problems(), []);
}

#[test]
fn a_prefixed_name_is_refused_with_settings_that_void_it() {
    use CookiePrefixError::{Domain, NotSecure, Path};
    for (name, path, secure, domain, https, expected) in [
        ("__Host-sid", "", Secure::Auto, "", true, Ok(())),
        ("__Host-sid", "/", Secure::Always, "", false, Ok(())),
        ("__Host-sid", "/", Secure::Auto, "", false, Err(NotSecure)),
        ("__Host-sid", "/", Secure::Never, "", true, Err(NotSecure)),
        (
            "__Host-sid",
            "/",
            Secure::Auto,
            "example.com",
            true,
            Err(Domain),
        ),
        ("__Host-sid", "/cms", Secure::Auto, "", true, Err(Path)),
        ("__HOST-sid", "/cms", Secure::Auto, "", true, Err(Path)),
        (
            "__Secure-sid",
            "/cms",
            Secure::Auto,
            "example.com",
            true,
            Ok(()),
        ),
        ("__Secure-sid", "/", Secure::Auto, "", false, Err(NotSecure)),
        ("__secure-sid", "/", Secure::Never, "", true, Err(NotSecure)),
        (
            "sid__Host-",
            "/cms",
            Secure::Never,
            "example.com",
            false,
            Ok(()),
        ),
        ("__Hos", "/cms", Secure::Never, "example.com", false, Ok(())),
    ] {
        let policy = CookiePolicy {
            secure,
            domain: domain.into(),
            ..CookiePolicy::default()
        };
        let spec = CookieSpec::new(name, path, true, &policy, https);
        assert_eq!(
            spec.check_prefix(),
            expected,
            "{name} {path:?} {secure:?} {domain:?} {https}"
        );
    }
}
