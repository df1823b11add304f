//! From the login to the end of the session, with the stand-in in the place of the site.

use super::*;
use logout_core::SignOutDialect as _;

/// Logs in at `site` by an endpoint that the hub relays, and learns the session.
fn log_in(site: &StandIn<SitefinityProvider>, request: Request<'static>) -> UpstreamLogin {
    let hub = hub();
    let (name, parameters) = hub
        .relayed_endpoints()
        .iter()
        .find_map(|known| Some((known.name(), known.matches(request.path())?)))
        .unwrap();
    let request = request.with_endpoint(name, parameters);
    let answer = site.serve(request.clone());
    hub.parse_login(&request, &answer, NOW).expect("a session")
}

fn by_form(site: &StandIn<SitefinityProvider>) -> UpstreamLogin {
    let asked = Request::new(Method::Get, "/sitefinity/anticsrf")
        .with_header("x-sf-antiforgery-request", "true");
    let token: serde_json::Value = serde_json::from_slice(site.send(asked).body()).unwrap();
    let body = format!(
        "username=ALICE&password=alice-password&sf_antiforgery={}",
        token["Value"].as_str().unwrap()
    );
    let request = Request::new(Method::Post, "/sitefinity/login-handler")
        .with_header("content-type", "application/x-www-form-urlencoded");
    log_in(site, request.with_body(body))
}

fn by_grant(site: &StandIn<SitefinityProvider>, name: &str) -> UpstreamLogin {
    let request = Request::new(Method::Post, "/sitefinity/oauth/token")
        .with_header("content-type", "application/x-www-form-urlencoded");
    log_in(
        site,
        request.with_body(format!(
            "grant_type=password&username={name}&password={name}-password"
        )),
    )
}

fn is_alive(site: &StandIn<SitefinityProvider>, to: &Addressee) -> Option<bool> {
    hub().alive(&site.exchange(&hub().probe(to).unwrap()))
}

#[test]
fn a_session_is_learned_signed_out_confirmed_and_found_dead_at_the_site() {
    let site = stand_in();
    for learned in [by_form(&site), by_grant(&site, "alice")] {
        assert_eq!(learned.subject, Subject::new("default", "alice"));
        let to = of_alice(learned.session);
        assert_eq!(is_alive(&site, &to), Some(true));
        let first = hub().confirm(&site.exchange(&hub().sign_out(&to)));
        assert_eq!(first, Confirmation::Confirmed { redirect: None });
        assert_eq!(is_alive(&site, &to), Some(false));
        let again = hub().confirm(&site.exchange(&hub().sign_out(&to)));
        assert!(
            matches!(
                again,
                Confirmation::Confirmed { .. } | Confirmation::NotSignedIn
            ),
            "{again:?}"
        );
    }
}

#[test]
fn a_silent_sign_in_at_the_site_renews_the_session_of_its_token_service() {
    let site = stand_in();
    let first = by_form(&site);
    let token_service = first.session.cookie("idsrv").unwrap().reveal().to_owned();
    let path = "/Sitefinity/Authenticate/OpenID/connect/authorize";
    let renewed = log_in(
        &site,
        Request::new(Method::Get, path).with_header("cookie", format!("idsrv={token_service}")),
    );
    assert_eq!(
        renewed.renews.as_ref().map(|before| before.secret.reveal()),
        Some(token_service.as_str())
    );
    let to = of_alice(renewed.session.renewing(first.session));
    assert_eq!(is_alive(&site, &to), Some(true));
    assert_eq!(
        hub().confirm(&site.exchange(&hub().sign_out(&to))),
        Confirmation::Confirmed { redirect: None }
    );
    assert_eq!(is_alive(&site, &to), Some(false));
}

#[test]
fn by_an_administrator_every_session_of_the_user_ends_at_the_site_and_nobody_else_s() {
    let site = stand_in();
    let administrator = by_grant(&site, "admin").session.bearer.unwrap();
    let (one, two, bob) = (
        by_form(&site).session,
        by_grant(&site, "alice").session,
        by_grant(&site, "bob").session,
    );
    let hub = administered(Some(administrator.reveal()), None);
    // Its own credentials are not needed.
    let request = hub.sign_out(&of_alice(UpstreamSession::default()));
    assert_eq!(
        hub.confirm(&site.exchange(&request)),
        Confirmation::Confirmed { redirect: None }
    );
    for (session, alive) in [
        (one, false),
        (two, false),
        (bob, true),
        (
            UpstreamSession {
                bearer: Some(administrator),
                ..Default::default()
            },
            true,
        ),
    ] {
        assert_eq!(is_alive(&site, &of_alice(session)), Some(alive));
    }
    // Without the right nobody ends, and that is not taken for a sign-out.
    let bob = by_grant(&site, "bob").session.bearer.unwrap();
    let powerless = administered(Some(bob.reveal()), None);
    assert_eq!(
        powerless
            .confirm(&site.exchange(&powerless.sign_out(&of_alice(UpstreamSession::default())))),
        Confirmation::Refused
    );
    let nobody = administered(Some("nobody's"), None);
    assert_eq!(
        nobody.confirm(&site.exchange(&nobody.sign_out(&of_alice(UpstreamSession::default())))),
        Confirmation::Refused
    );
}

#[test]
fn in_front_of_a_real_site_a_sign_out_clears_the_cookies_of_both_layers_chunks_included() {
    let front = StandIn::new(platform(true), |platform| {
        SitefinityProvider::new(SitefinityConfig::default(), platform).unwrap()
    });
    let request = Request::new(Method::Get, "/Sitefinity/SignOut")
        .with_header("cookie", ".AspNet.CookiesC1=x; idsrvC2=y; otherC1=z");
    let response = front.send(request);
    let cleared: Vec<&str> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == "set-cookie")
        .filter_map(|(_, value)| value.split('=').next())
        .collect();
    assert_eq!(
        cleared,
        [
            ".AspNet.Cookies",
            "SF-TokenId",
            "idsrv",
            ".AspNet.CookiesC1",
            "idsrvC2"
        ]
    );
    // Nobody carries deliveries here, so a stranger's sign-out must not be taken for one that was
    // done.
    let stranger = Request::new(Method::Get, "/Sitefinity/SignOut")
        .with_header("cookie", ".AspNet.Cookies=unseen");
    assert_eq!(front.send(stranger).status(), 503);
}
