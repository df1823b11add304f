//! The LTPA token: its form, its lifetime, and what is left of it after a logout.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use logout_core::credential::Secret;
use logout_core::ports::TokenClaims;
use logout_core::receipt::Reach;
use logout_core::session::{Device, Subject};
use logout_core::store::{Join, Lookup};
use logout_hcl_dx::HclDxConfig;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn untracked() -> Dx {
    dx(HclDxConfig {
        track_logged_out_tokens: false,
        ..config()
    })
}

#[test]
fn a_token_travels_unquoted_with_its_plus_slash_and_padding() {
    let dx = dx(config());
    // A token has each of the two characters with probability 3/4; sixty logins miss one of them
    // once in 10^36.
    let tokens: Vec<String> = (0..60).map(|_| log_in(&dx, "alice")).collect();
    assert!(
        tokens.iter().any(|token| token.contains('+'))
            && tokens.iter().any(|token| token.contains('/'))
    );
    for token in &tokens {
        assert!(token.ends_with("==") && is_alive(&dx, token), "{token}");
        assert!(!token.contains('+') || !is_alive(&dx, &token.replace('+', " ")));
        assert!(
            !is_alive(&dx, &token.replace('=', "%3D")),
            "the value is never decoded"
        );
    }
}

#[test]
fn the_name_of_the_cookie_has_no_case_on_the_way_in() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let lower = |request: logout_core::Request<'static>| {
        request.with_header("cookie", format!("ltpatoken2={token}"))
    };
    assert_eq!(dx.send(lower(post(VALIDATE))).status(), 200);
    assert_eq!(cleared(&dx.send(lower(post(LOGOUT)))), ["LtpaToken2"]);
    assert_dead(&dx, &token);
}

#[test]
fn a_token_behind_a_dollar_sign_is_that_token() {
    let dx = dx(config());
    let (first, second) = (log_in(&dx, "alice"), log_in(&dx, "alice"));
    let behind = |request: logout_core::Request<'static>, token: &str| {
        request.with_header("cookie", format!("$LtpaToken2={token}"))
    };
    assert_eq!(dx.send(behind(post(VALIDATE), &first)).status(), 200);
    assert_eq!(
        cleared(&dx.send(behind(post(LOGOUT), &first))),
        ["LtpaToken2"]
    );
    assert_dead(&dx, &first);
    assert_eq!(dx.send(behind(post(VALIDATE), &first)).status(), 401);
    let both = format!("LtpaToken2=unknown; $ltpatoken2={second}");
    assert_eq!(
        dx.send(post(LOGOUT).with_header("cookie", both)).status(),
        200
    );
    assert_dead(&dx, &second);
}

#[test]
fn the_cookie_can_have_another_name() {
    let dx = dx(HclDxConfig {
        cookie_name: "Sso".into(),
        ..config()
    });
    let set = dx.send(login_request("alice", "alice-password"));
    let token = header(&set, "set-cookie")
        .and_then(|set| set.strip_prefix("Sso=")?.split(';').next())
        .unwrap()
        .to_owned();
    assert_eq!(dx.send(cookie(post(LOGOUT), &token)).status(), 401);
    let logout = dx.send(post(LOGOUT).with_header("cookie", format!("Sso={token}")));
    assert_eq!((logout.status(), cleared(&logout)), (200, vec!["Sso"]));
}

#[test]
fn a_token_lives_from_login_whether_it_is_used_or_not() {
    let dx = dx(config());
    let (used, unused) = (log_in(&dx, "alice"), log_in(&dx, "alice"));
    dx.clock().advance(119 * MINUTE);
    assert!(is_alive(&dx, &used));
    dx.clock().advance(MINUTE - Duration::from_millis(1));
    assert!(is_alive(&dx, &unused));
    dx.clock().advance(Duration::from_millis(1));
    assert_dead(&dx, &used);
    assert_dead(&dx, &unused);
}

#[test]
fn the_lifetime_of_a_token_is_the_operators() {
    let dx = dx(HclDxConfig {
        token_lifetime: 24 * 60,
        ..config()
    });
    let token = log_in(&dx, "alice");
    dx.clock()
        .advance(24 * 60 * MINUTE - Duration::from_millis(1));
    assert!(is_alive(&dx, &token));
    dx.clock().advance(Duration::from_millis(1));
    assert!(!is_alive(&dx, &token));
}

#[test]
fn untracked_a_logged_out_token_opens_content_until_it_expires() {
    let dx = untracked();
    let token = log_in(&dx, "alice");
    assert_eq!(dx.send(cookie(post(LOGOUT), &token)).status(), 200);
    let live = |path: &str| dx.send(cookie(get(path), &token)).status() == 200;
    let replays = || {
        is_alive(&dx, &token) && live(&content_path("dxmyrest", ALICES)) && live("/wps/myportal")
    };
    assert!(replays());
    let who = dx.send(cookie(post(VALIDATE), &token));
    assert_eq!(json(&who)["data"]["UId"].as_str(), Some("alice"));
    dx.clock().advance(120 * MINUTE - Duration::from_millis(1));
    assert!(replays());
    dx.clock().advance(Duration::from_millis(1));
    assert_dead(&dx, &token);
}

#[test]
fn untracked_the_session_is_over_all_the_same() {
    let dx = untracked();
    let token = log_in(&dx, "alice");
    let logout = dx.send(cookie(post(LOGOUT), &token));
    assert_eq!(cleared(&logout), ["LtpaToken2"]);
    let found = block_on(dx.sessions().look_up("ltpa", &token)).unwrap();
    assert_eq!(found, Lookup::Ended);
    assert_fault(&dx.send(cookie(post(LOGOUT), &token)), 401);
    assert_eq!(
        dx.send(cookie(get(&content_path("dxmyrest", MEMBERS)), &token))
            .status(),
        200
    );
}

#[test]
fn untracked_a_token_that_was_never_ours_opens_nothing() {
    let (dx, other) = (untracked(), untracked());
    let foreign = log_in(&other, "alice");
    other.send(cookie(post(LOGOUT), &foreign));
    let token = log_in(&dx, "alice");
    dx.send(cookie(post(LOGOUT), &token));
    for wrong in [
        foreign.as_str(),
        &token[4..],
        &format!("{token}AAAA"),
        "",
        "garbage",
        "e30uZTMwLg==",
    ] {
        assert!(!is_alive(&dx, wrong), "{wrong}");
    }
    assert!(is_alive(&dx, &token));
}

#[test]
fn untracked_a_live_token_counts_before_a_logged_out_one() {
    let dx = untracked();
    let (ended, live) = (log_in(&dx, "alice"), log_in(&dx, "bob"));
    dx.send(cookie(post(LOGOUT), &ended));
    let who = dx.send(cookie(
        post(VALIDATE),
        &format!("{ended}; LtpaToken2={live}"),
    ));
    assert_eq!(json(&who)["data"]["UId"].as_str(), Some("bob"));
}

#[test]
fn a_token_from_before_tracking_was_switched_on_is_dead_after_its_logout() {
    let dx = dx(config());
    let sessions = dx.sessions();
    let mut session =
        sessions.new_session(Subject::new("Default", "alice"), None, Device::default());
    let claims = TokenClaims {
        iss: "dx".into(),
        aud: "ltpa".into(),
        sub: "alice".into(),
        jti: "1".into(),
        iat: session.opened.as_secs(),
        exp: session.expires.as_secs(),
        vendor: Default::default(),
    };
    let token = STANDARD.encode(sessions.tokens().mint(&claims).unwrap().reveal());
    session.credentials =
        vec![sessions.credential("ltpa", &Secret::new(&token), session.expires, false)];
    block_on(sessions.open(session, Join::Always)).unwrap();
    assert!(is_alive(&dx, &token));
    dx.send(cookie(post(LOGOUT), &token));
    assert_dead(&dx, &token);
}

#[test]
fn a_platform_can_reach_further_than_the_vendor() {
    let mut platform = platform();
    platform.reach = Reach::Subject;
    let dx = logout_suite::testing::StandIn::new(platform, |platform| {
        logout_hcl_dx::HclDxProvider::new(config(), platform).unwrap()
    });
    let (one, two, bobs) = (
        log_in(&dx, "alice"),
        log_in(&dx, "alice"),
        log_in(&dx, "bob"),
    );
    dx.send(cookie(post(LOGOUT), &one));
    assert_dead(&dx, &two);
    assert!(is_alive(&dx, &bobs));
}
