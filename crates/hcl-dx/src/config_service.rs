//! The vendor's own properties: the inline table, the vendor's file, and what they say together.
//!
//! Documented: names, defaults and the file (docs/vendors/hcl-dx.md, "Configuration"). Which of
//! several places wins is not documented; here the inline table wins over the file, and the file
//! over the vendor's defaults (our choice).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use java_properties::PropertiesIter;
use logout_core::platform::{PlatformName, SetUpError};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// The properties that are read.
const KNOWN: &[&str] = &[
    "host.name",
    "host.port.http",
    "host.port.https",
    "logout.user.onpublic",
    "redirect.logout",
    "redirect.logout.ssl",
    "redirect.logout.url",
    "uri.context.path",
    "uri.home.protected",
    "uri.home.public",
    "uri.home.substitution",
];

/// Beginnings of names that can only be meant for a property that is read, so that anything else
/// with them is a mistake.
const FAMILIES: &[&str] = &["host.", "redirect.logout", "uri."];

/// Properties of the vendor's Configuration Service, by the vendor's names.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ConfigService(BTreeMap<String, Setting>);

/// The value of a property. The vendor's own are texts; a switch or a number may be written as
/// such.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    untagged,
    expecting = "expected true, false, a whole number or a string"
)]
pub enum Setting {
    /// A switch.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl ConfigService {
    /// The same with one more property.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Setting>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }
}

impl From<bool> for Setting {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Setting {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for ConfigService {
    /// A misspelt name is an error of the *name*, so that whoever reads the document can say in
    /// which line it stands.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let properties = BTreeMap::<Name, Setting>::deserialize(deserializer)?;
        let named = properties
            .into_iter()
            .map(|(Name(name), value)| (name, value));
        Ok(Self(named.collect()))
    }
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if is_misspelt(&name) {
            Err(de::Error::unknown_field(&name, KNOWN))
        } else {
            Ok(Self(name))
        }
    }
}

fn is_misspelt(name: &str) -> bool {
    !KNOWN.contains(&name) && FAMILIES.iter().any(|family| name.starts_with(family))
}

/// What the inline table and the file say together, of the properties that are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties(BTreeMap<&'static str, String>);

impl Properties {
    pub(crate) fn read(
        inline: &ConfigService,
        file: Option<&Path>,
        platform: &PlatformName,
    ) -> Result<Self, SetUpError> {
        let mut properties = Self::default();
        if let Some(path) = file {
            let fault = |problem: &dyn fmt::Display| {
                SetUpError::new(
                    "config_service_file",
                    format!("{}: {problem}", path.display()),
                )
            };
            let bytes = std::fs::read(path).map_err(|problem| fault(&problem))?;
            properties
                .read_file(bytes)
                .map_err(|problem| fault(&problem))?;
        }
        for (name, value) in &inline.0 {
            if is_misspelt(name) {
                return Err(SetUpError::new(
                    "config_service",
                    format!("unknown property {name:?}; there are {}", KNOWN.join(", ")),
                ));
            }
            if !properties.note(name, value.to_string()) {
                log::warn!(platform = platform.as_str(), property = name.as_str(); "a property has no effect here");
            }
        }
        Ok(properties)
    }

    /// A Java properties file. Properties that are not read are many in a real one, and left out
    /// silently.
    fn read_file(&mut self, mut bytes: Vec<u8>) -> Result<(), java_properties::PropertiesError> {
        // The parser loses a last line that ends with a continuation and no line break; Java keeps
        // it.
        bytes.push(b'\n');
        PropertiesIter::new(bytes.as_slice()).read_into(|name, value| {
            self.note(&name, value);
        })
    }

    fn note(&mut self, name: &str, value: String) -> bool {
        let known = KNOWN.iter().find(|known| **known == name);
        known.map(|known| self.0.insert(known, value)).is_some()
    }

    /// The value, trimmed; a blank one is a value too.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// The value, trimmed, unless it is blank.
    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A switch, off by default.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, SetUpError> {
        match self.raw(name) {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(SetUpError::new(
                name,
                format!("{value:?} is neither true nor false"),
            )),
        }
    }

    pub(crate) fn port(&self, name: &'static str) -> Result<Option<u16>, SetUpError> {
        let port = |value: &str| value.parse().ok().filter(|port| *port != 0);
        let checked = |value| {
            port(value)
                .ok_or_else(|| SetUpError::new(name, format!("{value:?} is not a port number")))
        };
        self.text(name).map(checked).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Properties {
        let mut properties = Properties::default();
        properties.read_file(text.as_bytes().to_vec()).unwrap();
        properties
    }

    #[test]
    fn the_vendors_file_is_read_as_java_does() {
        for (text, value) in [
            (
                "redirect.logout.url=https://h/x?a=b&c=d",
                Some("https://h/x?a=b&c=d"),
            ),
            ("redirect.logout.url = https://h/x", Some("https://h/x")),
            ("redirect.logout.url: https://h/x", Some("https://h/x")),
            ("redirect.logout.url https://h/x", Some("https://h/x")),
            (
                "  redirect.logout.url\t=\thttps://h/x\r\n",
                Some("https://h/x"),
            ),
            ("redirect.logout.url=https\\://h/x", Some("https://h/x")),
            ("redirect.logout.url=https://h/\\u0061", Some("https://h/a")),
            (
                "redirect.logout.url=https://h/\\\n    x?a=b",
                Some("https://h/x?a=b"),
            ),
            ("redirect.logout.url=https://h/x\\", Some("https://h/x")),
            ("redirect.logout.url=1\nredirect.logout.url=2", Some("2")),
            ("# redirect.logout.url=1\n! redirect.logout.url=2", None),
            ("#comment\\\nredirect.logout.url=1", Some("1")),
            ("redirect.logout.urls=1\nsomething.else=2\n\n", None),
            ("redirect.logout.url", None),
        ] {
            assert_eq!(file(text).text("redirect.logout.url"), value, "{text}");
        }
    }

    #[test]
    fn a_broken_escape_in_the_file_is_an_error_and_no_panic() {
        assert!(
            Properties::default()
                .read_file(b"a=\\u00g0".to_vec())
                .is_err()
        );
        assert!(
            Properties::default()
                .read_file(vec![0xff, 0xfe, b'=', 0, b'\\'])
                .is_ok()
        );
    }

    #[test]
    fn a_switch_is_true_or_false_and_anything_else_names_its_key() {
        for (value, flag) in [
            ("true", Some(true)),
            (" TRUE ", Some(true)),
            ("False", Some(false)),
            ("", None),
            ("yes", None),
            ("1", None),
        ] {
            let outcome = file(&format!("redirect.logout={value}")).flag("redirect.logout");
            match flag {
                Some(flag) => assert_eq!(outcome.unwrap(), flag, "{value}"),
                None => assert_eq!(outcome.unwrap_err().key(), "redirect.logout", "{value}"),
            }
        }
        assert!(!Properties::default().flag("redirect.logout").unwrap());
    }

    #[test]
    fn a_port_is_a_number_that_a_port_can_have() {
        for (value, port) in [
            ("8443", Some(8443)),
            ("0", None),
            ("65536", None),
            ("x", None),
            ("-1", None),
        ] {
            assert_eq!(
                file(&format!("host.port.https={value}"))
                    .port("host.port.https")
                    .ok()
                    .flatten(),
                port,
                "{value}"
            );
        }
        assert_eq!(
            file("host.port.https=").port("host.port.https").unwrap(),
            None
        );
    }

    #[test]
    fn the_inline_table_takes_the_vendors_names_and_refuses_misspelt_ones() {
        let read = |text: &str| {
            toml::from_str::<BTreeMap<String, ConfigService>>(text)
                .map(|mut tables| tables.remove("t").unwrap())
        };
        let table = read(
            "t = { \"redirect.logout\" = true, \"host.port.https\" = 8443, \"host.name\" = \"h\", \"command.logout\" = \"x\" }",
        );
        let properties = Properties::read(&table.unwrap(), None, &PlatformName::new("dx")).unwrap();
        assert!(properties.flag("redirect.logout").unwrap());
        assert_eq!(properties.port("host.port.https").unwrap(), Some(8443));
        assert_eq!(properties.text("host.name"), Some("h"));

        for name in [
            "redirect.logout.urls",
            "redirect.logouts",
            "uri.home",
            "host.port",
            "host.names",
        ] {
            let fault = read(&format!("a = {{}}\nt = {{ \"{name}\" = \"x\" }}"))
                .unwrap_err()
                .to_string();
            assert!(fault.contains(name) && fault.contains("line 2"), "{fault}");
            let built = ConfigService::default().with(name, "x");
            assert_eq!(
                Properties::read(&built, None, &PlatformName::new("dx"))
                    .unwrap_err()
                    .key(),
                "config_service"
            );
        }
        assert!(read("t = { \"host.name\" = [] }").is_err());
    }
}
