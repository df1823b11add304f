//! Session ids and sign-outs in paths, in spellings that servers in front take.

use logout_hub::Vendor;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};

use super::World;

pub(super) fn session_ids_in_paths() {
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

pub(super) fn fetched_ahead() {
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
