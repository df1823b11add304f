//! One credential in every spelling that the product's decoder takes (docs/vendors, "Spellings"): a
//! sign-out by any of them ends them all, at the check and on the product's own routes.

mod ambiguous;
mod decoders;
mod paths;

use futures_executor::block_on;
use logout_core::store::{Join, OpenOutcome};
use logout_hub::Vendor;
use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::skip::Run;

use self::decoders::{foreign_spellings, spellings};
use crate::sample::{PLATFORMS, Sample, VENDORS, opens, says_done, sign_out};

pub(crate) fn add(run: &mut Run) {
    run.test(
        "spellings::a_sign_out_of_assets_by_one_spelling_ends_all_of_them",
        &[],
        || one_ends_all(Vendor::Assets),
    );
    run.test(
        "spellings::a_sign_out_of_hcl_dx_by_one_spelling_ends_all_of_them",
        &[],
        || one_ends_all(Vendor::HclDx),
    );
    run.test(
        "spellings::a_sign_out_of_sitefinity_by_one_spelling_ends_all_of_them",
        &[],
        || one_ends_all(Vendor::Sitefinity),
    );
    run.test(
        "spellings::a_sign_out_of_wix_by_one_spelling_ends_all_of_them",
        &[],
        || one_ends_all(Vendor::Wix),
    );
    run.test(
        "spellings::what_decoders_in_front_make_of_an_ended_credential_is_denied",
        &[],
        others_are_denied,
    );
    run.test(
        "spellings::only_a_known_and_live_credential_passes_where_that_is_asked_for",
        &[],
        known,
    );
    run.test(
        "spellings::what_is_hidden_behind_many_others_is_denied",
        &[],
        ambiguous::hidden,
    );
    run.test(
        "spellings::every_value_that_the_parts_of_a_sitefinity_cookie_make_is_looked_up",
        &[],
        ambiguous::parts,
    );
    run.test(
        "spellings::a_session_id_in_any_segment_of_an_elvis_path_is_looked_up",
        &[],
        paths::session_ids_in_paths,
    );
    run.test(
        "spellings::a_path_that_may_be_a_sign_out_is_not_fetched_ahead_of_a_click",
        &[],
        paths::fetched_ahead,
    );
    run.test(
        "spellings::two_credentials_where_the_product_takes_one_are_denied",
        &[],
        ambiguous::ambiguous,
    );
}

/// Several credentials, because how one can be spelled depends on its length and its bits.
const CREDENTIALS: usize = 3;

type Headers = Vec<(&'static str, String)>;

struct World {
    hub: TestHub,
}

impl World {
    fn new(check: &str) -> Self {
        let platforms = PLATFORMS.replace(
            "[[platform]]\n",
            &format!("[[platform]]\ncheck = \"{check}\"\n"),
        );
        Self {
            hub: TestHub::with_platforms(&platforms).unwrap(),
        }
    }

    fn open(&self, vendor: Vendor, number: usize) -> Sample {
        let services = self.hub.services();
        let now = services.clock.now();
        let (session, sample) = Sample::new(vendor, number, &*services.tokens, now);
        assert_eq!(
            block_on(services.store.open(session, Join::Always, now)),
            Ok(OpenOutcome::Opened)
        );
        sample
    }

    fn check(&self, vendor: Vendor, headers: &[(&str, String)]) -> u16 {
        self.check_path(vendor.name(), "/", headers)
    }

    fn check_path(&self, platform: &str, path: &str, headers: &[(&str, String)]) -> u16 {
        let token = std::fs::read_to_string(self.hub.folder().join("check.token")).unwrap();
        let request = Request::get(&format!("/check/{platform}{path}"))
            .header("Logout-Check-Token", token.trim());
        with(request, headers).send(self.hub.admin_address()).status
    }

    fn opens(&self, vendor: Vendor, headers: &[(&str, String)]) -> bool {
        opens(vendor, headers, self.hub.address())
    }

    fn sign_out(&self, vendor: Vendor, headers: &[(&str, String)]) -> Answer {
        let (method, target) = sign_out(vendor);
        with(Request::new(method, target), headers).send(self.hub.address())
    }
}

fn with(request: Request, headers: &[(&str, String)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

fn one_ends_all(vendor: Vendor) {
    let world = World::new("not_ended");
    for number in 0..CREDENTIALS {
        let count = spellings(vendor, &world.open(vendor, number).secret).len();
        for chosen in 0..count {
            let sample = world.open(vendor, number);
            // How many there are depends on the value; the last one is as good as any.
            let spellings = spellings(vendor, &sample.secret);
            let by = &spellings[chosen.min(spellings.len() - 1)];
            for spelling in &spellings {
                assert_eq!(world.check(vendor, spelling), 204, "{spelling:?}");
                assert!(world.opens(vendor, spelling), "{spelling:?}");
            }
            let answer = world.sign_out(vendor, by);
            assert!(
                says_done(vendor, &answer),
                "{by:?}: {} {}",
                answer.status,
                answer.text()
            );
            assert!(!sample.is_alive(world.hub.address()), "{by:?}");
            for spelling in &spellings {
                assert_eq!(
                    world.check(vendor, spelling),
                    401,
                    "{spelling:?} after {by:?}"
                );
                assert!(!world.opens(vendor, spelling), "{spelling:?} after {by:?}");
            }
        }
    }
}

fn others_are_denied() {
    let world = World::new("not_ended");
    for vendor in VENDORS {
        let sample = world.open(vendor, 0);
        assert!(says_done(
            vendor,
            &world.sign_out(vendor, &[sample.header()])
        ));
        for (name, value) in foreign_spellings(vendor, &sample.secret) {
            assert_eq!(
                world.check(vendor, &[(name, value.clone())]),
                401,
                "{name}: {value}"
            );
            assert!(
                !world.opens(vendor, &[(name, value.clone())]),
                "{name}: {value}"
            );
        }
    }
}

fn known() {
    let world = World::new("known");
    for vendor in VENDORS {
        let (live, ended) = (world.open(vendor, 0), world.open(vendor, 1));
        let (name, value) = live.header();
        for spelling in spellings(vendor, &live.secret) {
            assert_eq!(world.check(vendor, &spelling), 204, "{spelling:?}");
        }
        assert!(says_done(
            vendor,
            &world.sign_out(vendor, &[ended.header()])
        ));
        assert_eq!(world.check(vendor, &[ended.header()]), 401);
        let unseen = Sample::new(
            vendor,
            2,
            &*world.hub.services().tokens,
            world.hub.services().clock.now(),
        )
        .1;
        assert_eq!(world.check(vendor, &[unseen.header()]), 401);
        assert_eq!(world.check(vendor, &[]), 401);
        assert_eq!(
            world.check(vendor, &[("Cookie", "other=1".to_owned())]),
            401
        );
        // A credential that nobody has seen stays one beside a live one.
        if name == "Cookie" {
            assert_eq!(
                world.check(
                    vendor,
                    &[("Cookie", format!("{value}; {}", unseen.header().1))]
                ),
                401
            );
            assert_eq!(
                world.check(vendor, &[("Cookie", format!("{value}; other=1"))]),
                204
            );
        }
        // Nor is it known what somebody else's password, or what another decoder reads, stands for.
        if name == "Cookie" {
            let basic = ("Authorization", "Basic YWxpY2U6c2VjcmV0".to_owned());
            assert_eq!(world.check(vendor, &[live.header(), basic]), 401);
            let (cookie, unseen) = (value.split_once('=').unwrap().0, &unseen.secret);
            assert_eq!(
                world.check(
                    vendor,
                    &[("Cookie", format!("a=b, {cookie}={unseen}; {value}"))]
                ),
                401
            );
        }
        assert!(says_done(vendor, &world.sign_out(vendor, &[live.header()])));
        for spelling in spellings(vendor, &live.secret) {
            assert_eq!(world.check(vendor, &spelling), 401, "{spelling:?}");
        }
    }
}
