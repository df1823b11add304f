//! A second real provider: LemonLDAP::NG. Its logout tokens have `typ: JWT`, a list in `aud`, and
//! no `exp`.

use logout_tests::front::{Front, Login, VENDORS};
use logout_tests::http::Request;
use logout_tests::lemonldap::Lemonldap;
use logout_tests::oidc_provider::{Client, REDIRECT_URI, claims};
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use logout_tests::visitor::Visitor;
use serde_json::json;

use crate::real_provider::{HUB, assert_dead, set_clock};
use crate::scene::receipts;

pub(crate) fn add(run: &mut Run) {
    for (name, body) in [
        (
            "lemonldap::from_its_portal_to_four_dead_credentials_at_four_products",
            from_its_portal_to_four_dead_credentials_at_four_products as fn(),
        ),
        (
            "lemonldap::without_a_sid_a_sign_out_ends_the_person_s_sessions_of_all_browsers",
            without_a_sid_a_sign_out_ends_the_person_s_sessions_of_all_browsers,
        ),
        (
            "lemonldap::a_platform_s_sign_out_goes_by_way_of_it_without_a_question",
            a_platform_s_sign_out_goes_by_way_of_it_without_a_question,
        ),
    ] {
        run.test(name, &[Need::Lemonldap], body);
    }
}

/// The provider and a hub, which is its client, and whose sign-outs have this reach.
fn start(reach: &str, with_sid: bool) -> (Front, Lemonldap, Client) {
    let mut provider = Lemonldap::prepare();
    let table = format!(
        "[[idp]]\nname = \"{HUB}\"\nissuer = \"{}\"\nclient_id = \"{HUB}\"\njwks_uri = \"{}\"\n\
         end_session_endpoint = \"{}\"\n",
        provider.issuer(),
        provider.jwks_uri(),
        provider.end_session_endpoint()
    );
    let mut front = Front::with_tables(StoreKind::Disk, "wait = \"0ms\"", reach, &table);
    let reach = format!("reach = \"{reach}\"\n");
    front
        .hub
        .reconfigure(&reach, &format!("{reach}idp = \"{HUB}\"\n"));
    front.hub.restart().unwrap();
    let client = Client {
        id: HUB.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        backchannel_logout_uri: format!("{}/idp/{HUB}/backchannel-logout", front.hub.base()),
        with_sid,
        post_logout_redirect_uris: vec![format!("{}/wps/portal", front.hub.base())],
    };
    provider.start(&client);
    set_clock(&front);
    (front, provider, client)
}

/// Registers a session at each product that came from the login with this ID token.
fn register(front: &Front, name: &str, id_token: &str) -> [Login; 4] {
    let login = claims(id_token);
    let names = json!({ "iss": login["iss"], "sub": login["sub"], "sid": login["sid"] });
    let more = json!({ "idp": names, "id_token": id_token });
    VENDORS.map(|vendor| {
        let login = front.register(vendor, name, more.clone());
        assert!(front.passes(&login) && front.is_alive(&login), "{vendor}");
        login
    })
}

fn assert_alive(front: &Front, sessions: &[Login]) {
    for session in sessions {
        assert!(front.passes(session) && front.is_alive(session));
    }
}

fn from_its_portal_to_four_dead_credentials_at_four_products() {
    let (front, provider, client) = start("session", true);
    let [mut here, mut elsewhere, mut other] = [(); 3].map(|()| Visitor::default());
    let token = provider.log_in(&mut here, &client, "dwho");
    let sessions = register(&front, "alice", &token);
    let others = [
        (provider.log_in(&mut elsewhere, &client, "dwho"), "alice"),
        (provider.log_in(&mut other, &client, "rtyler"), "bob"),
    ];
    let others = others.map(|(token, name)| register(&front, name, &token));
    assert_eq!(provider.sign_out(&mut here).status, 200);
    assert_eq!(provider.told(), [true]);
    for session in &sessions {
        assert_dead(&front, session);
    }
    assert_alive(&front, &others.concat());
    let receipts = receipts(&front.hub);
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(receipts[0]["token"]["iss"], provider.issuer());
    let ended = receipts[0]["sessions"].as_array().unwrap();
    assert_eq!(ended.len(), VENDORS.len(), "{ended:?}");
}

fn without_a_sid_a_sign_out_ends_the_person_s_sessions_of_all_browsers() {
    let (front, provider, client) = start("session", false);
    let [mut here, mut elsewhere, mut other] = [(); 3].map(|()| Visitor::default());
    let sessions = [
        register(
            &front,
            "alice",
            &provider.log_in(&mut here, &client, "dwho"),
        ),
        register(
            &front,
            "alice",
            &provider.log_in(&mut elsewhere, &client, "dwho"),
        ),
    ];
    let bobs = register(
        &front,
        "bob",
        &provider.log_in(&mut other, &client, "rtyler"),
    );
    provider.sign_out(&mut here);
    assert_eq!(provider.told(), [true]);
    for session in sessions.iter().flatten() {
        assert_dead(&front, session);
    }
    assert_alive(&front, &bobs);
}

fn a_platform_s_sign_out_goes_by_way_of_it_without_a_question() {
    let (front, provider, client) = start("person", true);
    let mut visitor = Visitor::default();
    let token = provider.log_in(&mut visitor, &client, "dwho");
    let sessions = register(&front, "alice", &token);
    let portal = sessions.iter().find(|login| login.vendor == "hcl-dx");
    let (name, value) = &portal.unwrap().header;
    let answer = Request::get("/wps/portal/ibm_security_logout?logoutExitPage=%2Fportal")
        .header(name, value)
        .send(front.hub.address());
    for session in &sessions {
        assert_dead(&front, session);
    }
    assert!(provider.told().is_empty());
    let back = provider.visit(&mut visitor, answer.header("location").unwrap());
    assert_eq!(
        back.header("location"),
        Some(client.post_logout_redirect_uris[0].as_str()),
        "{} {}",
        back.status,
        back.text()
    );
    assert_eq!(provider.told(), [true]);
    assert!(receipts(&front.hub).is_empty());
    // It has no session left by which the same browser would be let in.
    provider.log_in(&mut visitor, &client, "dwho");
}
