//! From the login to the end of the session, with the stand-in in the place of the product.

use logout_suite::testing::StandIn;

use super::*;

fn product(profile: Profile, errors_as_status: bool) -> StandIn<AssetsProvider> {
    StandIn::new(platform(false), |platform| {
        AssetsProvider::new(config(profile, errors_as_status), platform).unwrap()
    })
}

#[test]
fn the_product_signs_out_what_was_learned_from_its_own_logins() {
    for (profile, path, errors_as_status) in [
        (Profile::Assets6, "/services/login", false),
        (Profile::Assets6, "/services/login", true),
        (Profile::Assets6, "/services/apilogin", false),
        (Profile::Assets6, "/services/apilogin", true),
        (Profile::Elvis6, "/services/login", false),
        (Profile::Elvis5, "/services/login", false),
        (Profile::Elvis5, "/services/login", true),
        (Profile::Elvis4, "/services/login", false),
    ] {
        let product = product(profile, errors_as_status);
        let hub = provider(profile);
        let case = format!("{profile:?} {path} {errors_as_status}");
        let wrong = Request::new(Method::Post, path).with_query("username=alice&password=wrong");
        assert!(
            hub.parse_login(&wrong, &product.serve(wrong.clone()), NOW)
                .is_none(),
            "{case}"
        );
        let request =
            Request::new(Method::Post, path).with_query("username=Alice&password=alice-password");
        let learned = hub
            .parse_login(&request, &product.serve(request.clone()), NOW)
            .unwrap_or_else(|| panic!("{case}"));
        assert_eq!(learned.subject, Subject::new("", "alice"), "{case}");
        assert_eq!(hub.credentials(&learned.session).len(), 1, "{case}");
        let to = Addressee {
            delivery: None,
            subject: Some(learned.subject),
            session: learned.session,
        };
        let lives = |to: &Addressee| hub.alive(&product.exchange(&hub.probe(to).unwrap()));
        assert_eq!(lives(&to), Some(true), "{case}");
        if path == "/services/login" && profile.has_tokens() {
            let mut unproven = to.clone();
            unproven.session.csrf = Some(Secret::new("of another session"));
            assert_eq!(
                hub.confirm(&product.exchange(&hub.sign_out(&unproven))),
                Confirmation::Refused,
                "{case}"
            );
            assert_eq!(lives(&to), Some(true), "{case}");
        }
        assert_eq!(
            hub.confirm(&product.exchange(&hub.sign_out(&to))),
            Confirmation::Confirmed { redirect: None },
            "{case}"
        );
        assert_eq!(lives(&to), Some(false), "{case}");
        assert_eq!(
            hub.confirm(&product.exchange(&hub.sign_out(&to))),
            Confirmation::NotSignedIn,
            "{case}"
        );
        product.store().set_broken(true);
        assert_eq!(
            hub.confirm(&product.exchange(&hub.sign_out(&to))),
            Confirmation::Refused,
            "{case}"
        );
        assert_eq!(lives(&to), None, "{case}");
    }
}

#[test]
fn the_product_signs_out_a_person_whose_csrf_token_nobody_knows() {
    let product = product(Profile::Assets6, false);
    let hub = provider(Profile::Assets6);
    let request = login("username=alice&password=alice-password");
    let mut learned = hub
        .parse_login(&request, &product.serve(request.clone()), NOW)
        .unwrap();
    learned.session.csrf = None;
    let to = Addressee {
        delivery: None,
        subject: None,
        session: learned.session,
    };
    let call = hub.sign_out(&to);
    assert_eq!(
        (call.method, call.target.as_str()),
        (
            Method::Get,
            "/logout?logoutSuccessUrl=%2Fsigned-out-by-logout-hub"
        )
    );
    for _ in 0..2 {
        assert_eq!(
            hub.confirm(&product.exchange(&hub.sign_out(&to))),
            Confirmation::Confirmed { redirect: None }
        );
        assert_eq!(
            hub.alive(&product.exchange(&hub.probe(&to).unwrap())),
            Some(false)
        );
    }
    product.store().set_broken(true);
    assert_eq!(
        hub.confirm(&product.exchange(&hub.sign_out(&to))),
        Confirmation::Refused
    );
}
