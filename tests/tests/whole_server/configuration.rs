//! Configurations as operators write them, checked and served.

mod every_key;
mod providers;

use std::path::Path;

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::secret_file;
use logout_tests::server::{self, Server};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::tls::Certificate;

use crate::sample::{self, PLATFORMS};

pub(crate) fn add(run: &mut Run) {
    run.test(
        "configuration::the_documented_keys_are_accepted_and_served",
        &[],
        every_key::every_key,
    );
    run.on_every_store(
        "configuration::platforms_are_told_apart_by_host_and_by_prefix",
        &[],
        hosts_and_prefixes,
    );
    run.test(
        "configuration::a_vendor_that_is_not_configured_answers_nothing",
        &[],
        not_configured,
    );
    run.test(
        "configuration::platforms_that_overlap_are_both_named_at_the_start",
        &[],
        overlaps,
    );
    run.test(
        "configuration::a_tls_key_must_be_that_of_the_certificate_and_nobody_elses_to_read",
        &[],
        tls_files,
    );
    run.test(
        "configuration::what_is_warned_of_is_in_the_log_of_a_hub_that_serves",
        &[],
        warnings,
    );
    run.test(
        "configuration::a_platform_may_not_take_the_hubs_own_pages",
        &[],
        reserved,
    );
    run.test(
        "configuration::a_platform_may_not_take_the_endpoints_of_providers",
        &[],
        providers::in_the_way,
    );
    run.test(
        "configuration::a_provider_whose_keys_cannot_be_used_is_refused",
        &[],
        providers::keys,
    );
}

pub(crate) fn serve(folder: &Path, store: StoreKind, server: &str, platforms: &str) -> Server {
    sample::configure_with(folder, store, server, platforms);
    Server::serve(folder)
}

fn hosts_and_prefixes(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let platforms = "[[platform]]\nname = \"one\"\nvendor = \"sitefinity\"\nhost = \"one.example\"\n\
                     [[platform]]\nname = \"two\"\nvendor = \"sitefinity\"\nhost = \"two.example\"\n\
                     [[platform]]\nname = \"three\"\nvendor = \"sitefinity\"\nprefix = \"/three\"\n\
                     [[platform]]\nname = \"four\"\nvendor = \"sitefinity\"\nprefix = \"/three/four\"\n";
    let server = serve(folder.path(), store, "", platforms);
    let places = [
        ("one.example", ""),
        ("TWO.example:8443", ""),
        ("hub", "/three"),
        ("hub", "/three/four"),
    ];
    let send = |(host, prefix): (&str, &str),
                method: &str,
                path: &str,
                change: &dyn Fn(Request) -> Request| {
        change(Request::new(method, &format!("{prefix}{path}")).header("Host", host))
            .send(server.address())
    };
    let cookies: Vec<String> = places
        .iter()
        .map(|place| {
            let token = send(*place, "GET", "/sitefinity/anticsrf", &|request| {
                request.header("X-SF-ANTIFORGERY-REQUEST", "true")
            });
            let form = [
                ("username", "bob"),
                ("password", Accounts::BOB),
                ("sf_antiforgery", token.json()["Value"].as_str().unwrap()),
            ]
            .map(|(name, value)| (name, value.to_owned()));
            let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
            let answer = send(*place, "POST", "/sitefinity/login-handler", &|request| {
                request.form(&form)
            });
            assert_eq!(
                answer.header("location"),
                Some(format!("{}/", place.1).as_str()),
                "{place:?}: {}",
                answer.text()
            );
            let set: Vec<&str> = answer.headers_named("set-cookie").collect();
            let path = if place.1.is_empty() {
                "Path=/"
            } else {
                &format!("Path={}", place.1)
            };
            assert!(
                set.iter()
                    .all(|cookie| cookie.split("; ").any(|part| part == path)),
                "{set:?}"
            );
            answer.cookie(".AspNet.Cookies").unwrap().to_owned()
        })
        .collect();
    // Each opens its own platform and no other.
    for place in places {
        let opened = cookies.iter().map(|cookie| {
            let status = send(place, "GET", "/rest-api/login-status", &|request| {
                request.header("Cookie", &format!(".AspNet.Cookies={cookie}"))
            });
            status.json()["IsLoggedIn"] == true
        });
        let own = places.iter().map(|other| *other == place);
        assert!(opened.eq(own), "{place:?}");
    }
    // A sign-out at one with the cookie of all ends one.
    let all: Vec<String> = cookies
        .iter()
        .map(|cookie| format!(".AspNet.Cookies={cookie}"))
        .collect();
    let out = send(places[2], "GET", "/Sitefinity/SignOut", &|request| {
        request.header("Cookie", &all.join("; "))
    });
    assert_eq!((out.status, out.header("location")), (302, Some("/three/")));
    for (place, cookie) in places.iter().zip(&all) {
        let status = send(*place, "GET", "/rest-api/login-status", &|request| {
            request.header("Cookie", cookie)
        });
        assert_eq!(
            status.json()["IsLoggedIn"] == true,
            *place != places[2],
            "{place:?}"
        );
    }
    let nobody = send(
        ("three.example", ""),
        "GET",
        "/Sitefinity/SignOut",
        &|request| request,
    );
    assert_eq!(
        nobody.status, 404,
        "no platform answers at the root of another host"
    );
}

/// What `check-config` and `serve` say of platforms that cannot be served: the same, on standard
/// error.
fn refusal(platforms: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    sample::configure_with(folder.path(), StoreKind::Disk, "", platforms);
    let [checked, served] = ["check-config", "serve"].map(|command| {
        let ended = server::run(&[command, "--config", "hub.toml"], folder.path());
        assert!(
            !ended.status.success() && ended.stdout.is_empty(),
            "{command} accepts {platforms}"
        );
        ended.stderr
    });
    assert_eq!(checked, served);
    checked
}

fn overlaps() {
    for (one, other) in [
        ("vendor = \"sitefinity\"", "vendor = \"sitefinity\""),
        (
            "vendor = \"assets\"\nprefix = \"/x\"",
            "vendor = \"assets\"\nprefix = \"/x\"\nprofile = \"elvis5\"",
        ),
        (
            "vendor = \"wix\"\nhost = \"a.example\"",
            "vendor = \"wix\"\nhost = \"A.EXAMPLE\"",
        ),
        (
            "vendor = \"hcl-dx\"",
            "vendor = \"assets\"\nlanding_page = \"/wps/portal\"",
        ),
    ] {
        let said = refusal(&format!(
            "[[platform]]\nname = \"first-one\"\n{one}\n[[platform]]\nname = \"second-one\"\n{other}\n"
        ));
        assert!(
            said.contains("`platform.first-one` at hub.toml:")
                && said.contains("`platform.second-one`: claims /"),
            "{said}"
        );
    }
    let said = refusal(
        "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n[[platform]]\nname = \"cms\"\nvendor = \"assets\"\n",
    );
    assert!(said.contains("cms") && said.contains("hub.toml:"), "{said}");
}

fn tls_files() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let folder = tempfile::tempdir().unwrap();
    let said = |key: &Path| {
        let tls = format!(
            "tls = {{ certificate_file = {:?}, key_file = {key:?} }}",
            certificate.file()
        );
        sample::configure_with(folder.path(), StoreKind::Disk, &tls, PLATFORMS);
        let ended = server::run(&["check-config", "--config", "hub.toml"], folder.path());
        if ended.status.success() {
            String::new()
        } else {
            ended.stderr
        }
    };
    assert_eq!(said(&certificate.key_file()), "");
    let file = other.key_file();
    let place = format!("`server.tls.key_file`: {}: ", file.display());
    let foreign = said(&file);
    assert!(
        foreign.ends_with(&format!("{place}is not the key of the certificate\n")),
        "{foreign}"
    );
    secret_file::set_mode(&file, 0o640);
    assert_eq!(said(&file), foreign, "the group may read it");
    secret_file::set_mode(&file, 0o644);
    let public = said(&file);
    assert!(
        public.contains(&format!(
            "{place}mode 0644 lets every user of this machine read it; run `chmod 600 "
        )),
        "{public}"
    );
}

fn warnings() {
    let folder = tempfile::tempdir().unwrap();
    let platform = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\nupstream = \"http://127.0.0.1:9\"\nreach = \"person\"\n";
    let server = serve(folder.path(), StoreKind::Disk, "", platform);
    let checked = server::run(&["check-config", "--config", "hub.toml"], folder.path());
    assert!(
        checked.status.success() && checked.stderr.contains(": warning: `platform.cms.reach`: "),
        "{}",
        checked.stderr
    );
    let log = server.errors();
    assert!(
        log.contains("WARN") && log.contains(checked.stderr.trim_end()),
        "{log}"
    );
}

fn reserved() {
    for keys in [
        "vendor = \"assets\"\nlanding_page = \"/receipts/mine\"",
        "vendor = \"sitefinity\"\nprefix = \"/receipts\"",
        "vendor = \"hcl-dx\"\nconfig_service = { \"uri.context.path\" = \"\", \"uri.home.public\" = \"/receipts/x\" }",
    ] {
        let said = refusal(&format!("[[platform]]\nname = \"greedy\"\n{keys}\n"));
        assert!(
            said.contains("greedy") && said.contains("/receipts/"),
            "{keys}: {said}"
        );
    }
    // The vendors' own roots are the hub's index where nothing else is configured.
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), StoreKind::Disk, "", PLATFORMS);
    assert!(
        Request::get("/")
            .send(server.address())
            .text()
            .contains("<h1>Logout Hub</h1>")
    );
}

/// The paths of a vendor without a platform are nobody's, and no cookie of that vendor's is
/// touched.
fn not_configured() {
    let hub = TestHub::start("sitefinity", &[]).unwrap();
    for (method, path) in [
        ("POST", "/dx/api/core/v1/auth/login"),
        ("POST", "/dx/api/core/v1/auth/validate"),
        ("POST", "/dx/api/core/v1/auth/logout"),
        ("GET", "/dx/api/core/v1/dxrest/webcontent/contents/1"),
        ("GET", "/wps/portal"),
        (
            "GET",
            "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/",
        ),
        ("POST", "/services/logout"),
        ("GET", "/logout"),
        ("GET", "/v1/logout"),
    ] {
        let request = Request::new(method, path)
            .header("Cookie", "LtpaToken2=abc; authToken=abc; smSession=abc");
        let answer = request.send(hub.address());
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (404, None),
            "{method} {path}"
        );
    }
}
