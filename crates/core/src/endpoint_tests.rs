use super::*;

#[test]
fn a_path_matches_segment_by_segment() {
    let content = Endpoint::new(
        "content",
        &[Method::Get],
        "/api/{kind}/contents/{id}",
        &["kind", "id"],
    );
    assert_eq!(
        content.matches("/api/a%20b/contents/1"),
        Some(vec![("kind", "a b".to_owned()), ("id", "1".to_owned())])
    );
    for other in [
        "/api/a/contents",
        "/api/a/contents/",
        "/api/a/contents/1/",
        "/api/a/contents/1/2",
        "/API/a/contents/1",
        "/api/a%2Fb/contents/1",
        "api/a/contents/1",
        "",
    ] {
        assert_eq!(content.matches(other), None, "{other}");
    }
}

#[test]
fn case_slash_and_path_parameters_count_only_where_they_should() {
    let plain = Endpoint::new("out", &[Method::Get], "/A/Out", &[]);
    assert!(
        plain.matches("/A/Out").is_some()
            && plain.matches("/a/out").is_none()
            && plain.matches("/A/Out/").is_none()
            && plain.matches("/A/Out;x=1").is_none()
    );
    let lenient = plain
        .ignoring_case()
        .with_optional_slash()
        .with_path_parameters();
    for path in [
        "/a/OUT",
        "/A/Out/",
        "/A/%4Fut",
        "/A/Out;jsessionid=1",
        "/A/Out/;x",
        "/A/Out;x=1;y=2;",
    ] {
        assert!(lenient.matches(path).is_some(), "{path}");
    }
    for path in ["/A/Out;x/", "/A/Out;x/y", "/A/Out;x\\y", "/A;x/Out"] {
        assert!(lenient.matches(path).is_none(), "{path}");
    }
    assert!(lenient.matches("/a/out//").is_none() && lenient.matches("/a/out/x").is_none());
}

#[test]
fn an_endpoint_of_any_depth_ends_as_it_says() {
    let widget = Endpoint::new("out", &[Method::Get], "/{page}/**/SignOut", &["page"])
        .ignoring_case()
        .with_optional_slash();
    for (path, page) in [
        ("/news/SignOut", "news"),
        ("/a/b/c/signout/", "a"),
        ("/a%20b/SIGNOUT", "a b"),
        ("/SignOut/SignOut", "SignOut"),
    ] {
        assert_eq!(
            widget.matches(path),
            Some(vec![("page", page.to_owned())]),
            "{path}"
        );
    }
    for other in [
        "/SignOut",
        "//SignOut",
        "/a//SignOut",
        "/a/SignOut/x",
        "/a/SignOut//",
        "/a/b%2Fc/SignOut",
        "/a%2FSignOut",
        "/a/b",
        "/",
    ] {
        assert_eq!(widget.matches(other), None, "{other}");
    }
    let servlet = Endpoint::new("out", &[Method::Get], "/wps/**/ibm_security_logout", &[])
        .with_path_parameters();
    for odd in [
        "", ".", "..", "x/..", "%2e", "%2e%2e", "%252e", ";", ";x", "x;y", "%3B", "\\x", "x%5C",
        "%20", "%00",
    ] {
        for path in [
            format!("/{odd}/page/SignOut"),
            format!("/page/{odd}/SignOut"),
            format!("/page/x/{odd}/SignOut"),
        ] {
            assert_eq!(widget.matches(&path), None, "{path}");
        }
        for path in [
            format!("/wps/{odd}/ibm_security_logout"),
            format!("/{odd}/wps/ibm_security_logout"),
        ] {
            assert_eq!(servlet.matches(&path), None, "{path}");
        }
    }
    assert_eq!(widget.matches("/\\page/SignOut"), None);
    for path in [
        "/wps/ibm_security_logout",
        "/wps/portal/ibm_security_logout",
        "/wps/a/b/c/ibm_security_logout",
    ] {
        assert!(servlet.matches(path).is_some(), "{path}");
    }
    for other in [
        "/ibm_security_logout",
        "/wpsx/ibm_security_logout",
        "/wps//ibm_security_logout",
        "/wps/ibm_security_logout/",
    ] {
        assert!(servlet.matches(other).is_none(), "{other}");
    }
    assert!(
        widget.is_of_any_depth()
            && servlet.is_of_any_depth()
            && !widget.shares_a_depth_with(&servlet)
    );
    for (other, shares) in [
        ("/news/**/signout", true),
        ("/**/x/signout", true),
        ("/**/signin", false),
    ] {
        let other = Endpoint::new("other", &[Method::Get], other, &[]);
        assert_eq!(
            (
                widget.shares_a_depth_with(&other),
                other.shares_a_depth_with(&widget)
            ),
            (shares, shares),
            "{other:?}"
        );
    }
}

#[test]
fn a_wrong_spelling_resembles_its_endpoint_and_no_other() {
    let resembles = |endpoint: &str, path: &str| {
        Endpoint::new("out", &[Method::Get], endpoint, &["id"])
            .resembles(&crate::path::loose_segments(path))
    };
    for path in ["/A/Out", "//a//out/", "/a/out.", "/a%2Fout;x"] {
        assert!(resembles("/A/Out", path), "{path}");
    }
    for path in ["/a", "/a/out/x", "/a/outs", "/"] {
        assert!(!resembles("/A/Out", path), "{path}");
    }
    assert!(
        resembles("/a/{id}/c", "/A//b/c/")
            && !resembles("/a/{id}/c", "/a/c")
            && resembles("/", "//")
    );
    assert!(
        resembles("/wps/**/out", "/wps//a/OUT/")
            && !resembles("/wps/**/out", "/wps")
            && !resembles("/wps/**/out", "/x/out")
    );
}

#[test]
fn the_root_is_a_path_too() {
    let root = Endpoint::new("root", &[Method::Get], "/", &[]);
    assert!(
        root.matches("/").is_some() && root.matches("").is_none() && root.matches("//").is_none()
    );
}
