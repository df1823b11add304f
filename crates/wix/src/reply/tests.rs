use logout_core::Method;

use super::*;

fn get(headers: &[(&'static str, &str)]) -> Request<'static> {
    headers.iter().fold(
        Request::new(Method::Get, "/v1/logout"),
        |request, (name, value)| request.with_header(*name, *value),
    )
}

#[test]
fn the_form_is_negotiated_by_method_name_then_by_accept() {
    let gateway = "environment=js-sdk,package-name=@wix/x,method-fqn=wix.iam.authentication.v1.AuthenticationService.Logout,entity=y";
    let other = "environment=js-sdk,method-fqn=wix.headless.v1.RedirectSessionService.CreateRedirectSession";
    for (headers, enveloped) in [
        (vec![], false),
        (vec![("accept", "*/*")], false),
        (
            vec![("accept", "text/html,application/xhtml+xml,*/*;q=0.8")],
            false,
        ),
        (vec![("accept", "application/json")], true),
        (vec![("accept", "application/json;q=0.9, */*")], true),
        (
            vec![("accept", "text/html"), ("accept", "application/json")],
            false,
        ),
        (vec![("x-wix-bi-gateway", gateway), ("accept", "*/*")], true),
        (
            vec![("x-wix-bi-gateway", gateway), ("accept", "text/html")],
            true,
        ),
        (vec![("x-wix-bi-gateway", other)], false),
        (
            vec![("x-wix-bi-gateway", "AuthenticationService.Logout")],
            false,
        ),
    ] {
        assert_eq!(
            is_enveloped(&get(&headers), ResponseForm::Auto),
            enveloped,
            "{headers:?}"
        );
        assert!(
            is_enveloped(&get(&headers), ResponseForm::Envelope)
                && !is_enveloped(&get(&headers), ResponseForm::Raw)
        );
    }
}

#[test]
fn an_envelope_is_200_and_its_body_is_text_in_standard_base64() {
    let answer = Response::html(418, "?>?>~~~")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("x-own", "no");
    let outer = envelope(&answer, &get(&[]));
    let told: Value = serde_json::from_slice(outer.body()).unwrap();
    assert_eq!(
        (outer.status(), &told["statusCode"], &told["body"]),
        (200, &json!(418), &json!("Pz4/Pn5+fg=="))
    );
    let keys: Vec<_> = told["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|header| header["key"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(keys, ["Content-Type", "Set-Cookie", "Set-Cookie"]);
    assert!(
        outer
            .headers()
            .iter()
            .all(|(name, _)| ["content-type", "cache-control"].contains(name))
    );
    assert_eq!(
        envelope(&answer, &get(&[("cookie", "x=y")]))
            .headers()
            .iter()
            .filter(|(name, _)| *name == "set-cookie")
            .count(),
        2
    );
    let empty: Value =
        serde_json::from_slice(envelope(&Response::new(302), &get(&[])).body()).unwrap();
    assert_eq!(empty["body"], json!(""));
}

#[test]
fn the_flag_is_added_once() {
    for (from, to) in [
        (
            "https://a.test/x?y=z#f",
            "https://a.test/x?y=z&wixMemberLoggedIn=false#f",
        ),
        ("https://a.test/", "https://a.test/?wixMemberLoggedIn=false"),
        (
            "https://a.test/?wixMemberLoggedIn=false",
            "https://a.test/?wixMemberLoggedIn=false",
        ),
    ] {
        assert_eq!(
            flagged(&ApprovedUrl::from_operator(from).unwrap()).as_str(),
            to
        );
    }
}

#[test]
fn every_refusal_has_its_status_and_its_words() {
    for (refusal, status, words) in [
        (
            Refusal::ClientMismatch,
            403,
            "\"code\":\"PERMISSION_DENIED\"",
        ),
        (Refusal::ClientUnknown, 404, "\"code\":\"NOT_FOUND\""),
        (Refusal::CsrfMissing, 403, "\"code\":\"PERMISSION_DENIED\""),
        (
            Refusal::RedirectRefused(RedirectError::ForeignOrigin),
            403,
            "\"code\":\"REDIRECT_URI_NOT_ALLOWED\"",
        ),
        (
            Refusal::RedirectRefused(RedirectError::UserInfo),
            403,
            "\"code\":\"REDIRECT_URI_NOT_ALLOWED\"",
        ),
        (
            Refusal::RedirectRefused(RedirectError::Scheme),
            400,
            "\"field\":\"postLogoutRedirectUri\"",
        ),
        (
            Refusal::RedirectRefused(RedirectError::Duplicated),
            400,
            "\"ruleName\":\"DUPLICATED\"",
        ),
        (
            Refusal::Malformed {
                field: "clientId",
                rule: "INVALID_GUID",
            },
            400,
            "\"violatedRule\":\"FORMAT\"",
        ),
        (
            Refusal::MethodNotAllowed { allow: vec![] },
            405,
            "\"code\":\"METHOD_NOT_ALLOWED\"",
        ),
        (Refusal::NotFound, 404, "\"code\":\"NOT_FOUND\""),
        (Refusal::NotSignedIn, 401, "\"code\":\"UNAUTHENTICATED\""),
        (Refusal::TooSlow, 408, "\"code\":"),
        (Refusal::BodyTooLarge, 413, "\"code\":"),
        (
            Refusal::Unavailable,
            503,
            "{\"details\":{},\"message\":\"\"}",
        ),
    ] {
        let response = Response::from(refused(&refusal));
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert_eq!(response.status(), status, "{refusal}");
        assert!(body.contains(words), "{refusal}: {body}");
        assert!(
            response
                .headers()
                .iter()
                .any(|(name, _)| *name == "x-wix-request-id")
        );
    }
}
