//! What is said when the store does not answer: 503, never success, and the cookie stays.

use logout_assets::Profile;

use crate::support::*;

#[test]
fn a_sign_out_is_unavailable_in_both_modes_and_works_once_the_store_is_back() {
    for dam in [Dam::assets(), Dam::with_statuses()] {
        let alice = dam.login("alice");
        let request = csrf(cookie(post("/services/logout"), &alice.secret), &alice.csrf);
        dam.store().set_broken(true);
        let response = dam.send(request.clone());
        assert_error(&response, 503, 503);
        assert_eq!(header(&response, "set-cookie"), None);
        let response = dam.send(cookie(get("/logout"), &alice.secret));
        assert_eq!(
            (
                response.status(),
                header(&response, "location"),
                header(&response, "set-cookie")
            ),
            (503, None, None)
        );
        dam.store().set_broken(false);
        assert_signed_out(&dam.send(request));
        assert!(!dam.token_lives(&alice.secret));
    }
}

#[test]
fn probes_and_logins_are_unavailable_and_never_say_alive() {
    let dam = Dam::assets();
    let token = dam.api_login("alice");
    dam.store().set_broken(true);
    for path in ["/services/profile", "/services/search", "/services/ping"] {
        assert_error(&dam.send(bearer(get(path), &token)), 503, 503);
    }
    for path in ["/services/login", "/services/apilogin"] {
        let response = dam.send(post(path).with_query("username=alice&password=alice-password"));
        assert_error(&response, 503, 503);
        assert_eq!(header(&response, "set-cookie"), None);
    }
    let elvis = Dam::of(Profile::Elvis5);
    let id = elvis.login("alice").secret;
    elvis.store().set_broken(true);
    assert_eq!(
        elvis
            .send(get(&format!("/alive.txt;jsessionid={id}")))
            .status(),
        503
    );
}

#[test]
fn a_forged_or_expired_token_never_gets_as_far_as_the_store() {
    let dam = Dam::assets();
    let token = dam.api_login("alice");
    dam.clock().advance(std::time::Duration::from_secs(3_600));
    dam.store().set_broken(true);
    for presented in ["e30.e30.e30", token.as_str(), "x"] {
        for path in ["/services/logout", "/services/profile"] {
            assert_error(&dam.send(bearer(post(path), presented)), 200, 401);
            assert_error(&dam.send(cookie(post(path), presented)), 200, 401);
        }
    }
}
