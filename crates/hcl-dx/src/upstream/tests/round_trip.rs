//! From the login to the end of the session, with the stand-in in the place of the portal.

use super::*;
use logout_core::SignOutDialect as _;

/// Logs in at `portal` by the endpoint that the hub relays, and learns the session.
fn log_in(portal: &StandIn<HclDxProvider>, name: &str) -> UpstreamLogin {
    let request = login(&format!(
        r#"{{"username":"{name}","password":"alice-password"}}"#
    ));
    let answer = portal.serve(request.clone());
    hub()
        .parse_login(&request, &answer, NOW)
        .expect("a session")
}

#[test]
fn a_session_is_learned_signed_out_confirmed_and_found_dead_at_the_portal() {
    let portal = stand_in(HclDxConfig::default());
    for name in ["alice", "ALICE", "uid=alice,o=defaultWIMFileBasedRealm"] {
        let learned = log_in(&portal, name);
        assert_eq!(learned.subject, Subject::new("", "alice"));
        let to = Addressee {
            delivery: None,
            subject: Some(learned.subject),
            session: learned.session,
        };
        let alive = || hub().alive(&portal.exchange(&hub().probe(&to).unwrap()));
        assert_eq!(alive(), Some(true));
        let first = hub().confirm(&portal.exchange(&hub().sign_out(&to)));
        assert_eq!(
            first,
            Confirmation::Confirmed {
                redirect: Some("http://dx.example/wps/portal".to_owned())
            }
        );
        assert_eq!(alive(), Some(false));
        assert_eq!(
            hub().confirm(&portal.exchange(&hub().sign_out(&to))),
            Confirmation::NotSignedIn
        );
    }
}

#[test]
fn a_portal_that_does_not_track_logged_out_tokens_is_found_out() {
    let portal = stand_in(HclDxConfig {
        track_logged_out_tokens: false,
        ..HclDxConfig::default()
    });
    let to = Addressee {
        delivery: None,
        subject: None,
        session: log_in(&portal, "alice").session,
    };
    assert!(matches!(
        hub().confirm(&portal.exchange(&hub().sign_out(&to))),
        Confirmation::Confirmed { .. }
    ));
    assert_eq!(
        hub().alive(&portal.exchange(&hub().probe(&to).unwrap())),
        Some(true)
    );
}
