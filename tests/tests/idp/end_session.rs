//! Browsers that an application sends to sign out (OpenID Connect RP-Initiated Logout 1.0).

use logout_tests::http::{Answer, Request, percent_encode};
use logout_tests::idp::CLIENT;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use url::Url;

use crate::scene::{Scene, with};

const BACK: &str = "https://app.example/signed-out?x=1";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "end_session";
        a_hint_of_the_browsers_own_login_ends_it_and_leads_back
        without_a_hint_the_page_asks_and_only_its_own_form_ends_anything
        a_hint_of_another_login_ends_nothing_without_a_question
        a_return_address_that_is_not_registered_is_refused_before_anything_ends
        the_hint_alone_ends_its_login_once_somebody_agrees
    }
    run.test(
        "end_session::a_form_says_the_same_as_a_link",
        &[],
        a_form_says_the_same_as_a_link,
    );
    run.test(
        "end_session::a_platforms_sign_out_leads_on_to_the_provider",
        &[],
        a_platforms_sign_out_leads_on_to_the_provider,
    );
}

fn scene(store: StoreKind) -> Scene {
    let party = format!(
        "[[relying_party]]\nclient_id = \"app\"\npost_logout_redirect_uris = [\"{BACK}\"]\n"
    );
    Scene::with(store, &format!("\n{party}"), "reach = \"session\"")
}

/// An ID token of a login, issued to `client` long ago.
pub(crate) fn id_token(scene: &Scene, client: &str, names: &Value) -> String {
    let mut claims = json!({ "iss": scene.idp.issuer(), "aud": client, "iat": 1, "exp": 2 });
    for (name, value) in names.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let header = with(&scene.idp.header(), "typ", json!("JWT"));
    scene.idp.sign_as(&header, &claims)
}

fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", percent_encode(value)))
        .collect();
    format!("/end-session?{}", pairs.join("&"))
}

pub(crate) fn get(scene: &Scene, pairs: &[(&str, &str)], cookie: Option<&str>) -> Answer {
    let request = Request::get(&query(pairs));
    let request = match cookie {
        Some(cookie) => request.header("Cookie", &format!("LtpaToken2={cookie}")),
        None => request,
    };
    request.send(scene.hub.address())
}

/// The form's own field, and the cookie that goes with it.
pub(crate) fn confirmation(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{set}"
    );
    let cookie = answer.cookie("logout-hub-confirm").unwrap().to_owned();
    let page = answer.text();
    assert!(page.contains("<form method=\"post\">"), "{page}");
    let field = page.split("name=\"confirm\" value=\"").nth(1).unwrap();
    let field = field.split('"').next().unwrap().to_owned();
    (field, cookie)
}

pub(crate) fn confirm(scene: &Scene, pairs: &[(&str, &str)], cookies: &str) -> Answer {
    Request::post("/end-session")
        .form(pairs)
        .header("Cookie", cookies)
        .send(scene.hub.address())
}

fn a_hint_of_the_browsers_own_login_ends_it_and_leads_back(store: StoreKind) {
    let scene = scene(store);
    let (cookie, names) = scene.open(0);
    scene.register_login("elsewhere", &names);
    scene.register_login("another", &json!({ "sub": "alice", "sid": "another" }));
    let hint = id_token(&scene, "app", &names);
    let asked = [
        ("id_token_hint", hint.as_str()),
        ("post_logout_redirect_uri", BACK),
        ("state", "a&b=c"),
    ];
    // A link that is fetched ahead of a click ends nothing.
    let ahead = Request::get(&query(&asked))
        .header("Cookie", &format!("LtpaToken2={cookie}"))
        .header("Sec-Purpose", "prefetch")
        .send(scene.hub.address());
    assert_eq!(ahead.status, 200);
    assert!(scene.is_alive(&cookie));
    let answer = get(&scene, &asked, Some(&cookie));
    assert_eq!(answer.status, 302, "{}", answer.text());
    let location = Url::parse(answer.header("location").unwrap()).unwrap();
    assert_eq!(
        location.origin().ascii_serialization(),
        "https://app.example"
    );
    let pairs: Vec<_> = location.query_pairs().into_owned().collect();
    let expected = [("x", "1"), ("state", "a&b=c")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(pairs, expected);
    // The whole login has ended, and no other one.
    let cookies = [cookie.as_str(), "elsewhere", "another"];
    assert_eq!(scene.alive(&cookies), ["another"]);
}

fn without_a_hint_the_page_asks_and_only_its_own_form_ends_anything(store: StoreKind) {
    let scene = scene(store);
    let (cookie, _) = scene.open(0);
    let page = get(&scene, &[], Some(&cookie));
    let (field, confirm_cookie) = confirmation(&page);
    assert!(page.text().contains("<li>portal</li>"), "{}", page.text());
    assert!(scene.is_alive(&cookie));
    let session = format!("LtpaToken2={cookie}");
    let other = "0".repeat(64);
    for (form, cookies) in [
        (vec![], session.clone()),
        (vec![("confirm", field.as_str())], session.clone()),
        (
            vec![("confirm", "")],
            format!("{session}; logout-hub-confirm="),
        ),
        (
            vec![("confirm", other.as_str())],
            format!("{session}; logout-hub-confirm={confirm_cookie}"),
        ),
        (
            vec![("confirm", field.as_str())],
            format!("{session}; logout-hub-confirm={other}"),
        ),
    ] {
        let answer = confirm(&scene, &form, &cookies);
        assert_eq!(answer.status, 200, "{form:?}");
        assert!(answer.text().contains("Sign out?"), "{form:?}");
        assert!(scene.is_alive(&cookie), "{form:?}");
    }
    let cookies = format!("{session}; logout-hub-confirm={confirm_cookie}");
    let answer = confirm(&scene, &[("confirm", &field)], &cookies);
    assert!(
        answer.text().contains("You are signed out."),
        "{}",
        answer.text()
    );
    assert!(!scene.is_alive(&cookie));
    let again = confirm(&scene, &[("confirm", &field)], &cookies);
    assert!(again.text().contains("Nobody was signed in here."));
}

fn a_hint_of_another_login_ends_nothing_without_a_question(store: StoreKind) {
    let scene = scene(store);
    let (cookie, names) = scene.open(0);
    let hint = |client: &str, names: &Value| id_token(&scene, client, names);
    let mut forged = hint("app", &names);
    forged.truncate(forged.len() - 4);
    let hints = [
        hint("app", &json!({ "sub": "bob" })),
        hint("stranger", &names),
        scene.token(&names),
        forged,
        "rubbish".to_owned(),
    ];
    for hint in &hints {
        let answer = get(&scene, &[("id_token_hint", hint)], Some(&cookie));
        confirmation(&answer);
        assert!(scene.is_alive(&cookie), "{hint}");
    }
    // Of two logins in one browser the hint names one.
    scene.register_login("bobs", &json!({ "sub": "bob" }));
    let own = hint("app", &names);
    let answer = Request::get(&query(&[("id_token_hint", &own)]))
        .header("Cookie", &format!("LtpaToken2={cookie}; LtpaToken2=bobs"))
        .send(scene.hub.address());
    assert_ne!(answer.status, 302);
    assert_eq!(scene.alive(&[&cookie, "bobs"]), [&cookie, "bobs"]);
}

fn a_return_address_that_is_not_registered_is_refused_before_anything_ends(store: StoreKind) {
    let scene = scene(store);
    let (cookie, names) = scene.open(0);
    let hint = id_token(&scene, "app", &names);
    let own = id_token(&scene, CLIENT, &names);
    let back = ("post_logout_redirect_uri", BACK);
    let hint = ("id_token_hint", hint.as_str());
    for (pairs, reason) in [
        (vec![back], "needs a valid id_token_hint or a client_id"),
        (
            vec![back, ("id_token_hint", "rubbish")],
            "needs a valid id_token_hint",
        ),
        (vec![back, ("client_id", "stranger")], "not registered"),
        // The hub's own client has no address.
        (
            vec![back, ("id_token_hint", own.as_str())],
            "needs a valid id_token_hint",
        ),
        (
            vec![
                hint,
                ("post_logout_redirect_uri", "https://app.example/signed-out"),
            ],
            "not registered",
        ),
        (
            vec![
                hint,
                (
                    "post_logout_redirect_uri",
                    "https://app.example/signed-out?x=1#",
                ),
            ],
            "not registered",
        ),
        (
            vec![
                hint,
                (
                    "post_logout_redirect_uri",
                    "https://APP.example/signed-out?x=1",
                ),
            ],
            "not registered",
        ),
        (
            vec![hint, ("post_logout_redirect_uri", "//evil.example")],
            "not registered",
        ),
        (
            vec![hint, back, ("client_id", "stranger")],
            "not the client",
        ),
        (vec![hint, back, back], "given twice"),
        (vec![hint, hint], "given twice"),
        (
            vec![hint, back, ("state", "1"), ("state", "2")],
            "given twice",
        ),
    ] {
        let answer = get(&scene, &pairs, Some(&cookie));
        assert_eq!(answer.status, 400, "{pairs:?}");
        assert_eq!(answer.header("location"), None);
        assert!(
            answer.text().contains(reason),
            "{pairs:?}: {}",
            answer.text()
        );
        assert!(scene.is_alive(&cookie), "{pairs:?}");
    }
    // With its client, the address is good without a hint, once somebody has agreed.
    let pairs = [back, ("client_id", "app"), ("state", "\"><script>")];
    let page = get(&scene, &pairs, Some(&cookie));
    assert!(!page.text().contains("<script>"), "{}", page.text());
    let (field, confirm_cookie) = confirmation(&page);
    let form = [pairs.as_slice(), &[("confirm", &field)]].concat();
    let cookies = format!("LtpaToken2={cookie}; logout-hub-confirm={confirm_cookie}");
    let answer = confirm(&scene, &form, &cookies);
    assert_eq!(answer.status, 302);
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with(&format!("{BACK}&state=")),
        "{location}"
    );
    assert!(!scene.is_alive(&cookie));
}

/// A browser whose cookies do not reach the hub: those of another host.
fn the_hint_alone_ends_its_login_once_somebody_agrees(store: StoreKind) {
    let scene = scene(store);
    let (cookie, names) = scene.open(0);
    scene.register_login("another", &json!({ "sub": "alice", "sid": "another" }));
    let hint = id_token(&scene, CLIENT, &names);
    let page = get(&scene, &[("id_token_hint", &hint)], None);
    let (field, confirm_cookie) = confirmation(&page);
    assert!(scene.is_alive(&cookie));
    let form = [
        ("id_token_hint", hint.as_str()),
        ("confirm", field.as_str()),
    ];
    let cookies = format!("logout-hub-confirm={confirm_cookie}");
    let answer = confirm(&scene, &form, &cookies);
    assert!(
        answer.text().contains("You are signed out."),
        "{}",
        answer.text()
    );
    assert_eq!(scene.alive(&[&cookie, "another"]), ["another"]);
}

fn a_form_says_the_same_as_a_link() {
    let scene = scene(StoreKind::Disk);
    let (cookie, names) = scene.open(0);
    let hint = id_token(&scene, "app", &names);
    let form = [("id_token_hint", hint.as_str()), ("client_id", "app")];
    let answer = confirm(&scene, &form, &format!("LtpaToken2={cookie}"));
    assert!(
        answer.text().contains("You are signed out."),
        "{}",
        answer.text()
    );
    assert!(!scene.is_alive(&cookie));
    let other = Request::new("PUT", "/end-session").send(scene.hub.address());
    assert_eq!(
        (other.status, other.header("allow")),
        (405, Some("GET, POST"))
    );
}

fn a_platforms_sign_out_leads_on_to_the_provider() {
    let scene = Scene::with(
        StoreKind::Disk,
        "end_session_endpoint = \"https://idp.example/out\"",
        "reach = \"session\"\nidp = \"op\"",
    );
    for (cookie, more) in [
        ("plain", json!({})),
        ("hinted", json!({ "id_token": "an.id.token" })),
    ] {
        scene.register(cookie, &more);
        let answer = Request::get("/wps/portal/ibm_security_logout?logoutExitPage=%2Fportal")
            .header("Cookie", &format!("LtpaToken2={cookie}"))
            .send(scene.hub.address());
        assert_eq!(answer.status, 302, "{}", answer.text());
        let location = Url::parse(answer.header("location").unwrap()).unwrap();
        assert_eq!(
            &location[..url::Position::AfterPath],
            "https://idp.example/out"
        );
        let pairs: Vec<_> = location.query_pairs().into_owned().collect();
        let back = format!("{}/wps/portal", scene.hub.base());
        let mut expected = vec![("client_id", CLIENT), ("post_logout_redirect_uri", &back)];
        if let Some(token) = more["id_token"].as_str() {
            expected.push(("id_token_hint", token));
        }
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(pairs, expected);
        assert!(!scene.is_alive(cookie));
    }
}
