//! Whether the holder of a credential may go on.

use futures_executor::block_on;
use logout_core::check::CheckResult;
use logout_core::message::{Method, Request};

use super::{Simple, register, sign_out, world};

#[test]
fn the_check_refuses_what_has_ended_and_passes_the_rest() {
    let world = world();
    register(&world, "alice", "live");
    register(&world, "alice", "dead");
    sign_out(&world, "dead", |asked| asked).unwrap();
    let check = |cookies: &str| {
        block_on(world.sessions.check(
            &Simple,
            &Request::new(Method::Get, "/x").with_header("cookie", cookies),
        ))
    };
    assert_eq!(check("sid=live; other=1"), Ok(CheckResult::Passes));
    assert_eq!(check("sid=unknown"), Ok(CheckResult::Passes));
    assert_eq!(check("sid=dead"), Ok(CheckResult::Ended));
    assert_eq!(check("sid=live; sid=dead"), Ok(CheckResult::Ended));
    assert_eq!(check(""), Ok(CheckResult::Passes));
    world.store.set_broken(true);
    assert!(check("sid=live").is_err());
}

#[test]
fn an_ended_cookie_gets_by_the_check_in_no_spelling_that_a_product_might_read() {
    let world = world();
    register(&world, "alice", "live");
    register(&world, "alice", "dead+/=");
    sign_out(&world, "dead+/=", |asked| asked).unwrap();
    let check = |cookies: &str| {
        block_on(world.sessions.check(
            &Simple,
            &Request::new(Method::Get, "/x").with_header("cookie", cookies),
        ))
    };
    for ended in [
        "sid=\"dead+/=\"",
        "a=1; sid = \"dead+/=\" ;b=2",
        "a=1, sid=dead+/=",
        "a=1,sid=\"dead+/=\",b=2",
        "sid=%64ead%2B%2F%3d",
        "s%69d=dead+/=",
        "a=%20, sid=\"%64ead+/=\"",
    ] {
        assert_eq!(check(ended), Ok(CheckResult::Ended), "{ended}");
    }
    for passes in [
        "sid=\"live\"",
        "sid=live; theme=%7B%22a%22%3A1%7D",
        "other=\"dead+/=\"",
        "sid=\"",
        "sid=%",
        "sid=%ff",
        "=,%,;\"",
    ] {
        assert_eq!(check(passes), Ok(CheckResult::Passes), "{passes}");
    }
}
