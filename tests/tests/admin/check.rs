//! What a reverse proxy is told.

use std::time::Duration;

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub, stand_in};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::json;

use crate::{admin, assert_is_problem, fronts, listed, nobody, platform, register, text};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "check";
        a_credential_passes_until_it_is_signed_out
        a_bearer_token_is_the_caller_s_own
        stand_ins_are_checked_alike
        a_check_takes_its_own_token_under_any_name_of_the_listener
        a_platform_that_does_not_exist_is_said_to_be_so
        a_check_counts_as_use_of_the_session
        a_session_in_the_path_is_found_behind_the_platform_s_name_and_in_the_proxy_s_header
        a_body_is_not_waited_for
        a_proxy_that_wants_200_gets_it_and_a_denial_stays_one
    }
}

/// Every method that a proxy may pass on.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
];

fn check_token(hub: &TestHub) -> String {
    std::fs::read_to_string(hub.folder().join("check.token"))
        .unwrap()
        .trim()
        .to_owned()
}

fn check(hub: &TestHub, request: Request) -> Answer {
    request
        .header("Logout-Check-Token", &check_token(hub))
        .send(hub.admin_address())
}

fn end(hub: &TestHub, session: &str) {
    assert_eq!(
        admin(
            hub,
            Request::new("DELETE", &format!("/api/sessions/{session}"))
        )
        .status,
        202
    );
}

fn a_credential_passes_until_it_is_signed_out(store: StoreKind) {
    let hub = fronts(store);
    let ask = |method: &str, cookie: &str| {
        check(
            &hub,
            Request::new(method, "/check/portal/wps/myportal?x=1").header("Cookie", cookie),
        )
    };
    let id = text(&register(&hub, "alice", "one")["id"]);
    register(&hub, "alice", "two");
    for method in METHODS {
        for cookie in [
            "LtpaToken2=one",
            "LtpaToken2=two",
            "LtpaToken2=never-seen",
            "other=1",
            "",
        ] {
            let answer = ask(method, cookie);
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (204, ""),
                "{method} {cookie}"
            );
        }
    }
    end(&hub, &id);
    for method in METHODS {
        for (cookie, status) in [
            ("LtpaToken2=one", 401),
            ("LtpaToken2=two", 204),
            ("LtpaToken2=two; LtpaToken2=one", 401),
        ] {
            let answer = ask(method, cookie);
            assert_eq!(answer.status, status, "{method} {cookie}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    assert_is_problem(&ask("GET", "LtpaToken2=one"), 401);
    // Another platform's business.
    assert_eq!(
        check(
            &hub,
            Request::get("/check/dam").header("Cookie", "LtpaToken2=one; authToken=one")
        )
        .status,
        204
    );
}

fn a_bearer_token_is_the_caller_s_own(store: StoreKind) {
    let hub = fronts(store);
    let body = json!({ "platform": "dam", "subject": "alice", "bearer": "one" });
    let id = text(&admin(&hub, Request::post("/api/sessions").json(&body)).json()["id"]);
    let ask = || {
        check(
            &hub,
            Request::get("/check/dam/services/search").header("Authorization", "Bearer one"),
        )
        .status
    };
    assert_eq!(ask(), 204);
    end(&hub, &id);
    assert_eq!(ask(), 401);
}

fn stand_ins_are_checked_alike(store: StoreKind) {
    let hub = TestHub::on(store, &stand_in("assets", &[])).unwrap();
    let form = [("username", "alice"), ("password", Accounts::ALICE)];
    let cookie = Request::post("/services/login")
        .form(&form)
        .send(hub.address())
        .cookie("authToken")
        .unwrap()
        .to_owned();
    let cookie = format!("authToken={cookie}");
    let ask = || {
        check(
            &hub,
            Request::get("/check/assets/services/search").header("Cookie", &cookie),
        )
        .status
    };
    assert_eq!(ask(), 204);
    Request::get("/logout")
        .header("Cookie", &cookie)
        .send(hub.address());
    assert_eq!(ask(), 401);
}

fn a_check_takes_its_own_token_under_any_name_of_the_listener(store: StoreKind) {
    let hub = fronts(store);
    let almost = &check_token(&hub)[1..];
    let request = || Request::get("/check/portal/").header("Host", "portal.example.com");
    assert_eq!(check(&hub, request()).status, 204);
    assert_eq!(
        request()
            .header("Logout-Check-Token", &hub.admin_token())
            .send(hub.admin_address())
            .status,
        204
    );
    for request in [
        request(),
        request().header("Logout-Check-Token", ""),
        request().header("Logout-Check-Token", almost),
        request().header("Authorization", &format!("Bearer {}", check_token(&hub))),
        request().header("Authorization", &format!("Bearer {}", hub.admin_token())),
        Request::get("/check/nobody/"),
    ] {
        assert_is_problem(&request.send(hub.admin_address()), 403);
    }
    // The check's token opens nothing but the check.
    let api = Request::get("/api/sessions")
        .header("Authorization", &format!("Bearer {}", check_token(&hub)));
    assert_is_problem(&api.send(hub.admin_address()), 401);
    assert_is_problem(&check(&hub, Request::get("/api/sessions")), 401);
}

fn a_platform_that_does_not_exist_is_said_to_be_so(store: StoreKind) {
    let hub = fronts(store);
    for target in ["/check/prtal/", "/check/", "/check", "/check//portal"] {
        assert_is_problem(&check(&hub, Request::get(target)), 404);
    }
}

fn a_check_counts_as_use_of_the_session(store: StoreKind) {
    let hub = TestHub::on(
        store,
        &platform("portal", "hcl-dx", &nobody(), "idle_timeout = \"10m\""),
    )
    .unwrap();
    register(&hub, "alice", "used");
    register(&hub, "alice", "idle");
    for _ in 0..3 {
        hub.advance(Duration::from_secs(6 * 60));
        assert_eq!(
            check(
                &hub,
                Request::get("/check/portal/wps/").header("Cookie", "LtpaToken2=used")
            )
            .status,
            204
        );
    }
    assert_eq!(listed(&hub, "").len(), 1);
    hub.advance(Duration::from_secs(10 * 60));
    assert_eq!(listed(&hub, "").len(), 0);
}

fn a_session_in_the_path_is_found_behind_the_platform_s_name_and_in_the_proxy_s_header(
    store: StoreKind,
) {
    let hub = TestHub::on(
        store,
        &platform("dam", "assets", &nobody(), "profile = \"elvis4\""),
    )
    .unwrap();
    let body = json!({ "platform": "dam", "subject": "alice", "cookies": { "JSESSIONID": "one" } });
    let registered = admin(&hub, Request::post("/api/sessions").json(&body));
    assert_eq!(registered.status, 201, "{}", registered.text());
    let path = "/dam/services/search;jsessionid=one";
    let behind = || check(&hub, Request::get(&format!("/check/dam{path}"))).status;
    let told = || {
        check(
            &hub,
            Request::get("/check/dam").header("X-Original-URI", &format!("{path}?q=1")),
        )
        .status
    };
    let traefik = || {
        let request = Request::get("/check/dam").header("X-Original-URI", "/made/up/by/the/client");
        check(&hub, request.header("X-Forwarded-Uri", path)).status
    };
    assert_eq!((behind(), told(), traefik()), (204, 204, 204));
    end(&hub, &text(&registered.json()["id"]));
    assert_eq!((behind(), told(), traefik()), (401, 401, 401));
}

fn a_body_is_not_waited_for(store: StoreKind) {
    let hub = fronts(store);
    let request = Request::post("/check/portal/")
        .header("Content-Length", "1000000")
        .body("only the beginning of it");
    assert_eq!(check(&hub, request).status, 204);
}

fn a_proxy_that_wants_200_gets_it_and_a_denial_stays_one(store: StoreKind) {
    let hub = fronts(store);
    let id = text(&register(&hub, "alice", "one")["id"]);
    let ask = |preference: &str| {
        let request = Request::get("/check/portal/")
            .header("Cookie", "LtpaToken2=one")
            .header("Prefer", preference);
        check(&hub, request)
    };
    for preference in ["return=representation", "wait=1, Return=Representation"] {
        let answer = ask(preference);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "status": "passes" })),
            "{preference}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for preference in ["return=minimal", "return", "representation", ""] {
        assert_eq!(ask(preference).status, 204, "{preference}");
    }
    end(&hub, &id);
    assert_is_problem(&ask("return=representation"), 401);
}
