//! Whose a path is that no endpoint answers: the platform that it was meant for says so in its
//! vendor's words.

use logout_core::path::{loose_readings, loose_segments};
use logout_core::provider::Endpoint;

use crate::platform::MountedPlatform;
use crate::router::is_host;

/// What belongs to one platform.
#[derive(Debug)]
pub(crate) struct Territory {
    platform: usize,
    host: Option<String>,
    prefix: Vec<String>,
    namespaces: Vec<Vec<String>>,
    endpoints: Vec<Endpoint>,
    /// Everything below host and prefix is the platform's.
    has_rest: bool,
}

/// How certain it is that a path was meant for a platform; the greatest counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Claim {
    /// Nothing but host or prefix says so.
    Rest,
    /// It ends like an endpoint of any depth.
    AnyDepth,
    /// It lies in a namespace with so many segments.
    Namespace(usize),
    /// It is a spelling of an endpoint.
    Endpoint,
}

impl Territory {
    pub(crate) fn of(platforms: &[MountedPlatform]) -> Vec<Self> {
        let place = |mounted: &MountedPlatform| {
            let host = mounted.host.as_ref().map(|host| host.to_ascii_lowercase());
            (host, loose_segments(&mounted.sessions.platform().prefix))
        };
        let places: Vec<_> = platforms.iter().map(place).collect();
        let one = |(index, mounted): (usize, &MountedPlatform)| {
            let (host, prefix) = places[index].clone();
            let is_alone = places
                .iter()
                .filter(|other| **other == places[index])
                .count()
                == 1;
            Self {
                platform: index,
                has_rest: mounted.owns_rest && is_alone && (host.is_some() || !prefix.is_empty()),
                host,
                prefix,
                // The root is nobody's namespace.
                namespaces: mounted
                    .provider
                    .namespaces()
                    .iter()
                    .map(|own| loose_segments(own))
                    .filter(|own| !own.is_empty())
                    .collect(),
                endpoints: mounted
                    .provider
                    .endpoints()
                    .iter()
                    .chain(mounted.login_endpoints())
                    .cloned()
                    .collect(),
            }
        };
        platforms.iter().enumerate().map(one).collect()
    }

    /// The platform that `path` was meant for. One with this host comes before one with every host,
    /// a longer prefix before a shorter one.
    pub(crate) fn owner(all: &[Self], host: &str, path: &str) -> Option<usize> {
        let owner = |segments: &Vec<String>| {
            let claims = all
                .iter()
                .filter(|one| one.host.as_ref().is_none_or(|own| is_host(own, host)))
                .filter_map(|one| {
                    let claim = one.claim(segments.strip_prefix(one.prefix.as_slice())?)?;
                    Some(((one.host.is_some(), one.prefix.len(), claim), one.platform))
                });
            // Of equals the first that is configured.
            claims
                .rev()
                .max_by_key(|(rank, _)| *rank)
                .map(|(_, platform)| platform)
        };
        // What one reading makes nobody's may be somebody's by another.
        loose_readings(path).iter().find_map(owner)
    }

    fn claim(&self, below: &[String]) -> Option<Claim> {
        let namespace = || {
            self.namespaces
                .iter()
                .filter(|own| below.starts_with(own))
                .map(Vec::len)
                .max()
                .map(Claim::Namespace)
        };
        let resembled = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.resembles(below));
        let endpoint = resembled
            .map(|endpoint| {
                if endpoint.is_of_any_depth() {
                    Claim::AnyDepth
                } else {
                    Claim::Endpoint
                }
            })
            .max();
        endpoint
            .max(namespace())
            .max(self.has_rest.then_some(Claim::Rest))
    }
}
