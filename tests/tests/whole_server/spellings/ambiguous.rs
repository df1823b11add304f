//! Several credentials where the product reads one.

use logout_hub::Vendor;

use super::{Headers, World};
use crate::sample::{VENDORS, says_done};

/// An ended credential that comes last of so many that not all are looked at, for every reading of
/// a cookie or header.
pub(super) fn hidden() {
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

pub(super) fn ambiguous() {
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

pub(super) fn parts() {
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
