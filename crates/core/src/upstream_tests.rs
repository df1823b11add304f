use super::*;
use crate::session::ClientId;

#[test]
fn a_session_comes_back_as_it_was_sealed() {
    let session = UpstreamSession {
        cookies: vec![
            ("a".to_owned(), Secret::new("x=y%20+&z")),
            ("b".to_owned(), Secret::new("")),
        ],
        bearer: Some(Secret::new("ey.J&=")),
        csrf: None,
        client: Some(ClientId::new("app")),
        others: vec![("refresh".to_owned(), Secret::new("r=1"))],
        removals: vec![
            "a=; Path=/services; Max-Age=0".to_owned(),
            "b=; Path=/".to_owned(),
        ],
    };
    let back = UpstreamSession::from_bytes(&session.to_bytes());
    assert_eq!(back.to_bytes(), session.to_bytes());
    assert_eq!(back.removals, session.removals);
    // As it was sealed before removals were remembered.
    assert_eq!(
        UpstreamSession::from_bytes(b"cookie=a%3Dx&bearer=t").removals,
        Vec::<String>::new()
    );
    assert_eq!(back.cookie_header().unwrap().reveal(), "a=x=y%20+&z; b=");
    assert_eq!(back.bearer.unwrap().reveal(), "ey.J&=");
    assert!(back.csrf.is_none() && back.client == Some(ClientId::new("app")));
    assert_eq!(session.other("refresh").map(Secret::reveal), Some("r=1"));
    let ticket = UpstreamSession {
        others: session.others.clone(),
        ..UpstreamSession::default()
    };
    assert!(
        !ticket.is_empty()
            && ticket.cookie_header().is_none()
            && UpstreamSession::default().is_empty()
    );
}

#[test]
fn what_is_not_renewed_stays() {
    let pair = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    let before = UpstreamSession {
        cookies: vec![pair("a", "1"), pair("b", "2")],
        bearer: Some(Secret::new("old")),
        csrf: Some(Secret::new("c")),
        client: Some(ClientId::new("app")),
        others: vec![pair("refresh", "r")],
        removals: vec!["a=; Path=/".to_owned(), "b=; Path=/".to_owned()],
    };
    let removals = vec!["b=; Path=/x".to_owned(), "b=; Path=/".to_owned()];
    let new = UpstreamSession {
        cookies: vec![pair("b", "3")],
        bearer: Some(Secret::new("new")),
        removals,
        ..UpstreamSession::default()
    };
    let after = new.renewing(before);
    assert_eq!(after.removals, ["b=; Path=/x", "b=; Path=/", "a=; Path=/"]);
    assert_eq!(after.cookie_header().unwrap().reveal(), "b=3; a=1");
    assert_eq!(
        (
            after.bearer.as_ref().unwrap().reveal(),
            after.csrf.as_ref().unwrap().reveal()
        ),
        ("new", "c")
    );
    assert_eq!(
        (
            after.other("refresh").unwrap().reveal(),
            after.client.as_ref()
        ),
        ("r", Some(&ClientId::new("app")))
    );
}

#[test]
fn neither_request_nor_answer_prints_a_credential() {
    let session = UpstreamSession {
        bearer: Some(Secret::new("canary")),
        ..UpstreamSession::default()
    };
    let request =
        UpstreamRequest::new(Method::Get, "/x?t=canary").with_header("authorization", "canary");
    let answer = UpstreamAnswer {
        status: 200,
        headers: vec![("set-cookie".to_owned(), b"a=canary".to_vec())],
        body: b"canary".to_vec(),
    };
    assert!(!format!("{session:?}{request:?}{answer:?}").contains("canary"));
}

#[test]
fn cookies_that_are_set_are_told_from_those_that_are_removed() {
    let now = Timestamp::from_millis(1_000_000_000_000);
    let header = |text: &str| ("set-cookie".to_owned(), text.as_bytes().to_vec());
    let headers = [
        "a=1; Path=/; HttpOnly",
        "b=; Max-Age=0",
        "c=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "d=2; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "e=\"q\"; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "no cookie",
    ];
    let answer = UpstreamAnswer {
        status: 200,
        headers: headers.map(header).into(),
        body: Vec::new(),
    };
    let set = answer.cookies_set(now);
    let names: Vec<_> = set
        .iter()
        .map(|cookie| (cookie.name.as_str(), cookie.value.reveal()))
        .collect();
    assert_eq!(names, [("a", "1"), ("d", "2"), ("e", "\"q\"")]);
    assert_eq!(set[0].expires, None);
    assert_eq!(
        set[1].expires,
        Some(Timestamp::from_millis(1_000_000_060_000))
    );
    assert_eq!(set[2].expires.map(Timestamp::as_secs), Some(4_102_444_800));
}

#[test]
fn the_words_of_faults_are_read_back() {
    for fault in UpstreamError::ALL {
        assert_eq!(UpstreamError::parse(fault.as_str()), Some(fault));
    }
    assert_eq!(UpstreamError::parse(""), None);
}
