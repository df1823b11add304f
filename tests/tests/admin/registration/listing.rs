//! Registered sessions, listed by whose they are.

use super::*;

pub(super) fn sessions_are_listed_by_platform_person_realm_and_subject(store: StoreKind) {
    let hub = fronts(store);
    register(&hub, "alice", "one");
    register(&hub, "bob", "two");
    let form = [
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", Accounts::ALICE),
        ("client_id", "c"),
        ("client_secret", "s"),
    ];
    assert_eq!(
        Request::post("/site/sitefinity/oauth/token")
            .form(&form)
            .send(hub.address())
            .status,
        200
    );
    for (query, count) in [
        ("", 3),
        ("?platform=portal", 2),
        ("?person=alice@example.com", 2),
        ("?subject=alice", 2),
        ("?subject=alice&platform=site", 1),
        ("?realm=default", 1),
        ("?realm=default&subject=bob", 0),
        ("?realm=default&subject=alice", 1),
        ("?realm=&subject=bob", 1),
        ("?subject=carol", 0),
    ] {
        assert_eq!(listed(&hub, query).len(), count, "{query}");
    }
    let upstreams: Vec<Value> = listed(&hub, "?subject=alice")
        .iter()
        .map(|session| session["upstream"].clone())
        .collect();
    assert!(
        upstreams.contains(&json!(true)) && upstreams.contains(&json!(false)),
        "{upstreams:?}"
    );
}

pub(super) fn a_listing_by_subject_goes_on_where_its_page_ended(store: StoreKind) {
    let hub = fronts(store);
    for number in 0..5 {
        register(&hub, "alice", &format!("a{number}"));
        register(&hub, "bob", &format!("b{number}"));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin(
            &hub,
            Request::get(&format!("/api/sessions?subject=alice&limit=2{after}")),
        )
        .json();
        let sessions = page["sessions"].as_array().unwrap();
        assert!(
            sessions.len() <= 2 && sessions.iter().all(|session| session["subject"] == "alice"),
            "{page}"
        );
        seen.extend(sessions.iter().map(|session| text(&session["id"])));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (5, 5));
}
