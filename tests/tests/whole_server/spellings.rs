//! One credential in every spelling that the product's decoder takes (docs/vendors, "Spellings"): a
//! sign-out by any of them ends them all, at the check and on the product's own routes.

use futures_executor::block_on;
use logout_core::store::{Join, OpenOutcome};
use logout_hub::Vendor;
use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;

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
        hidden,
    );
    run.test(
        "spellings::every_value_that_the_parts_of_a_sitefinity_cookie_make_is_looked_up",
        &[],
        parts,
    );
    run.test(
        "spellings::a_session_id_in_any_segment_of_an_elvis_path_is_looked_up",
        &[],
        session_ids_in_paths,
    );
    run.test(
        "spellings::a_path_that_may_be_a_sign_out_is_not_fetched_ahead_of_a_click",
        &[],
        fetched_ahead,
    );
    run.test(
        "spellings::two_credentials_where_the_product_takes_one_are_denied",
        &[],
        ambiguous,
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

/// An ended credential that comes last of so many that not all are looked at, for every reading of
/// a cookie or header.
fn hidden() {
    for mode in ["not_ended", "known"] {
        let world = World::new(mode);
        for vendor in VENDORS {
            let (live, ended) = (world.open(vendor, 0), world.open(vendor, 1));
            assert!(says_done(
                vendor,
                &world.sign_out(vendor, &[ended.header()])
            ));
            let (name, value) = ended.header();
            let others = |count: usize, other: &str| {
                (0..count)
                    .map(|number| format!("{other}j{number},"))
                    .collect::<String>()
            };
            for count in [0, 1, 14, 15, 16, 17, 18, 31, 32, 33, 100] {
                let headers = match name {
                    "Cookie" => {
                        let cookie = value.split_once('=').unwrap().0;
                        let behind = format!("q=1,{}{value}", others(count, &format!("{cookie}=")));
                        vec![
                            ("Cookie", behind.clone()),
                            ("Cookie", format!("{}; {behind}", live.header().1)),
                        ]
                    }
                    _ => vec![(name, format!("{}{value}", others(count, "Bearer ")))],
                };
                for header in headers {
                    let status = world.check(vendor, std::slice::from_ref(&header));
                    assert!(
                        [401, 431].contains(&status),
                        "{mode} {vendor} {count}: {status}"
                    );
                }
            }
        }
    }
}

fn ambiguous() {
    let world = World::new("not_ended");
    for vendor in VENDORS {
        let (one, two) = (world.open(vendor, 0), world.open(vendor, 1));
        let ((name, first), (_, second)) = (one.header(), two.header());
        let both: Vec<Headers> = match name {
            "Cookie" => vec![
                vec![(name, format!("{first}; {second}"))],
                vec![(name, first.clone()), (name, second)],
            ],
            _ => vec![
                vec![(name, first.clone()), (name, second.clone())],
                vec![(name, format!("{first}, {second}"))],
            ],
        };
        for headers in both {
            assert_eq!(world.check(vendor, &headers), 401, "{headers:?}");
        }
        assert_eq!(world.check(vendor, &[(name, first)]), 204);
        let twice = [
            ("Authorization", "Bearer x".to_owned()),
            ("Authorization", "Bearer y".to_owned()),
        ];
        assert_eq!(world.check(vendor, &twice), 401);
        // The product's own routes refuse in its own form, and nothing ends.
        let headers: Vec<_> = twice
            .into_iter()
            .chain((name == "Cookie").then(|| one.header()))
            .collect();
        let answer = world.sign_out(vendor, &headers);
        assert!(
            !says_done(vendor, &answer) && answer.status < 500,
            "{vendor}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(
            one.is_alive(world.hub.address()) && two.is_alive(world.hub.address()),
            "{vendor}"
        );
    }
}

fn parts() {
    for check in ["known", "not_ended"] {
        let world = World::new(check);
        let vendor = Vendor::Sitefinity;
        let (live, ended) = (world.open(vendor, 0).secret, world.open(vendor, 0).secret);
        assert!(says_done(
            vendor,
            &world.sign_out(vendor, &[("Cookie", format!(".AspNet.Cookies={ended}"))])
        ));
        let (live_one, live_two) = live.split_at(live.len() / 2);
        let (ended_one, ended_two) = ended.split_at(live_one.len());
        let mut cookies = Vec::new();
        for [one, other] in [
            [live.as_str(), ended.as_str()],
            [&ended, &live],
            ["junk", &ended],
            [&ended, "junk"],
        ] {
            for name in [".AspNet.CookiesC1", ".aspnet.cookiesc1"] {
                cookies.push(format!(
                    ".AspNet.Cookies=chunks:1; {name}={one}; .AspNet.CookiesC1={other}"
                ));
            }
        }
        let spread = |parts: [(&str, &str); 4]| {
            let parts = parts
                .map(|(part, value)| format!("; {part}={value}"))
                .concat();
            format!(".AspNet.Cookies=chunks:2{parts}")
        };
        let [one, lower_one, two, lower_two] = [
            ".AspNet.CookiesC1",
            ".aspnet.cookiesc1",
            ".AspNet.CookiesC2",
            ".aspnet.cookiesc2",
        ];
        cookies.push(spread([
            (lower_one, live_one),
            (one, ended_one),
            (two, live_two),
            (lower_two, ended_two),
        ]));
        cookies.push(spread([
            (lower_one, live_one),
            (one, ended_one),
            (two, ended_two),
            (two, live_two),
        ]));
        cookies.push(spread([
            (one, "junk"),
            (one, ended_one),
            (lower_two, ended_two),
            (two, "junk"),
        ]));
        for cookie in cookies {
            assert_eq!(
                world.check(vendor, &[("Cookie", cookie.clone())]),
                401,
                "{check}: {cookie}"
            );
            assert!(
                !world.opens(vendor, &[("Cookie", cookie.clone())]),
                "{check}: {cookie}"
            );
        }
        // More readings than the hub looks at are no partial sign-out.
        let many: String = (1..=5)
            .map(|part| format!("; .AspNet.CookiesC{part}=x; .aspnet.cookiesc{part}=y"))
            .collect();
        let many = [(
            "Cookie",
            format!(".AspNet.Cookies=chunks:5{many}; .AspNet.Cookies={live}"),
        )];
        assert_eq!(
            (
                world.check(vendor, &many),
                world.sign_out(vendor, &many).status
            ),
            (431, 431),
            "{check}"
        );
        assert!(world.opens(vendor, &[("Cookie", format!(".AspNet.Cookies={live}"))]));
        // A sign-out by an ambiguous cookie ends what any reading names.
        let both = [(
            "Cookie",
            format!(".AspNet.Cookies=chunks:1; .aspnet.cookiesc1=junk; .AspNet.CookiesC1={live}"),
        )];
        assert!(says_done(vendor, &world.sign_out(vendor, &both)));
        assert!(!world.opens(vendor, &[("Cookie", format!(".AspNet.Cookies={live}"))]));
    }
}

fn session_ids_in_paths() {
    for check in ["known", "not_ended"] {
        let elvis = format!(
            "[[platform]]\nname = \"elvis\"\nvendor = \"assets\"\nprofile = \"elvis5\"\nprefix = \"/elvis\"\ncheck = \"{check}\"\n"
        );
        let world = World {
            hub: TestHub::with_platforms(&elvis).unwrap(),
        };
        let log_in = || {
            let form = [("username", "bob"), ("password", Accounts::BOB)];
            let answer = Request::post("/elvis/services/login")
                .form(&form)
                .send(world.hub.address());
            answer.json()["sessionId"].as_str().unwrap().to_owned()
        };
        let (live, ended) = (log_in(), log_in());
        let logout = Request::post(&format!("/elvis/services/logout;jsessionid={ended}"))
            .send(world.hub.address());
        assert!(logout.text().contains("true"), "{}", logout.text());
        for path in [
            "/services/profile;jsessionid=E",
            "/services;jsessionid=E/profile",
            "/;jsessionid=E/services/profile",
            "/services/profile;jsessionid=E/",
            "/services/profile;jsessionid=E;",
            "/services/profile;jsessionid=x;jsessionid=E",
            "/services/profile;jsessionid=E;jsessionid=x",
            "/services/profile;jsessionid=L;jsessionid=E",
            "/services/profile;jsessionid=E;jsessionid=L",
            "/services;jsessionid=E/profile;jsessionid=L",
            "/services/profile;a=b;jsessionid=E",
            "/services/profile;jsession%69d=E",
            "/services/profile%3Bjsessionid=E",
            // Which of two the server takes is not known, whatever they are.
            "/services/profile;jsessionid=L;jsessionid=x",
            "/services;jsessionid=x/profile;jsessionid=L",
        ] {
            let path = path
                .replace("=E", &format!("={ended}"))
                .replace("=L", &format!("={live}"));
            assert_eq!(
                world.check_path("elvis", &format!("/elvis{path}"), &[]),
                401,
                "{check}: {path}"
            );
            for name in ["X-Original-URI", "X-Forwarded-Uri"] {
                assert_eq!(
                    world.check_path("elvis", "", &[(name, format!("/elvis{path}?a=b"))]),
                    401,
                    "{check}: {name}: {path}"
                );
            }
            let answer = Request::get(&format!("/elvis{path}")).send(world.hub.address());
            assert!(
                !answer.text().contains("\"username\""),
                "{check}: {path}: {}",
                answer.text()
            );
        }
        for path in [
            "/services/profile;jsessionid=L",
            "/services;jsessionid=L/profile",
            "/services/profile;jsessionid=L;jsessionid=L",
        ] {
            let path = path.replace("=L", &format!("={live}"));
            assert_eq!(
                world.check_path("elvis", &format!("/elvis{path}"), &[]),
                204,
                "{check}: {path}"
            );
        }
    }
}

fn fetched_ahead() {
    let world = World::new("not_ended");
    let ahead = [("Sec-Purpose", "prefetch".to_owned())];
    for (vendor, paths) in [
        (
            Vendor::Sitefinity,
            &["/Sitefinity/SignOut", "/news/SignOut"][..],
        ),
        (
            Vendor::HclDx,
            &["/wps/ibm_security_logout", "/wps/a/ibm_security_logout"],
        ),
        (Vendor::Assets, &["/services/logout", "/logout"]),
        (Vendor::Wix, &["/_api/iam/authentication/v1/logout"]),
    ] {
        for path in paths {
            let last = path.rfind('/').unwrap();
            let (folder, name) = path.split_at(last);
            let inside = [
                format!("{folder};x{name}"),
                format!("{folder}%2F{}", &name[1..]),
            ];
            let spellings = [
                (*path).to_owned(),
                format!("/{path}"),
                format!("{path}/"),
                format!("{path};x=1"),
                format!("{path};x/y"),
                format!("{path}%3Fx"),
                format!("{path}%20"),
                format!("{folder}/.{name}"),
                format!("{folder}/x/..{name}"),
                format!("{folder}/x/%2e%2E{name}"),
                format!("/.{path}"),
                format!("/%2e%2e{path}"),
                path.to_ascii_uppercase(),
            ];
            for spelling in spellings
                .into_iter()
                .chain(inside.into_iter().filter(|_| !folder.is_empty()))
            {
                assert_eq!(
                    world.check_path(vendor.name(), &spelling, &ahead),
                    503,
                    "{vendor}: {spelling}"
                );
                assert_ne!(
                    world.check_path(vendor.name(), &spelling, &[]),
                    503,
                    "{vendor}: {spelling}"
                );
                assert_eq!(
                    world.check_path(
                        vendor.name(),
                        "",
                        &[ahead[0].clone(), ("X-Original-URI", spelling.clone())]
                    ),
                    503,
                    "{spelling}"
                );
            }
        }
        assert_eq!(
            world.check_path(vendor.name(), "/news", &ahead),
            204,
            "{vendor}"
        );
    }
    assert_eq!(
        world.check_path("sitefinity", "/news/../SignOut", &ahead),
        503
    );
}

/// The spellings that the product's own decoder takes for `secret`.
fn spellings(vendor: Vendor, secret: &str) -> Vec<Headers> {
    let cookie = |text: String| vec![("Cookie", text)];
    match vendor {
        Vendor::Assets => {
            let mut all: Vec<Headers> = signature_spellings(secret)
                .into_iter()
                .map(|token| cookie(format!("authToken={token}")))
                .collect();
            all.push(cookie(format!("authToken=\"{secret}\"")));
            let schemes = ["Bearer ", "bearer ", "BEARER  ", "Bearer"];
            all.extend(schemes.map(|scheme| vec![("Authorization", format!("{scheme}{secret}"))]));
            all
        }
        Vendor::Wix => {
            let mut all: Vec<Headers> = signature_spellings(secret)
                .into_iter()
                .map(|token| vec![("Authorization", token)])
                .collect();
            all.extend(
                ["Bearer ", "bearer "]
                    .map(|scheme| vec![("Authorization", format!("{scheme}{secret}"))]),
            );
            all.push(vec![("Authorization", format!("{secret},IST.key"))]);
            all
        }
        Vendor::Sitefinity => {
            let standard = secret.replace('-', "+").replace('_', "/");
            let padded = format!("{secret}{}", "=".repeat((4 - secret.len() % 4) % 4));
            let mut values = with_unused_bits(secret);
            values.extend([
                standard.clone(),
                padded,
                standard.replace('+', "%2B").replace('/', "%2F"),
                format!("{}%20{}", &secret[..9], &secret[9..]),
                format!("{}++++{}", &secret[..12], &secret[12..]),
            ]);
            let mut all: Vec<Headers> = values
                .into_iter()
                .map(|value| cookie(format!(".AspNet.Cookies={value}")))
                .collect();
            all.extend(
                [".aspnet.cookies", ".ASPNET.COOKIES"]
                    .map(|name| cookie(format!("{name}={secret}"))),
            );
            let (one, two) = secret.split_at(secret.len() / 2);
            all.push(cookie(format!(
                ".AspNet.Cookies=chunks:2; .AspNet.CookiesC2={two}; .AspNet.CookiesC1={one}"
            )));
            all
        }
        Vendor::HclDx => {
            let mut values = with_unused_bits(secret.trim_end_matches('='));
            values.retain(|value| value.len().is_multiple_of(4) || !secret.ends_with('='));
            let pads = secret.len() - secret.trim_end_matches('=').len();
            values.extend(
                with_unused_bits(secret.trim_end_matches('='))
                    .into_iter()
                    .map(|bare| format!("{bare}{}", "=".repeat(pads))),
            );
            // The decoder reads what is outside its alphabet as an A.
            values.extend(['-', '!', '.', '='].map(|stray| replaced_inside(secret, stray)));
            let mut all: Vec<Headers> = values
                .into_iter()
                .map(|value| cookie(format!("LtpaToken2={value}")))
                .collect();
            all.extend(
                ["ltpatoken2", "LTPATOKEN2", "$LtpaToken2", "$ltpatoken2"]
                    .map(|name| cookie(format!("{name}={secret}"))),
            );
            all
        }
    }
}

/// What servers and decoders other than the product's make of an ended credential.
fn foreign_spellings(vendor: Vendor, secret: &str) -> Headers {
    match vendor {
        Vendor::Assets => {
            vec![
                ("Cookie", format!("x=1, authToken={secret}")),
                (
                    "Cookie",
                    format!("authToken={}", secret.replace('.', "%2E")),
                ),
            ]
        }
        Vendor::Wix => vec![("Authorization", format!("Bearer {secret}, Bearer {secret}"))],
        Vendor::Sitefinity => vec![
            ("Cookie", format!("x=1, .AspNet.Cookies={secret}")),
            ("Cookie", format!(".AspNet.Cookies=\"{secret}\"")),
            (
                "Cookie",
                format!(".AspNet.Cookies={}!{}", &secret[..5], &secret[5..]),
            ),
        ],
        Vendor::HclDx => {
            let inserted = ['-', '!', '.'].map(|stray| {
                (
                    "Cookie",
                    format!("LtpaToken2={}{stray}{}", &secret[..7], &secret[7..]),
                )
            });
            let url = secret.replace('+', "-").replace('/', "_");
            let mut all = Headers::from(inserted);
            all.extend([
                ("Cookie", format!("LtpaToken2=\"{secret}\"")),
                ("Cookie", format!("LtpaToken2={url}")),
                (
                    "Cookie",
                    format!("LtpaToken2={}", secret.trim_end_matches('=')),
                ),
                (
                    "Cookie",
                    format!("LtpaToken2={}", secret.replacen('=', "A", 1)),
                ),
                ("Cookie", format!("LtpaToken2={}", secret.replace('=', "A"))),
                (
                    "Cookie",
                    format!(
                        "LtpaToken2={}",
                        secret
                            .replace('+', "%2B")
                            .replace('/', "%2F")
                            .replace('=', "%3D")
                    ),
                ),
            ]);
            all
        }
    }
}

/// A signed token, with the unused bits of its signature set in every way, and padded.
fn signature_spellings(token: &str) -> Vec<String> {
    let mut all = with_unused_bits(token);
    all.push(format!("{token}="));
    all
}

/// `text` with every value of the bits of its last character that no byte holds; its last part is
/// base64 without padding.
fn with_unused_bits(text: &str) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let encoded = text.rsplit('.').next().unwrap().len();
    let free = match encoded % 4 {
        2 => 16,
        3 => 4,
        _ => 1,
    };
    let (front, last) = text.split_at(text.len() - 1);
    let Some(value) = ALPHABET
        .iter()
        .position(|known| *known == last.as_bytes()[0])
    else {
        return vec![text.to_owned()];
    };
    // The two characters behind these differ between the alphabets.
    let group = (value - value % free)..(value - value % free + free).min(ALPHABET.len());
    group
        .map(|value| format!("{front}{}", char::from(ALPHABET[value])))
        .collect()
}

/// `secret` with `stray` for each of its `A` but the last characters; a token without an `A` stays
/// as it is.
fn replaced_inside(secret: &str, stray: char) -> String {
    let (front, tail) = secret.split_at(secret.len() - 4);
    format!("{}{tail}", front.replace('A', &stray.to_string()))
}
