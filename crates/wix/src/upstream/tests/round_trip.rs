//! From the login to the end of the session, with the stand-in in the place of the product.

use logout_core::upstream::Addressee;

use super::*;

fn logged_in(product: &StandIn<WixProvider>, request: &Request<'_>) -> Option<UpstreamLogin> {
    provider().parse_login(request, &product.serve(request.clone()), NOW)
}

fn to(session: UpstreamSession) -> Addressee {
    Addressee {
        delivery: None,
        subject: None,
        session,
    }
}

fn lives(product: &StandIn<WixProvider>, to: &Addressee) -> Option<bool> {
    provider().alive(&product.exchange(&provider().probe(to).unwrap()))
}

#[test]
fn the_product_signs_out_a_visitor_by_token() {
    let product = product();
    let visitor = to(logged_in(&product, &anonymous()).unwrap().session);
    assert_eq!(lives(&product, &visitor), Some(true));
    assert_eq!(
        provider().confirm(&product.exchange(&provider().sign_out(&visitor))),
        confirmed()
    );
    assert_eq!(lives(&product, &visitor), Some(false));
    assert_eq!(
        provider().confirm(&product.exchange(&provider().sign_out(&visitor))),
        confirmed()
    );
    let garbage = to(UpstreamSession {
        bearer: Some(Secret::new("OauthNG.JWS.x")),
        ..UpstreamSession::default()
    });
    assert_eq!(
        provider().confirm(&product.exchange(&provider().sign_out(&garbage))),
        Confirmation::NotSignedIn
    );
}

#[test]
fn the_product_signs_out_a_member_by_whatever_step_of_the_login_was_learned() {
    for step in ["tokens", "refreshed tokens", "cookie", "ticket"] {
        let product = product();
        let visitor = logged_in(&product, &anonymous()).unwrap().session;
        let visitor = visitor.bearer.as_ref().unwrap().reveal();
        assert!(logged_in(&product, &log_in("alice@example.com", "wrong", visitor)).is_none());
        let session_token = logged_in(
            &product,
            &log_in("Alice@example.com", "alice-password", visitor),
        )
        .unwrap();
        assert_eq!(session_token.subject, Subject::new("", "alice@example.com"));
        assert!(
            provider()
                .probe(&to(session_token.session.clone()))
                .is_none()
        );
        let cookie = logged_in(
            &product,
            &authorize(session_token.session.other(SESSION_TOKEN).unwrap().reveal()),
        )
        .unwrap()
        .session;
        assert!(logged_in(&product, &authorize("wrong")).is_none());
        let code = cookie.other(CODE).unwrap().reveal().to_owned();
        let tokens = logged_in(&product, &exchange(&code)).unwrap().session;
        let access = tokens.bearer.as_ref().unwrap().reveal().to_owned();
        let known_by = to(match step {
            "tokens" => tokens.clone(),
            "refreshed tokens" => {
                logged_in(&product, &refresh(tokens.other(REFRESH).unwrap().reveal()))
                    .unwrap()
                    .session
            }
            "cookie" => cookie.clone(),
            _ => {
                let others = logged_in(&product, &sign_out_link(&access))
                    .unwrap()
                    .session
                    .others;
                UpstreamSession {
                    others,
                    ..UpstreamSession::default()
                }
            }
        });
        let member = to(tokens.clone());
        assert_eq!(lives(&product, &member), Some(true), "{step}");
        assert_eq!(
            provider().confirm(&product.exchange(&provider().sign_out(&known_by))),
            confirmed(),
            "{step}"
        );
        assert_eq!(lives(&product, &member), Some(false), "{step}");
        assert_eq!(lives(&product, &to(cookie)), Some(false), "{step}");
        assert!(
            logged_in(&product, &refresh(tokens.other(REFRESH).unwrap().reveal())).is_none(),
            "{step}"
        );
        let again = provider().confirm(&product.exchange(&provider().sign_out(&known_by)));
        assert!(
            matches!(
                again,
                Confirmation::Confirmed { .. } | Confirmation::NotSignedIn
            ),
            "{step}"
        );
        product.store().set_broken(true);
        assert_eq!(
            provider().confirm(&product.exchange(&provider().sign_out(&known_by))),
            Confirmation::Refused,
            "{step}"
        );
        assert_eq!(lives(&product, &member), None, "{step}");
    }
}
