//! Which platform and endpoint a request belongs to: by host, prefix and path.

use std::collections::HashMap;

use logout_core::message::Method;
use logout_core::provider::Endpoint;

use crate::platform::MountedPlatform;
use crate::territory::Territory;

/// Platforms that cannot be mounted together.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// Two platforms have the same name.
    #[error("two platforms are called {0:?}")]
    SameName(String),
    /// Two platforms claim the same address.
    #[error(
        "platforms {one:?} and {other:?} both claim {path}; give one of them another host or prefix"
    )]
    Overlap {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// A path that both claim.
        path: String,
    },
    /// A platform claims an address that the app keeps for itself.
    #[error("platform {platform:?} claims {path}, which is reserved; give it a host or a prefix")]
    Reserved {
        /// The platform.
        platform: String,
        /// The reserved path.
        path: String,
    },
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    /// Index of the platform.
    pub(crate) platform: usize,
    /// Where the path below the platform's prefix begins.
    pub(crate) path_from: usize,
    /// The endpoint, or how the path may be called when no endpoint there takes the method.
    pub(crate) target: Target,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Login {
        endpoint: &'static str,
        parameters: Vec<(&'static str, String)>,
    },
    MethodNotAllowed {
        allow: Vec<Method>,
    },
    /// The path is the platform's, and no endpoint's.
    NotFound,
    SignOut {
        endpoint: &'static str,
        parameters: Vec<(&'static str, String)>,
    },
}

#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
    /// Those whose endpoints are of any depth. They come after all others, and reach into no other
    /// platform's territory.
    of_any_depth: Vec<Route>,
    territories: Vec<Territory>,
    reserved: Vec<String>,
    /// Routes by their whole path, in lower case and as the documentation spells it; those with
    /// parameters in the path are only in `routes`.
    by_path: HashMap<String, Vec<usize>>,
    /// Whether some platforms have a host of their own: then the order of `routes` decides, and the
    /// short cut is not taken.
    hosts_differ: bool,
}

#[derive(Debug)]
struct Route {
    platform: usize,
    host: Option<String>,
    prefix: String,
    endpoint: Endpoint,
    signs_out: bool,
}

impl Router {
    pub(crate) fn new(
        platforms: &[MountedPlatform],
        reserved: &[&str],
    ) -> Result<Self, MountError> {
        let (mut routes, mut of_any_depth): (Vec<Route>, Vec<Route>) = (Vec::new(), Vec::new());
        let mut by_path: HashMap<String, Vec<usize>> = HashMap::new();
        // A platform with a host of its own is asked first, so that one without does not answer for
        // it.
        let mut order: Vec<usize> = (0..platforms.len()).collect();
        order.sort_by_key(|index| platforms[*index].host.is_none());
        for index in order {
            let mounted = &platforms[index];
            let platform = mounted.sessions.platform();
            let sign_outs = mounted
                .provider
                .endpoints()
                .iter()
                .map(|endpoint| (endpoint, true));
            let logins = mounted
                .login_endpoints()
                .iter()
                .map(|endpoint| (endpoint, false));
            for (endpoint, signs_out) in sign_outs.chain(logins) {
                let route = Route {
                    platform: index,
                    host: mounted.host.as_ref().map(|host| host.to_ascii_lowercase()),
                    prefix: platform.prefix.clone(),
                    endpoint: endpoint.clone(),
                    signs_out,
                };
                if endpoint.is_of_any_depth() {
                    check(&route, &of_any_depth, platforms, reserved)?;
                    of_any_depth.push(route);
                    continue;
                }
                check(&route, &routes, platforms, reserved)?;
                by_path
                    .entry(route.path().to_ascii_lowercase())
                    .or_default()
                    .push(routes.len());
                routes.push(route);
            }
        }
        // As nearly all clients spell them, so that their paths need not be put into lower case.
        for path in routes.iter().map(Route::path) {
            if let Some(indexes) = by_path.get(&path.to_ascii_lowercase()).cloned() {
                by_path.insert(path, indexes);
            }
        }
        let hosts_differ = routes.iter().any(|route| route.host.is_some());
        let reserved = reserved.iter().map(|path| (*path).to_owned()).collect();
        Ok(Self {
            routes,
            of_any_depth,
            territories: Territory::of(platforms),
            reserved,
            by_path,
            hosts_differ,
        })
    }

    /// Where a request for `path`, as sent, at `host`, as sent, goes.
    pub(crate) fn route(&self, host: &str, path: &str, method: Method) -> Option<Match> {
        if !self.hosts_differ
            && let Some(indexes) = self.spelled(path)
            && let Some(found) = self.first(
                indexes.iter().map(|index| &self.routes[*index]),
                host,
                path,
                method,
            )
            && !matches!(found.target, Target::MethodNotAllowed { .. })
        {
            return Some(found);
        }
        self.first(self.routes.iter(), host, path, method)
            .or_else(|| self.unmatched(host, path, method))
    }

    /// The routes that may take `path`, in the order of `routes`.
    fn spelled(&self, path: &str) -> Option<&Vec<usize>> {
        let in_lower_case = || self.by_path.get(&path.to_ascii_lowercase());
        self.by_path.get(path).or_else(in_lower_case)
    }

    /// Where a request goes that no endpoint takes but perhaps one of any depth: to the platform
    /// that its path belongs to.
    fn unmatched(&self, host: &str, path: &str, method: Method) -> Option<Match> {
        let is_below =
            |own: &String| own.len() > 1 && own.ends_with('/') && path.starts_with(own.as_str());
        if self.reserved.iter().any(|own| own == path || is_below(own)) {
            return None;
        }
        let platform = Territory::owner(&self.territories, host, path)?;
        let own = self
            .of_any_depth
            .iter()
            .filter(|route| route.platform == platform);
        self.first(own, host, path, method).or_else(|| {
            let prefix = self
                .routes
                .iter()
                .find(|route| route.platform == platform)
                .map_or("", |route| route.prefix.as_str());
            let path_from = if path.starts_with(prefix) {
                prefix.len()
            } else {
                0
            };
            Some(Match {
                platform,
                path_from,
                target: Target::NotFound,
            })
        })
    }

    fn has_host(&self, platform: usize) -> bool {
        self.routes
            .iter()
            .any(|route| route.platform == platform && route.host.is_some())
    }

    fn first<'a>(
        &'a self,
        routes: impl Iterator<Item = &'a Route>,
        host: &str,
        path: &str,
        method: Method,
    ) -> Option<Match> {
        let mut refused: Option<Match> = None;
        for route in routes.filter(|route| route.host.as_ref().is_none_or(|own| is_host(own, host)))
        {
            let Some(parameters) = route
                .below_prefix(path)
                .and_then(|rest| route.endpoint.matches(rest))
            else {
                continue;
            };
            let (platform, path_from) = (route.platform, route.prefix.len());
            // An address of a platform with a host is nobody else's, whatever the method.
            if route.host.is_none()
                && refused.as_ref().is_some_and(|first| {
                    first.platform != platform && self.has_host(first.platform)
                })
            {
                continue;
            }
            if route.endpoint.methods().contains(&method) {
                let endpoint = route.endpoint.name();
                let target = if route.signs_out {
                    Target::SignOut {
                        endpoint,
                        parameters,
                    }
                } else {
                    Target::Login {
                        endpoint,
                        parameters,
                    }
                };
                return Some(Match {
                    platform,
                    path_from,
                    target,
                });
            }
            match &mut refused {
                None => {
                    refused = Some(Match {
                        platform,
                        path_from,
                        target: Target::MethodNotAllowed {
                            allow: route.endpoint.methods().to_vec(),
                        },
                    })
                }
                Some(Match {
                    platform: first,
                    target: Target::MethodNotAllowed { allow },
                    ..
                }) if *first == platform => {
                    allow.extend_from_slice(route.endpoint.methods());
                }
                Some(_) => {}
            }
        }
        refused
    }
}

/// Whether the `Host` that was sent is this one; its port counts only where a port is configured.
pub(crate) fn is_host(own: &str, sent: &str) -> bool {
    let without_port = sent
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|(name, _)| name);
    own.eq_ignore_ascii_case(sent)
        || without_port.is_some_and(|name| own.eq_ignore_ascii_case(name))
}

impl Route {
    fn below_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix.as_str())
            .filter(|rest| rest.starts_with('/'))
    }

    fn claims(&self, path: &str) -> bool {
        self.below_prefix(path)
            .is_some_and(|rest| self.endpoint.matches(rest).is_some())
    }

    /// Whether it answers for a reserved path or, where that ends with a slash, for anything below
    /// it.
    fn takes(&self, reserved: &str) -> bool {
        let is_below =
            || reserved != "/" && reserved.ends_with('/') && self.path().starts_with(reserved);
        // One of any depth leaves reserved paths out by itself.
        !self.endpoint.is_of_any_depth() && self.claims(reserved) || is_below()
    }

    fn path(&self) -> String {
        format!("{}{}", self.prefix, self.endpoint.path())
    }
}

fn check(
    route: &Route,
    others: &[Route],
    platforms: &[MountedPlatform],
    reserved: &[&str],
) -> Result<(), MountError> {
    let name = |index: usize| {
        platforms[index]
            .sessions
            .platform()
            .name
            .as_str()
            .to_owned()
    };
    if let Some(path) = reserved
        .iter()
        .find(|path| route.host.is_none() && route.takes(path))
    {
        return Err(MountError::Reserved {
            platform: name(route.platform),
            path: (*path).to_owned(),
        });
    }
    for other in others
        .iter()
        .filter(|other| other.platform != route.platform)
    {
        if name(other.platform) == name(route.platform) {
            return Err(MountError::SameName(name(route.platform)));
        }
        // Of two endpoints of any depth below different prefixes, the longer prefix decides.
        let shares_path = if route.endpoint.is_of_any_depth() {
            other.prefix == route.prefix && route.endpoint.shares_a_depth_with(&other.endpoint)
        } else {
            other.claims(&route.path()) || route.claims(&other.path())
        };
        if other.host == route.host && shares_path {
            return Err(MountError::Overlap {
                one: name(other.platform),
                other: name(route.platform),
                path: route.path(),
            });
        }
    }
    Ok(())
}
