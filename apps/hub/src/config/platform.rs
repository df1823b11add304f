//! `[[platform]]`: the keys that every vendor's platforms share, and the way to the vendor's own.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::vendors::Vendor;
use logout_core::check::CheckMode;
use logout_core::cookie::CookiePolicy;
use logout_core::platform::Platform;
use logout_core::receipt::Reach;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use super::document::{Document, Node, platforms};
use super::error::{ConfigError, ConfigErrorKind, Place};
use super::person::PersonConfig;
use super::{Compiled, RedirectsConfig, SessionsConfig, values};

/// The keys of a `[[platform]]` that are not the vendor's.
pub const COMMON_KEYS: &[&str] = &[
    "check",
    "cookies",
    "cors_origins",
    "end_previous",
    "host",
    "idle_timeout",
    "idp",
    "max_cookies",
    "name",
    "person",
    "prefix",
    "public_url",
    "reach",
    "redirects",
    "require_same_site",
    "upstream",
    "upstream_ca_file",
    "vendor",
];

/// One `[[platform]]`. What is deserialized is as it is written; [`Config`](super::Config) resolves
/// paths and looks whether keys fit together.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformConfig {
    /// Its name, unique in the hub. Must be given.
    #[serde(deserialize_with = "values::name")]
    pub name: String,
    /// Whose product it is: `sitefinity`, `assets`, `wix` or `hcl-dx`. Must be given.
    pub vendor: Vendor,
    /// The base of every URL built for it, its prefix included. Default: the server's `public_url`
    /// with `prefix` behind it.
    #[serde(
        default,
        deserialize_with = "values::public_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub public_url: Option<Url>,
    /// Answers only requests with this `Host`, in lower case. Default: any.
    #[serde(
        default,
        deserialize_with = "values::host",
        skip_serializing_if = "Option::is_none"
    )]
    pub host: Option<String>,
    /// A base path in front of the vendor's paths, beginning with a slash and not ending with one.
    /// Default: empty.
    #[serde(default, deserialize_with = "values::prefix")]
    pub prefix: String,
    /// How far a sign-out goes at least: `session`, `sign-on`, `subject` or `person`. Default:
    /// `session`.
    #[serde(default)]
    pub reach: Reach,
    /// Allowed return addresses besides those of `[redirects]` and the platform's own origin.
    /// Default: none.
    #[serde(default, deserialize_with = "values::redirects")]
    pub redirects: Vec<String>,
    /// How cookies are set. Default: `{ secure = "auto", domain = "", same_site = "lax" }`.
    #[serde(default)]
    pub cookies: CookiePolicy,
    /// Origins whose pages may read the answers; `*` stands for one label. Default: none.
    #[serde(default, deserialize_with = "values::origins")]
    pub cors_origins: Vec<String>,
    /// Whether sign-outs that another site caused are refused. Default: false.
    #[serde(default)]
    pub require_same_site: bool,
    /// Whether a login ends the session that the same browser had here before. Default: true for a
    /// stand-in, false with an upstream, which ends what it will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_previous: Option<bool>,
    /// What `/check` lets pass: `not_ended` or `known`. Default: `not_ended`.
    #[serde(default)]
    pub check: CheckMode,
    /// How many cookies a request may bring. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cookies: Option<NonZeroUsize>,
    /// The base address of the real instance behind it. Default: none, the hub is a stand-in.
    #[serde(
        default,
        deserialize_with = "values::public_url",
        skip_serializing_if = "Option::is_none"
    )]
    pub upstream: Option<Url>,
    /// Certificates of authorities, as PEM, that the upstream's certificate may come from besides
    /// those that everybody trusts. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ca_file: Option<PathBuf>,
    /// How its subjects are linked to persons. Default: not at all; a registration may name the
    /// person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonConfig>,
    /// The name of the `[[idp]]` that a browser goes on to after a sign-out, so that its session
    /// there ends too. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp: Option<String>,
    /// How long a session may lie unused. Default: that of `[sessions]` for a stand-in; with an
    /// upstream, no limit, because the hub sees no use unless the traffic passes the check.
    #[serde(
        default,
        deserialize_with = "values::some_duration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "values::optional_duration"
    )]
    pub idle_timeout: Option<Duration>,
    #[serde(skip)]
    pub(super) is_whole: bool,
    #[serde(skip)]
    pub(super) document: Arc<Document>,
    #[serde(skip)]
    pub(super) index: usize,
}

impl PlatformConfig {
    /// Nothing where the platform cannot be set up at all.
    pub(super) fn read(
        document: &Arc<Document>,
        index: usize,
        node: &Node<'_>,
        compiled: &Compiled<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let label = label(node);
        let before = errors.len();
        let read =
            document.read::<Self>(&label, &part(node, |key| COMMON_KEYS.contains(&key)), &[]);
        errors.extend(read.errors);
        let mut config = read.value?;
        let at = |key: &str| {
            node.get_ref()
                .get(key)
                .map_or_else(|| node.span(), Spanned::span)
        };
        let invalid = |span, key: &str, reason: &str| {
            document.error(
                span,
                ConfigErrorKind::Invalid {
                    key: format!("{label}.{key}"),
                    reason: reason.to_owned(),
                },
            )
        };
        // What is written and wrong does not count as missing.
        if node.get_ref().get("upstream").is_none() {
            for (key, given) in [
                ("person", config.person.is_some()),
                ("upstream_ca_file", config.upstream_ca_file.is_some()),
            ] {
                if given {
                    errors.push(invalid(at(key), key, "goes with `upstream`"));
                }
            }
        }
        let is_wrong = errors[before..]
            .iter()
            .any(|error| error.is_about(&format!("{label}.person")));
        config.person = config
            .person
            .and_then(|person| match person.checked(document) {
                Ok(person) => Some(person),
                // A key of it that is wrong does not count as missing either.
                Err(_) if is_wrong => None,
                Err(reason) => {
                    errors.push(invalid(at("person"), "person", reason));
                    None
                }
            });
        let cookies = node.get_ref().get("cookies");
        errors.extend(config.cookies.problems().into_iter().map(|(key, problem)| {
            let span = cookies.map(|cookies| cookies.get_ref().get(key).unwrap_or(cookies).span());
            invalid(
                span.unwrap_or_else(|| node.span()),
                &format!("cookies.{key}"),
                problem,
            )
        }));
        if !read.is_complete {
            return None;
        }
        if !compiled.vendors.contains(&config.vendor) {
            let name = config.vendor.name().to_owned();
            errors.push(document.error(
                at("vendor"),
                ConfigErrorKind::NotCompiled {
                    feature: name.clone(),
                    name,
                },
            ));
            return None;
        }
        config.upstream_ca_file = config.upstream_ca_file.map(|path| document.resolve(&path));
        config.is_whole = errors.len() == before;
        config.document = Arc::clone(document);
        config.index = index;
        Some(config)
    }

    /// Whether all of its common keys are right, so that what follows from them does.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The error that something is wrong with `key` of this platform, or with the platform as a
    /// whole, at its place in the configuration. For faults that only the adapter can find.
    pub fn error(&self, key: Option<&str>, reason: impl ToString) -> ConfigError {
        let tree = self.document.tree();
        let node = platforms(&tree).get(self.index);
        let label = format!("platform.{}", self.name);
        let found = key.and_then(|key| find(node?, key));
        let label = match (key, &found) {
            (None, _) => label,
            (Some(key), None) => format!("{label}.{key}"),
            (_, Some((path, _))) => format!("{label}.{path}"),
        };
        let value = found.map(|(_, value)| value).or(node);
        self.document.error(
            value.map_or(0..0, Spanned::span),
            ConfigErrorKind::Invalid {
                key: label,
                reason: reason.to_string(),
            },
        )
    }

    /// Where its name stands.
    pub(crate) fn place(&self) -> Place {
        self.error(Some("name"), "").place
    }

    /// The platform as adapters know it. `server_url` is the server's public URL, as configured or
    /// as it listens.
    pub fn platform(
        &self,
        server_url: &Url,
        sessions: &SessionsConfig,
        redirects: &RedirectsConfig,
    ) -> Platform {
        let public_url = self.public_url.clone().unwrap_or_else(|| {
            let mut url = server_url.clone();
            url.set_path(&format!(
                "{}{}",
                server_url.path().trim_end_matches('/'),
                self.prefix
            ));
            url
        });
        let mut platform = Platform::new(&self.name, public_url);
        platform.prefix.clone_from(&self.prefix);
        platform.reach = self.reach;
        platform.redirects = redirects
            .allow
            .iter()
            .chain(&self.redirects)
            .cloned()
            .collect();
        platform.cookies = self.cookies.clone();
        platform.check = self.check;
        platform.max_cookies = self
            .max_cookies
            .map_or(platform.max_cookies, NonZeroUsize::get);
        platform.has_upstream = self.upstream.is_some();
        platform.upstream_host = self
            .upstream
            .as_ref()
            .and_then(|url| url.host_str().map(str::to_owned));
        platform.end_previous = self.end_previous.unwrap_or(!platform.has_upstream);
        platform.idle_timeout = self
            .idle_timeout
            .or((!platform.has_upstream).then_some(sessions.idle_timeout));
        platform.absolute_timeout = sessions.absolute_timeout;
        platform
    }

    pub(super) fn name_error(&self, earlier: &Self) -> ConfigError {
        let fault = ConfigErrorKind::Duplicate {
            what: "platform",
            name: self.name.clone(),
            earlier: earlier.place(),
        };
        ConfigError {
            place: self.place(),
            fault,
        }
    }
}

/// The value of `key` in the platform's table or in one within it, and the way there.
pub(super) fn find<'n, 'i>(platform: &'n Node<'i>, key: &str) -> Option<(String, &'n Node<'i>)> {
    platform
        .get_ref()
        .get(key)
        .map(|value| (key.to_owned(), value))
        .or_else(|| below(platform, key))
}

/// The value of `key` in a table within the platform's, and the way there; nothing where several
/// tables have such a key, since which of them is meant only the reason can say.
fn below<'n, 'i>(platform: &'n Node<'i>, key: &str) -> Option<(String, &'n Node<'i>)> {
    let tables = platform
        .get_ref()
        .as_table()?
        .iter()
        .flat_map(|(name, inner)| {
            let rows: Vec<_> = inner
                .get_ref()
                .as_array()
                .map_or_else(|| vec![inner], |rows| rows.iter().collect());
            rows.into_iter().map(move |row| (name.get_ref(), row))
        });
    let mut places = tables
        .filter_map(|(name, table)| Some((format!("{name}.{key}"), table.get_ref().get(key)?)));
    places.next().filter(|_| places.next().is_none())
}

fn label(node: &Node<'_>) -> String {
    match node
        .get_ref()
        .get("name")
        .and_then(|name| name.get_ref().as_str())
    {
        Some(name) if !name.is_empty() => format!("platform.{name}"),
        _ => "platform".to_owned(),
    }
}

/// The table with those of its keys that `belongs` picks.
pub(super) fn part<'i>(node: &Node<'i>, belongs: impl Fn(&str) -> bool) -> Node<'i> {
    let mut node = node.clone();
    if let DeValue::Table(table) = node.get_mut() {
        *table = std::mem::take(table)
            .into_iter()
            .filter(|(key, _)| belongs(key.get_ref()))
            .collect();
    }
    node
}
