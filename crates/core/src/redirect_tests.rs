use proptest::prelude::*;

use super::*;

fn policy() -> RedirectPolicy {
    let base = Url::parse("http://site.example/cms").unwrap();
    RedirectPolicy::new(&base)
        .and_then(|policy| policy.allow("https://www.example.org"))
        .and_then(|policy| policy.allow("https://*.example.net"))
        .and_then(|policy| policy.allow("https://apps.example.com/app"))
        .unwrap()
}

const APPROVED: &[(&str, &str)] = &[
    (" home", "/cms/home"),
    ("home?a=b c#d", "/cms/home?a=b%20c#d"),
    ("/home", "/home"),
    ("?a=1", "/cms/?a=1"),
    ("/a//b", "/a//b"),
    ("http://site.example/x", "http://site.example/x"),
    ("https://www.example.org", "https://www.example.org/"),
    (
        "https://WWW.EXAMPLE.ORG:443/ü",
        "https://www.example.org/%C3%BC",
    ),
    (
        "https://a.b.example.net/?x#y",
        "https://a.b.example.net/?x#y",
    ),
    (
        "https://apps.example.com/app",
        "https://apps.example.com/app",
    ),
    (
        "https://apps.example.com/app/x",
        "https://apps.example.com/app/x",
    ),
];

#[test]
fn a_wildcard_that_covers_a_public_suffix_is_refused() {
    let policy = || RedirectPolicy::new(&Url::parse("https://cms.example/").unwrap()).unwrap();
    for entry in [
        "https://*.com",
        "https://*.co.uk",
        "https://*.github.io",
        "https://*.COM/app",
    ] {
        assert_eq!(
            policy().allow(entry).err(),
            Some(RedirectError::PublicSuffix),
            "{entry}"
        );
    }
    for entry in [
        "https://*.example.com",
        "https://*.mysite.github.io",
        "https://*.internal",
        "https://github.io",
    ] {
        assert!(policy().allow(entry).is_ok(), "{entry}");
    }
}

#[test]
fn an_allowed_address_is_sent_as_the_parser_writes_it() {
    for (requested, sent) in APPROVED {
        assert_eq!(
            policy()
                .approve(requested)
                .as_ref()
                .map(ApprovedUrl::as_str),
            Ok(*sent),
            "{requested}"
        );
    }
}

const REFUSED: &[(&str, RedirectError)] = &[
    ("https://evil.test", RedirectError::ForeignOrigin),
    ("//evil.test", RedirectError::ForeignOrigin),
    ("///evil.test", RedirectError::ForeignOrigin),
    ("/.//evil.test", RedirectError::ForeignOrigin),
    ("/x/..//evil.test", RedirectError::ForeignOrigin),
    ("/%2e%2e//evil.test", RedirectError::ForeignOrigin),
    (
        "..//evil.test/..//..//evil.test",
        RedirectError::ForeignOrigin,
    ),
    (r"/\evil.test", RedirectError::ForbiddenCharacter),
    (r"\\evil.test", RedirectError::ForbiddenCharacter),
    ("/\t/evil.test", RedirectError::ForbiddenCharacter),
    ("/a\r\nSet-Cookie:x=1", RedirectError::ForbiddenCharacter),
    ("/\u{7f}", RedirectError::ForbiddenCharacter),
    ("/\u{fffd}", RedirectError::ForbiddenCharacter),
    ("%2F%2Fevil.test", RedirectError::EncodedSlash),
    ("/%5cevil.test", RedirectError::EncodedSlash),
    (
        "https://www.example.org/%2F%2Fevil.test",
        RedirectError::EncodedSlash,
    ),
    ("javascript:alert(1)", RedirectError::Scheme),
    ("data:text/html,x", RedirectError::Scheme),
    ("ftp://www.example.org/", RedirectError::Scheme),
    ("https:evil.test", RedirectError::ForeignOrigin),
    ("http:/evil.test", RedirectError::ForeignOrigin),
    ("https://www.example.org@evil.test", RedirectError::UserInfo),
    ("https://x:y@www.example.org/", RedirectError::UserInfo),
    (
        "https://www.example.org.evil.test",
        RedirectError::ForeignOrigin,
    ),
    ("https://evilexample.net", RedirectError::ForeignOrigin),
    ("https://example.net", RedirectError::ForeignOrigin),
    ("https://.example.net", RedirectError::ForeignOrigin),
    (
        "https://evil.test/?https://www.example.org",
        RedirectError::ForeignOrigin,
    ),
    (
        "https://evil.test#@www.example.org",
        RedirectError::ForeignOrigin,
    ),
    ("http://www.example.org", RedirectError::ForeignOrigin),
    ("https://www.example.org:8443", RedirectError::ForeignOrigin),
    ("https://www.example.org.", RedirectError::ForeignOrigin),
    ("https://site.example/", RedirectError::ForeignOrigin),
    (
        "https://apps.example.com/apple",
        RedirectError::ForeignOrigin,
    ),
    (
        "https://apps.example.com/app/../x",
        RedirectError::ForeignOrigin,
    ),
    (
        "https://apps.example.com/app/..%2Fx",
        RedirectError::ForeignOrigin,
    ),
    ("https://", RedirectError::Unparsable),
    ("https://[::1", RedirectError::Unparsable),
];

#[test]
fn a_foreign_return_address_is_refused() {
    for (requested, fault) in REFUSED {
        assert_eq!(policy().approve(requested), Err(*fault), "{requested}");
    }
    assert_eq!(
        policy().approve(&format!("/{}", "x".repeat(MAX_RETURN_ADDRESS))),
        Err(RedirectError::TooLong)
    );
}

proptest! {
    #[test]
    fn whatever_is_approved_leads_to_an_allowed_origin(requested in "[a-z:/\\\\.@?#%25fFcC \t-]{0,40}") {
        if let Ok(approved) = policy().approve(&requested) {
            let reached = Url::parse("http://site.example/somewhere").unwrap().join(approved.as_str()).unwrap();
            prop_assert!(
                matches!(reached.host_str(), Some("site.example" | "www.example.org" | "apps.example.com"))
                    || reached.host_str().unwrap().ends_with(".example.net"),
                "{requested:?} leads to {reached}"
            );
            prop_assert!(!approved.as_str().starts_with("//") && approved.as_str().is_ascii());
        }
    }
}

#[test]
fn a_domain_entry_means_https_at_that_host() {
    let base = Url::parse("https://site.example").unwrap();
    let policy = RedirectPolicy::new(&base)
        .unwrap()
        .without_own_origin()
        .allow_domain("mysite.com")
        .allow_domain(".example.org")
        .allow_domain("localhost");
    for requested in [
        "https://mysite.com/a",
        "https://a.example.org/",
        "http://localhost:3000/",
    ] {
        assert!(policy.approve_absolute(requested).is_ok(), "{requested}");
    }
    for requested in [
        "http://mysite.com/a",
        "https://mysite.com:444/",
        "https://example.org/",
        "https://xmysite.com",
        "https://site.example/",
        "/a",
    ] {
        assert!(policy.approve_absolute(requested).is_err(), "{requested}");
    }
}

#[test]
fn an_operators_address_keeps_its_bytes() {
    let odd =
        "https://idp.example/logout?post_logout_redirect_uri=https://h/wps/portal&client_id=x";
    assert_eq!(ApprovedUrl::from_operator(odd).unwrap().as_str(), odd);
    for bad in [
        "//evil.test",
        "javascript:x",
        "https://a@b/",
        "a\nb",
        "home",
    ] {
        assert!(ApprovedUrl::from_operator(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_parameter_is_added_once_and_before_the_fragment() {
    for (from, to) in [
        ("/a", "/a?in=false"),
        ("/a?b=c%20d#e", "/a?b=c%20d&in=false#e"),
        ("https://x.example/#e", "https://x.example/?in=false#e"),
    ] {
        assert_eq!(
            ApprovedUrl::from_operator(from)
                .unwrap()
                .with_parameter("in", "false")
                .as_str(),
            to
        );
    }
}

#[test]
fn a_fragment_parameter_joins_the_fragment() {
    for (from, to) in [
        ("/a?b", "/a?b#in=x+y"),
        ("/a#", "/a#in=x+y"),
        ("/a#b=c", "/a#b=c&in=x+y"),
    ] {
        assert_eq!(
            ApprovedUrl::from_operator(from)
                .unwrap()
                .with_fragment_parameter("in", "x y")
                .as_str(),
            to
        );
    }
}

#[test]
fn a_broken_entry_is_named_at_the_start() {
    for entry in [
        "www.example.com",
        "https://*",
        "https://a.*.example.com",
        "ftp://x",
        "https://*.1.2.3.4",
        "https://a/?b",
        "https://a/#b",
    ] {
        assert!(policy().allow(entry).is_err(), "{entry}");
    }
}
