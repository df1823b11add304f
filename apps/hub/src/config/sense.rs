//! What is right key by key, and makes no sense together.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use logout_core::receipt::Reach;
use toml::de::DeTable;
use url::{Host, Url};

use super::Config;
use super::error::{ConfigError, ConfigErrorKind, ConfigWarning, Place};
use super::platform::PlatformConfig;
use super::values::duration::written;
use super::words::not_one_of;

/// What is wrong and what was probably not meant. A key that is wrong by itself is compared with
/// nothing.
pub(super) fn check(
    config: &Config,
    tree: &DeTable<'_>,
    wrong: &[ConfigError],
) -> (Vec<ConfigError>, Vec<ConfigWarning>) {
    let mut sense = Sense {
        config,
        tree,
        wrong,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    sense.listeners();
    sense.timeouts();
    for platform in &config.platforms {
        sense.upstream(platform);
        sense.person(platform);
        sense.idp(platform);
    }
    sense.names();
    if config.platforms.is_empty() && tree.get("platform").is_none() {
        let text = "no platform is configured, so that nobody can sign out; add a `[[platform]]` with `name` and `vendor`".to_owned();
        sense.warnings.push(ConfigWarning {
            place: config.document.place(Some(0..0)),
            text,
        });
    }
    sense.warnings.sort_by_key(|warning| warning.place.order());
    (sense.errors, sense.warnings)
}

struct Sense<'s, 'i> {
    config: &'s Config,
    tree: &'s DeTable<'i>,
    wrong: &'s [ConfigError],
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigWarning>,
}

impl Sense<'_, '_> {
    fn listeners(&mut self) {
        if self.is_wrong("admin.listen") {
            return;
        }
        let (server, admin) = (self.config.server.listen, self.config.admin.listen);
        if server == admin && server.port() != 0 && !self.is_wrong("server.listen") {
            self.refuse(&["admin", "listen"], "must differ from `server.listen`");
        }
        if !admin.ip().is_loopback() {
            let text = format!(
                "`admin.listen`: {admin} can be reached from other machines, and the admin listener has no TLS, so that its token can be \
                 read on the way; write \"127.0.0.1:{}\", or let only a proxy with TLS reach it",
                admin.port()
            );
            self.warn(&["admin", "listen"], &text);
        }
    }

    /// A session never lies unused for longer than it lasts, so such a value was not meant as it
    /// stands. A short absolute timeout beside the default idle one is fine: it decides alone.
    fn timeouts(&mut self) {
        let sessions = &self.config.sessions;
        let absolute = sessions.absolute_timeout;
        if self.is_wrong("sessions.idle_timeout") || self.is_wrong("sessions.absolute_timeout") {
            return;
        }
        let longer = |idle: Duration, which: &str| {
            let (idle, absolute) = (written(&idle), written(&absolute));
            format!(
                "{idle} is longer than `sessions.absolute_timeout`, {absolute}, after which {which} ends; make it shorter than that"
            )
        };
        if self.is_written("sessions", "idle_timeout") && sessions.idle_timeout > absolute {
            self.refuse(
                &["sessions", "idle_timeout"],
                &longer(sessions.idle_timeout, "every session"),
            );
        }
        for platform in &self.config.platforms {
            match platform.idle_timeout.filter(|idle| *idle > absolute) {
                // A product, or a registration, may have said when its session ends.
                Some(idle) if platform.upstream.is_some() => {
                    let text = longer(idle, "a session whose end the product does not say");
                    self.warn_of(platform, "idle_timeout", &text);
                }
                Some(idle) => self
                    .errors
                    .push(platform.error(Some("idle_timeout"), longer(idle, "every session"))),
                None => {}
            }
        }
    }

    /// A sign-out that the hub sent to itself would come back, and be sent again.
    fn upstream(&mut self, platform: &PlatformConfig) {
        let Some(upstream) = &platform.upstream else {
            return;
        };
        let server = &self.config.server;
        let listeners = [
            ("server.listen", server.listen),
            ("admin.listen", self.config.admin.listen),
        ];
        let platforms = self.config.platforms.iter().filter_map(|other| {
            Some((
                format!("platform.{}.public_url", other.name),
                other.public_url.as_ref()?,
            ))
        });
        let urls = server
            .public_url
            .iter()
            .map(|url| ("server.public_url".to_owned(), url))
            .chain(platforms);
        let listener = listeners
            .into_iter()
            .find(|(key, listen)| !self.is_wrong(key) && reaches(upstream, *listen));
        let own = listener.map(|(key, _)| key.to_owned()).or_else(|| {
            urls.into_iter()
                .find(|(_, url)| same_origin(upstream, url))
                .map(|(key, _)| key)
        });
        if let Some(own) = own {
            let reason = format!(
                "{upstream} is the hub itself, by `{own}`; write the address of the product behind it"
            );
            self.errors.push(platform.error(Some("upstream"), reason));
        }
    }

    fn person(&mut self, platform: &PlatformConfig) {
        let has_rule = platform.person.is_some()
            || self.is_wrong(&format!("platform.{}.person", platform.name));
        if platform.reach == Reach::Person && platform.upstream.is_some() && !has_rule {
            let text = "no `person` says who a user of the product is, so that a sign-out leaves other platforms alone unless a registration \
                        named the person; write `person = { from = \"subject\" }`, or another `reach`";
            self.warn_of(platform, "reach", text);
        }
    }

    /// What follows from an `[[idp]]` that is wrong is not said.
    fn idp(&mut self, platform: &PlatformConfig) {
        let Some(name) = platform.idp.as_ref().filter(|_| !self.is_wrong("idp")) else {
            return;
        };
        let idps = &self.config.idps;
        let reason = match idps.iter().find(|idp| idp.name == *name) {
            Some(idp) if idp.end_session_endpoint.is_some() => return,
            Some(_) => {
                format!("`idp.{name}` has no `end_session_endpoint` that a browser could go on to")
            }
            None if idps.is_empty() => format!("there is no [[idp]] called `{name}`"),
            None => {
                let names: Vec<&str> = idps.iter().map(|idp| idp.name.as_str()).collect();
                not_one_of(name, &names)
            }
        };
        self.errors.push(platform.error(Some("idp"), reason));
    }

    /// Receipts and metrics name relying parties and receivers of events beside platforms.
    fn names(&mut self) {
        let config = self.config;
        let platforms = config.platforms.iter();
        let mut taken: Vec<(&str, &str, Place)> = platforms
            .map(|platform| ("platform", &*platform.name, platform.place()))
            .collect();
        let parties = config.relying_parties.iter();
        let parties = parties
            .filter(|party| party.is_told())
            .map(|party| ("relying_party", party.name(), party.place_of_name()));
        let receivers = config.event_receivers.iter();
        let receivers =
            receivers.map(|receiver| ("event_receiver", &*receiver.name, receiver.place_of_name()));
        for (what, name, place) in parties.chain(receivers) {
            let earlier = taken
                .iter()
                .find(|(_, known, _)| known.eq_ignore_ascii_case(name));
            if let Some((what, _, earlier)) = earlier {
                self.errors.push(ConfigError {
                    place: place.clone(),
                    fault: ConfigErrorKind::Duplicate {
                        what,
                        name: name.to_owned(),
                        earlier: earlier.clone(),
                    },
                });
            }
            taken.push((what, name, place));
        }
    }

    fn is_wrong(&self, key: &str) -> bool {
        self.wrong.iter().any(|error| error.is_about(key))
    }

    fn is_written(&self, section: &str, key: &str) -> bool {
        self.tree
            .get(section)
            .is_some_and(|section| section.get_ref().get(key).is_some())
    }

    fn refuse(&mut self, path: &[&str], reason: &str) {
        self.errors.push(self.config.error(path, reason));
    }

    fn warn(&mut self, path: &[&str], text: &str) {
        self.warnings.push(ConfigWarning {
            place: self.config.error(path, "").place,
            text: text.to_owned(),
        });
    }

    fn warn_of(&mut self, platform: &PlatformConfig, key: &str, text: &str) {
        let ConfigError { place, fault } = platform.error(Some(key), text);
        if let ConfigErrorKind::Invalid { key, reason } = fault {
            self.warnings.push(ConfigWarning {
                place,
                text: format!("`{key}`: {reason}"),
            });
        }
    }
}

/// Whether a request to `url` ends at a listener of this machine.
fn reaches(url: &Url, listen: SocketAddr) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain("localhost"))
            if listen.ip().is_loopback() || listen.ip().is_unspecified() =>
        {
            listen.ip()
        }
        _ => return false,
    };
    let here = ip.is_loopback() || ip.is_unspecified();
    let same_host = ip == listen.ip()
        || (listen.ip().is_unspecified() && here)
        || (ip.is_unspecified() && listen.ip().is_loopback());
    same_host && listen.port() != 0 && url.port_or_known_default() == Some(listen.port())
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}
