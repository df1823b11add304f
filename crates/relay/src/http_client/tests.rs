use super::*;

fn client(base: &str) -> Result<HttpClient, HttpClientError> {
    HttpClient::new(HttpClientSettings::new(Url::parse(base).unwrap()))
}

#[test]
fn a_base_address_is_an_origin_and_a_path() {
    for bad in [
        "ftp://a.example",
        "http://u@a.example",
        "http://u:p@a.example",
        "http://a.example/?q",
        "http://a.example/#f",
    ] {
        assert!(matches!(client(bad), Err(HttpClientError::Base)), "{bad}");
    }
    assert!(client("http://a.example/base/").is_ok());
}

#[test]
fn a_request_goes_to_the_base_address_and_nowhere_else() {
    let client = client("http://a.example:8080/base/").unwrap();
    let url = |target: &str| {
        Some(
            client
                .outgoing(UpstreamRequest::new(Method::Get, target))?
                .url()
                .to_string(),
        )
    };
    assert_eq!(
        url("/x?a=b%20c").as_deref(),
        Some("http://a.example:8080/base/x?a=b%20c")
    );
    assert_eq!(
        url("//evil.example/x").as_deref(),
        Some("http://a.example:8080/base//evil.example/x")
    );
    assert_eq!(
        url("/../x\\y?#/z").as_deref(),
        Some("http://a.example:8080/x/y?")
    );
    for bad in ["@evil.example/", ".evil.example", "", "x", ":1/"] {
        assert_eq!(url(bad), None, "{bad:?}");
    }
}

#[test]
fn a_header_that_cannot_be_sent_stops_the_request_and_those_of_the_connection_are_the_client_s() {
    let client = client("http://a.example").unwrap();
    let mut request = UpstreamRequest::new(Method::Post, "/")
        .with_header("host", "evil.example")
        .with_header("accept-encoding", "br")
        .with_header("content-length", "7")
        .with_header("cookie", "a=ü");
    let sent = client.outgoing(request.clone()).unwrap();
    assert_eq!(
        (sent.headers().len(), &sent.headers()["content-length"]),
        (3, &HeaderValue::from_static("0"))
    );
    assert_eq!(sent.headers()["accept-encoding"], "identity");
    assert_eq!(sent.headers()["cookie"].as_bytes(), "a=ü".as_bytes());
    assert!(sent.headers()["cookie"].is_sensitive());
    request.headers.push((
        "cookie".to_owned(),
        logout_core::credential::Secret::new("a\nb"),
    ));
    assert!(client.outgoing(request).is_none());
}

#[test]
fn a_file_that_holds_no_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let settings = HttpClientSettings {
        ca_file: Some(file.clone()),
        ..HttpClientSettings::new(Url::parse("https://a.example").unwrap())
    };
    assert!(matches!(
        HttpClient::new(settings.clone()),
        Err(HttpClientError::CaUnreadable(..))
    ));
    std::fs::write(&file, "no certificate").unwrap();
    assert!(matches!(
        HttpClient::new(settings),
        Err(HttpClientError::NoCertificate(_))
    ));
}
