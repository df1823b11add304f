//! `[[platform]]`: the keys that every vendor's platforms share, and the way to the vendor's own.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logout_core::check::CheckMode;
use logout_core::cookie::CookiePolicy;
use logout_core::platform::Platform;
use logout_core::provider::Vendor;
use logout_core::receipt::Reach;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use url::Url;

use super::document::{Document, Node, platforms};
use super::error::{ConfigError, Fault};
use super::person::PersonConfig;
use super::secrets::{of_file, read_file};
use super::{Compiled, RedirectsConfig, SessionsConfig, values};

/// The keys of a `[[platform]]` that are not the vendor's.
pub const COMMON_KEYS: &[&str] = &[
    "check",
    "cookies",
    "cors_origins",
    "end_previous",
    "host",
    "idle_timeout",
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

/// One `[[platform]]`.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformConfig {
    /// Its name, unique in the hub. Must be given.
    pub name: String,
    /// Whose product it is: `sitefinity`, `assets`, `wix` or `hcl-dx`. Must be given.
    pub vendor: Vendor,
    /// The base of every URL built for it, its prefix included. Default: the server's `public_url` with `prefix` behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Url>,
    /// Answers only requests with this `Host`, in lower case. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A base path in front of the vendor's paths, beginning with a slash and not ending with one. Default: empty.
    pub prefix: String,
    /// How far a sign-out goes at least: `session`, `sign-on`, `subject` or `person`. Default: `session`.
    pub reach: Reach,
    /// Allowed landings besides those of `[redirects]` and the platform's own origin. Default: none.
    pub redirects: Vec<String>,
    /// How cookies are set. Default: `{ secure = "auto", domain = "", same_site = "lax" }`.
    pub cookies: CookiePolicy,
    /// Origins whose pages may read the answers; `*` stands for one label. Default: none.
    pub cors_origins: Vec<String>,
    /// Whether sign-outs that another site caused are refused. Default: false.
    pub require_same_site: bool,
    /// Whether a login ends the session that the same browser had here before. Default: true for a stand-in, false with an
    /// upstream, which ends what it will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_previous: Option<bool>,
    /// What `/check` lets pass: `not_ended` or `known`. Default: `not_ended`.
    pub check: CheckMode,
    /// How many cookies a request may bring. Default: 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cookies: Option<NonZeroUsize>,
    /// The base address of the real instance behind it. Default: none, the hub is a stand-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Url>,
    /// Certificates of authorities, as PEM, that the upstream's certificate may come from besides those that everybody trusts.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ca_file: Option<PathBuf>,
    /// How its subjects are linked to persons. Default: not at all; a registration may name the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonConfig>,
    /// How long a session may lie unused. Default: that of `[sessions]` for a stand-in; with an upstream, no limit, because the hub
    /// sees no use unless the traffic passes the check.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "values::optional_duration")]
    pub idle_timeout: Option<Duration>,
    #[serde(skip)]
    document: Arc<Document>,
    #[serde(skip)]
    index: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommonKeys {
    #[serde(deserialize_with = "values::name")]
    name: String,
    vendor: Vendor,
    #[serde(default, deserialize_with = "values::public_url")]
    public_url: Option<Url>,
    #[serde(default, deserialize_with = "values::host")]
    host: Option<String>,
    #[serde(default, deserialize_with = "values::prefix")]
    prefix: String,
    #[serde(default)]
    reach: Reach,
    #[serde(default, deserialize_with = "values::public_url")]
    upstream: Option<Url>,
    #[serde(default)]
    upstream_ca_file: Option<PathBuf>,
    #[serde(default)]
    person: Option<PersonConfig>,
    #[serde(default, deserialize_with = "values::some_duration")]
    idle_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "values::redirects")]
    redirects: Vec<String>,
    #[serde(default, deserialize_with = "values::cookies")]
    cookies: CookiePolicy,
    #[serde(default, deserialize_with = "values::origins")]
    cors_origins: Vec<String>,
    #[serde(default)]
    require_same_site: bool,
    #[serde(default)]
    end_previous: Option<bool>,
    #[serde(default)]
    check: CheckMode,
    #[serde(default)]
    max_cookies: Option<NonZeroUsize>,
}

impl PlatformConfig {
    pub(super) fn read(document: &Arc<Document>, index: usize, node: &Node<'_>, compiled: &Compiled<'_>) -> Result<Self, ConfigError> {
        let label = label(node);
        let keys: CommonKeys = document.read(&label, &part(node, |key| COMMON_KEYS.contains(&key)), &[])?;
        let at = |key: &str| node.get_ref().get(key).map_or_else(|| node.span(), |value| value.span());
        let invalid =
            |key: &str, reason: &str| document.error(at(key), Fault::Invalid { key: format!("{label}.{key}"), reason: reason.to_owned() });
        if keys.upstream.is_none() {
            for (key, given) in [("person", keys.person.is_some()), ("upstream_ca_file", keys.upstream_ca_file.is_some())] {
                if given {
                    return Err(invalid(key, "goes with `upstream`"));
                }
            }
        }
        let person = keys.person.map(|person| person.checked(document)).transpose().map_err(|reason| invalid("person", reason))?;
        if !compiled.vendors.contains(&keys.vendor) {
            let name = keys.vendor.name().to_owned();
            return Err(document.error(at("vendor"), Fault::NotCompiled { feature: name.clone(), name }));
        }
        Ok(Self {
            name: keys.name,
            vendor: keys.vendor,
            public_url: keys.public_url,
            host: keys.host,
            prefix: keys.prefix,
            reach: keys.reach,
            redirects: keys.redirects,
            cookies: keys.cookies,
            cors_origins: keys.cors_origins,
            require_same_site: keys.require_same_site,
            end_previous: keys.end_previous,
            check: keys.check,
            max_cookies: keys.max_cookies,
            upstream: keys.upstream,
            upstream_ca_file: keys.upstream_ca_file.map(|path| document.resolve(&path)),
            person,
            idle_timeout: keys.idle_timeout,
            document: Arc::clone(document),
            index,
        })
    }

    /// The vendor's own keys, as the adapter's configuration type reads them; that type should deny unknown fields. A key
    /// `…_file` of a secret is replaced by the secret in that file, any other relative `…_file` made absolute.
    ///
    /// # Errors
    /// The first key that does not fit, with its line and column; an unknown one with the key that may have been meant, be
    /// it the vendor's or a common one.
    pub fn vendor_keys<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let tree = self.document.tree();
        let node = self.vendor_node(&tree)?;
        self.document.read(&format!("platform.{}", self.name), &node, COMMON_KEYS)
    }

    /// The vendor's own keys as they are written, with secrets masked.
    pub(super) fn written_vendor_keys(&self) -> Result<toml::Table, ConfigError> {
        let tree = self.document.tree();
        let node = self.vendor_node(&tree)?;
        let mut table = toml::Table::deserialize(ValueDeserializer::from(node)).map_err(|fault| self.error(None, fault.message()))?;
        super::print::mask(&mut table);
        Ok(table)
    }

    /// The error that something is wrong with `key` of this platform, or with the platform as a whole, at its place in the
    /// configuration. For faults that only the adapter can find.
    pub fn error(&self, key: Option<&str>, reason: impl ToString) -> ConfigError {
        let tree = self.document.tree();
        let node = platforms(&tree).get(self.index);
        let mut label = format!("platform.{}", self.name);
        let mut value = node;
        if let Some(key) = key {
            let place = node.and_then(|node| node.get_ref().get(key).map(|value| (key.to_owned(), value)).or_else(|| below(node, key)));
            label = format!("{label}.{}", place.as_ref().map_or(key, |(path, _)| path));
            value = place.map(|(_, value)| value).or(node);
        }
        self.document.error(value.map_or(0..0, Spanned::span), Fault::Invalid { key: label, reason: reason.to_string() })
    }

    /// The platform as adapters know it. `server_url` is the server's public URL, as configured or as it listens.
    pub fn platform(&self, server_url: &Url, sessions: &SessionsConfig, redirects: &RedirectsConfig) -> Platform {
        let public_url = self.public_url.clone().unwrap_or_else(|| {
            let mut url = server_url.clone();
            url.set_path(&format!("{}{}", server_url.path().trim_end_matches('/'), self.prefix));
            url
        });
        let mut platform = Platform::new(&self.name, public_url);
        platform.prefix.clone_from(&self.prefix);
        platform.reach = self.reach;
        platform.redirects = redirects.allow.iter().chain(&self.redirects).cloned().collect();
        platform.cookies = self.cookies.clone();
        platform.check = self.check;
        platform.max_cookies = self.max_cookies.map_or(platform.max_cookies, NonZeroUsize::get);
        platform.has_upstream = self.upstream.is_some();
        platform.upstream_host = self.upstream.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        platform.end_previous = self.end_previous.unwrap_or(!platform.has_upstream);
        platform.idle_timeout = self.idle_timeout.or((!platform.has_upstream).then_some(sessions.idle_timeout));
        platform.absolute_timeout = sessions.absolute_timeout;
        platform
    }

    pub(super) fn name_error(&self, earlier: &Self) -> ConfigError {
        let place = |platform: &Self| platform.error(Some("name"), "").place;
        let fault = Fault::Duplicate { what: "platform", name: self.name.clone(), earlier: place(earlier) };
        ConfigError { place: place(self), fault }
    }

    fn vendor_node<'t>(&self, tree: &DeTable<'t>) -> Result<Node<'t>, ConfigError> {
        let node = platforms(tree).get(self.index).ok_or_else(|| self.error(None, "is gone"))?;
        let mut own = part(node, |key| !COMMON_KEYS.contains(&key));
        let label = format!("platform.{}", self.name);
        if let DeValue::Table(table) = own.get_mut() {
            resolve_files(&self.document, &label, table)?;
        }
        Ok(own)
    }
}

/// The value of `key` in a table within the platform's, and the way there; nothing where several tables have such a key, since
/// which of them is meant only the reason can say.
fn below<'n, 'i>(platform: &'n Node<'i>, key: &str) -> Option<(String, &'n Node<'i>)> {
    let tables = platform.get_ref().as_table()?.iter().flat_map(|(name, inner)| {
        let rows: Vec<_> = inner.get_ref().as_array().map_or_else(|| vec![inner], |rows| rows.iter().collect());
        rows.into_iter().map(move |row| (name.get_ref(), row))
    });
    let mut places = tables.filter_map(|(name, table)| Some((format!("{name}.{key}"), table.get_ref().get(key)?)));
    places.next().filter(|_| places.next().is_none())
}

fn label(node: &Node<'_>) -> String {
    match node.get_ref().get("name").and_then(|name| name.get_ref().as_str()) {
        Some(name) if !name.is_empty() => format!("platform.{name}"),
        _ => "platform".to_owned(),
    }
}

/// The table with those of its keys that `belongs` picks.
fn part<'i>(node: &Node<'i>, belongs: impl Fn(&str) -> bool) -> Node<'i> {
    let mut node = node.clone();
    if let DeValue::Table(table) = node.get_mut() {
        *table = std::mem::take(table).into_iter().filter(|(key, _)| belongs(key.get_ref())).collect();
    }
    node
}

fn resolve_files(document: &Document, label: &str, table: &mut DeTable<'_>) -> Result<(), ConfigError> {
    let files: Vec<String> = table.keys().filter(|key| key.get_ref().ends_with("_file")).map(|key| key.get_ref().to_string()).collect();
    for key in files {
        let Some((name, node)) = table.remove_entry(key.as_str()) else { continue };
        let Some(file) = node.get_ref().as_str() else {
            table.insert(name, node);
            continue;
        };
        let path = document.resolve(file.as_ref());
        let (name, value) = match of_file(&key) {
            Some(secret) if table.contains_key(secret) => {
                return Err(document.error(name.span(), Fault::Both(secret.to_owned(), key)));
            }
            Some(secret) => {
                let read = read_file(&path).map_err(|fault| {
                    document.error(node.span(), Fault::SecretFile { key: format!("{label}.{key}"), reason: fault.to_string() })
                })?;
                (Spanned::new(name.span(), Cow::Owned(secret.to_owned())), read.reveal().to_owned())
            }
            None => (name, path.display().to_string()),
        };
        table.insert(name, Spanned::new(node.span(), DeValue::String(Cow::Owned(value))));
    }
    for (key, node) in table.iter_mut() {
        let label = format!("{label}.{}", key.get_ref());
        match node.get_mut() {
            DeValue::Table(inner) => resolve_files(document, &label, inner)?,
            DeValue::Array(array) => {
                for each in array.iter_mut() {
                    if let DeValue::Table(inner) = each.get_mut() {
                        resolve_files(document, &label, inner)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
