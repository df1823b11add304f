//! Open redirects: every address of `data/redirects.txt`, asked for wherever a vendor takes one.

mod vendors;

use logout_tests::http::{Answer, Request, percent_encode};
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use url::Url;

use crate::sample::{self, CLIENT, PLATFORMS};

const ATTACKS: &str = include_str!("../../data/redirects.txt");

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "redirects::sitefinity_leads_to_allowed_origins_only",
        &[],
        vendors::sitefinity,
    );
    run.on_every_store(
        "redirects::sitefinitys_logins_lead_to_allowed_origins_only",
        &[],
        vendors::sitefinity_logins,
    );
    run.on_every_store(
        "redirects::assets_and_elvis_lead_to_allowed_origins_only",
        &[],
        vendors::assets,
    );
    run.on_every_store(
        "redirects::wix_leads_to_what_the_app_allows_only",
        &[],
        vendors::wix,
    );
    run.on_every_store(
        "redirects::hcl_dx_leads_to_its_own_page_whatever_is_asked",
        &[],
        vendors::hcl_dx,
    );
    run.on_every_store("redirects::what_is_allowed_is_arrived_at", &[], allowed);
}

struct Hub {
    server: Server,
    folder: tempfile::TempDir,
}

impl Hub {
    fn start(store: StoreKind) -> Self {
        Self::with(store, |_| ())
    }

    fn with(store: StoreKind, before: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let elvis = "[[platform]]\nname = \"elvis\"\nvendor = \"assets\"\nprofile = \"elvis5\"\nprefix = \"/elvis\"\n";
        // As many wrong passwords as there are addresses to try.
        let login = "[login]\nguesses = 1000000\nguesses_per_address = 1000000\nguesses_per_account = 1000000\n";
        sample::configure_with(
            folder.path(),
            store,
            "",
            &format!("{login}{PLATFORMS}{elvis}"),
        );
        before(folder.path());
        Self {
            server: Server::serve(folder.path()),
            folder,
        }
    }

    fn send(&self, request: &Request) -> Answer {
        let answer = request.send(self.server.address());
        assert!(answer.status < 500, "{request:?}: {}", answer.status);
        answer
    }

    /// The addresses, with this server's own in their place.
    fn attacks(&self) -> Vec<String> {
        let host = self.server.address().to_string();
        let lines = ATTACKS
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let attacks: Vec<String> = lines
            .map(|line| {
                serde_json::from_str::<String>(line)
                    .unwrap_or_else(|fault| panic!("{line}: {fault}"))
            })
            .map(|attack| {
                attack
                    .replace("{base}", &self.server.base())
                    .replace("{host}", &host)
            })
            .collect();
        assert!(attacks.len() >= 150, "{}", attacks.len());
        attacks
    }

    /// Where a browser goes that gets `location` in answer to a request for `target`.
    fn resolved(&self, target: &str, location: &str) -> Url {
        assert!(
            location.bytes().all(|byte| byte.is_ascii_graphic()),
            "{location:?} is no header"
        );
        let asked = Url::parse(&format!(
            "{}{}",
            self.server.base(),
            target.split('?').next().unwrap()
        ))
        .unwrap();
        asked
            .join(location)
            .unwrap_or_else(|fault| panic!("{location:?}: {fault}"))
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.server.base()
    }

    /// The origins of the configuration, judged by their text, unlike the product judges them.
    fn is_allowed(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        self.is_own(url)
            || ["https://www.example.com", "http://localhost:3000"].contains(&origin.as_str())
            || is_subdomain(&origin)
    }

    fn assert_leads_where_it_may(
        &self,
        target: &str,
        attack: &str,
        location: Option<&str>,
        is_allowed: impl Fn(&Url) -> bool,
    ) {
        let Some(location) = location else { return };
        let url = self.resolved(target, location);
        assert!(
            is_allowed(&url),
            "{target} with {attack:?} leads to {url} by {location:?}"
        );
    }
}

fn is_subdomain(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").unwrap_or_default();
    host.strip_suffix(".example.org")
        .is_some_and(|label| !label.is_empty() && !label.contains([':', '@']))
}

/// An address as a query holds it: encoded as it should be and, where that is possible at all, as
/// it stands.
fn queries(name: &str, attack: &str) -> Vec<String> {
    let mut queries = vec![format!("{name}={}", percent_encode(attack))];
    if attack
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        queries.push(format!("{name}={attack}"));
    }
    queries
}

fn allowed(store: StoreKind) {
    let hub = Hub::start(store);
    let base = hub.server.base();
    for (wanted, location) in [
        (
            "https://www.example.com/goodbye",
            "https://www.example.com/goodbye",
        ),
        ("https://www.example.com", "https://www.example.com/"),
        (
            "HTTPS://WWW.EXAMPLE.COM/A?b=c#d",
            "https://www.example.com/A?b=c#d",
        ),
        ("https://a.example.org/x", "https://a.example.org/x"),
        ("http://localhost:3000", "http://localhost:3000/"),
        ("/home", "/home"),
        (" home ", "/home"),
        ("/a/../home?x=1", "/home?x=1"),
        (&format!("{base}/home"), &format!("{base}/home")),
    ] {
        for (target, name) in [
            ("/Sitefinity/SignOut", "redirect_uri"),
            ("/logout", "logoutSuccessUrl"),
        ] {
            let answer = hub.send(&Request::get(&format!(
                "{target}?{name}={}",
                percent_encode(wanted)
            )));
            assert_eq!(
                (answer.status, answer.header("location")),
                (302, Some(location)),
                "{target} {wanted}"
            );
        }
    }
    for wanted in [
        "https://www.example.com/goodbye",
        "https://a.example.org/x?y=z",
    ] {
        let query = format!(
            "clientId={CLIENT}&postLogoutRedirectUri={}",
            percent_encode(wanted)
        );
        let answer = hub.send(&Request::get(&format!("/v1/logout?{query}")));
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some(wanted))
        );
    }
    drop(hub.folder);
}
