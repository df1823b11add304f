//! OAuth 2.0 Token Revocation (RFC 7009) of the tokens that stand-ins issue. Sections without a
//! name are of that document.

mod refused;

use std::time::Duration;

use logout_tests::front::{self, admin, deliveries, platform, wait_until};
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub, stand_in};
use logout_tests::logins::{self, sitefinity_is_signed_in};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::assert_taken;
use crate::issued::{Issued, KINDS, alices, apps, issued_to, member, program, stand_ins};
use crate::silence::seen;

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "token_revocation";
        a_revoked_token_is_dead_on_every_route_and_so_is_its_whole_session
        no_answer_tells_whether_a_token_opened_anything
        all_of_the_person_end_where_sign_outs_reach_that_far_and_products_are_told
    }
    refused::add(run);
    run.test(
        "token_revocation::a_forged_or_expired_token_and_a_cookie_are_no_tokens",
        &[],
        a_forged_or_expired_token_and_a_cookie_are_no_tokens,
    );
}

fn hub(store: StoreKind) -> TestHub {
    TestHub::on(store, &stand_ins()).unwrap()
}

/// All receipts, the latest first.
fn receipts(hub: &TestHub) -> Vec<Value> {
    let receipts = admin(hub, Request::get("/api/receipts?limit=1000")).json();
    receipts["receipts"].as_array().unwrap().clone()
}

/// Section 2.1: the invalidation takes place immediately. With a refresh token the access tokens
/// should end, and with an access token the refresh token may: both end here.
fn a_revoked_token_is_dead_on_every_route_and_so_is_its_whole_session(store: StoreKind) {
    let hub = hub(store);
    let others: Vec<Issued> = issued_to(&hub, "bob", Accounts::BOB)
        .into_iter()
        .chain(alices(&hub))
        .collect();
    // The hint has no say, right or wrong (section 2.2).
    let hints = ["", "refresh_token", "access_token", "rubbish"];
    for (kind, log_in) in KINDS.into_iter().enumerate() {
        for (row, hint) in hints.into_iter().enumerate() {
            let issued = log_in(&hub, "alice", Accounts::ALICE);
            let tokens = issued.tokens();
            let token = tokens[row % tokens.len()];
            let what = format!("{} {kind} {hint}", issued.platform);
            assert!(issued.is_alive(&hub), "{what}");
            let mut form = vec![("token", token), ("token_type_hint", hint)];
            form.extend(issued.client.map(|client| ("client_id", client)));
            let request = Request::post(&format!("/revoke/{}", issued.platform)).form(&form);
            let known = receipts(&hub);
            assert_taken(&request.send(hub.address()), &what);
            assert!(!issued.is_alive(&hub), "{what}");
            let mut receipts = receipts(&hub).into_iter();
            let receipt = receipts.find(|one| !known.contains(one)).unwrap();
            assert!(receipts.all(|one| known.contains(&one)), "{what}");
            assert_eq!(receipt["platform"], issued.platform, "{what}");
            assert_eq!(
                (&receipt["reason"], &receipt["reach"]),
                (&json!("user"), &json!("session")),
                "{what}"
            );
            assert_eq!(receipt["sessions"].as_array().unwrap().len(), 1, "{what}");
        }
    }
    for other in &others {
        assert!(other.is_alive(&hub), "{}", other.platform);
    }
}

/// Section 2.2: a token that is invalid is no error, since it opens nothing, as was wanted.
fn no_answer_tells_whether_a_token_opened_anything(store: StoreKind) {
    let hub = hub(store);
    for issued in alices(&hub) {
        for token in issued.tokens() {
            let answer = issued.revocation(token).send(hub.address());
            let revoked = seen(&answer);
            assert_taken(&answer, issued.platform);
            let count = receipts(&hub).len();
            let swapped: String = token.chars().rev().collect();
            for other in [token, &swapped, "unknown", "a.b.c", "\u{0}\u{7f}é"] {
                let answer = issued.revocation(other).send(hub.address());
                assert_eq!(seen(&answer), revoked, "{}", issued.platform);
            }
            assert_eq!(receipts(&hub).len(), count, "{}", issued.platform);
        }
    }
}

/// Section 2.1: a server's policy may let the revocation of a token cause that of others.
fn all_of_the_person_end_where_sign_outs_reach_that_far_and_products_are_told(store: StoreKind) {
    let product = TestHub::start("hcl-dx", &[]).unwrap();
    let wix = stand_in("wix", &["reach = \"person\"".to_owned(), apps()]);
    let portal = platform("hcl-dx", &product.base(), "");
    let tables = format!("[single_logout]\nwait = \"0ms\"\n{wix}{portal}");
    let hub = TestHub::on(store, &tables).unwrap();
    let at_portal = |name, password| front::login(&hub, "hcl-dx", name, password);
    let (alices, bobs) = (
        at_portal("alice", Accounts::ALICE),
        at_portal("bob", Accounts::BOB),
    );
    let [revoked, second] = [(); 2].map(|()| member(&hub, "alice", Accounts::ALICE));
    let refresh = revoked.refresh.as_deref().unwrap();
    let answer = revoked.revocation(refresh).send(hub.address());
    assert_taken(&answer, "alice's");
    assert!(!revoked.is_alive(&hub) && !second.is_alive(&hub));
    wait_until("the product is told", || !alices.is_alive(&product));
    let receipt = || receipts(&hub).swap_remove(0);
    wait_until("the delivery is confirmed", || {
        let id = logins::text(&receipt()["id"]);
        let receipt = admin(&hub, Request::get(&format!("/api/receipts/{id}"))).json();
        let deliveries = deliveries(&receipt);
        deliveries.len() == 1 && deliveries[0]["state"] == "confirmed"
    });
    assert_eq!(receipt()["reach"], "person");
    assert!(bobs.is_alive(&product));
}

fn a_forged_or_expired_token_and_a_cookie_are_no_tokens() {
    let hub = hub(StoreKind::Disk);
    let (program, member) = (
        program(&hub, "alice", Accounts::ALICE),
        member(&hub, "alice", Accounts::ALICE),
    );
    for issued in [&program, &member] {
        let (signed, signature) = issued.access.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
        assert_taken(&issued.revocation(&forged).send(hub.address()), "forged");
        assert!(issued.is_alive(&hub), "{}", issued.platform);
    }
    // The cookie of a site is for browsers.
    let token = Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true");
    let token = logins::text(&token.send(hub.address()).json()["Value"]);
    let form = [
        ("username", "alice"),
        ("password", Accounts::ALICE),
        ("sf_antiforgery", &token),
    ];
    let login = Request::post("/sitefinity/login-handler").form(&form);
    let login = login.send(hub.address());
    let cookie = login.cookie(".AspNet.Cookies").unwrap();
    let request = Request::post("/revoke/sitefinity").form(&[("token", cookie)]);
    assert_taken(&request.send(hub.address()), "a cookie");
    assert!(sitefinity_is_signed_in(&hub, cookie));
    // The refresh token outlives the access token.
    hub.advance(Duration::from_secs(5 * 60 * 60));
    let (access, refresh) = (&member.access, member.refresh.as_deref().unwrap());
    let refreshed = || {
        logins::wix_probes(
            &hub,
            &logins::WixMember {
                access: access.clone(),
                refresh: refresh.to_owned(),
            },
        )
    };
    assert_taken(&member.revocation(access).send(hub.address()), "expired");
    assert_eq!(refreshed(), (401, None));
    assert_taken(&member.revocation(refresh).send(hub.address()), "live");
    assert_eq!(refreshed(), logins::dead());
}
