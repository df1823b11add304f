//! `[[account]]`: who may log in to stand-in platforms.

use std::path::PathBuf;

use logout_core::credential::Secret;
use logout_core::ports::Account;
use logout_core::session::Person;
use logout_identity::{PasswordAccount, SecretFileError, parse_hash};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::document::{Document, Node};
use super::error::{ConfigError, ConfigErrorKind};
use super::secrets::read_file;

/// One `[[account]]`.
#[derive(Clone, Debug, Serialize)]
pub struct AccountConfig {
    /// The name to log in with, in any case. Must be given.
    pub name: String,
    /// The password's argon2 hash, as `logout-hub hash-password` prints it. Must be given, or
    /// `password_hash_file`.
    #[serde(serialize_with = "masked")]
    pub password_hash: Secret,
    /// Where the name is unique, in any case: a Sitefinity membership provider is a realm. Default:
    /// `Default`.
    pub realm: String,
    /// Who it is across platforms; accounts with the same person belong to one human being.
    /// Default: `email`; where that is not given either, nobody, and no sign-out of this account
    /// reaches beyond its platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The mail address, which works in place of the name. Default: `person`, where that is an
    /// address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The name to show. Default: `name`.
    pub display_name: String,
    /// Groups or roles. Default: none.
    pub groups: Vec<String>,
    /// Whether the account may sign out others. Default: false.
    pub administrator: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountKeys {
    name: String,
    password_hash: Option<String>,
    password_hash_file: Option<PathBuf>,
    #[serde(default = "default_realm")]
    realm: String,
    person: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    administrator: bool,
}

impl AccountConfig {
    /// Nothing where the account cannot be used at all.
    pub(super) fn read(
        document: &Document,
        node: &Node<'_>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let label = label(node);
        let read = document.read::<AccountKeys>(&label, node, &[]);
        errors.extend(read.errors);
        let keys = read.value?;
        let at = |key: &str| {
            node.get_ref()
                .get(key)
                .map_or_else(|| node.span(), |value| value.span())
        };
        // An empty person would make one human being of all accounts that have it.
        let texts = [
            ("name", Some(&keys.name)),
            ("realm", Some(&keys.realm)),
            ("person", keys.person.as_ref()),
            ("email", keys.email.as_ref()),
        ];
        for (key, _) in texts
            .iter()
            .filter(|(_, text)| text.is_some_and(|text| text.trim().is_empty()))
        {
            let fault = ConfigErrorKind::Invalid {
                key: format!("{label}.{key}"),
                reason: "must not be empty".to_owned(),
            };
            errors.push(document.error(at(key), fault));
        }
        let password_hash = match password_hash(
            document,
            &label,
            node,
            (keys.password_hash, keys.password_hash_file),
        ) {
            Err(error) => {
                errors.extend(error);
                return None;
            }
            Ok(hash) => hash,
        };
        let account = Self {
            email: keys
                .email
                .clone()
                .or_else(|| keys.person.clone().filter(|person| is_address(person))),
            person: keys.person.or(keys.email),
            display_name: keys.display_name.unwrap_or_else(|| keys.name.clone()),
            name: keys.name,
            password_hash,
            realm: keys.realm,
            groups: keys.groups,
            administrator: keys.administrator,
        };
        read.is_complete.then_some(account)
    }

    /// The account as [`logout_identity::PasswordAccounts`] takes it.
    pub fn to_account(&self) -> PasswordAccount {
        let account = Account {
            realm: self.realm.clone(),
            name: self.name.clone(),
            person: self.person.clone().map(Person::new),
            email: self.email.clone(),
            display_name: self.display_name.clone(),
            groups: self.groups.clone(),
            administrator: self.administrator,
            version: None,
        };
        PasswordAccount {
            account,
            password_hash: self.password_hash.clone(),
        }
    }
}

/// The hash, as it is given or out of its file. No error where a wrong one is written, which was
/// said before.
fn password_hash(
    document: &Document,
    label: &str,
    node: &Node<'_>,
    given: (Option<String>, Option<PathBuf>),
) -> Result<Secret, Option<ConfigError>> {
    let at = |key: &str| {
        node.get_ref()
            .get(key)
            .map_or_else(|| node.span(), |value| value.span())
    };
    let (hash, source) = match given {
        (Some(hash), None) => (Secret::new(hash), "password_hash"),
        (None, Some(file)) => {
            let (file, source) = (document.resolve(&file), "password_hash_file");
            let key = format!("{label}.{source}");
            let fault = |fault: SecretFileError| ConfigErrorKind::SecretFile {
                key,
                file: file.clone(),
                reason: fault.to_string(),
            };
            (
                read_file(&file).map_err(|problem| document.error(at(source), fault(problem)))?,
                source,
            )
        }
        (None, None)
            if ["password_hash", "password_hash_file"]
                .iter()
                .any(|key| node.get_ref().get(*key).is_some()) =>
        {
            return Err(None);
        }
        (None, None) => {
            return Err(Some(document.error(
                node.span(),
                ConfigErrorKind::Missing(format!("{label}.password_hash")),
            )));
        }
        (Some(_), Some(_)) => {
            let both =
                ConfigErrorKind::Both("password_hash".to_owned(), "password_hash_file".to_owned());
            return Err(Some(document.error(at("password_hash_file"), both)));
        }
    };
    match parse_hash(hash.reveal()) {
        Ok(_) => Ok(hash),
        Err(fault) => {
            let reason = format!("{fault}; `logout-hub hash-password` prints what belongs here");
            Err(Some(document.error(
                at(source),
                ConfigErrorKind::Invalid {
                    key: format!("{label}.{source}"),
                    reason,
                },
            )))
        }
    }
}

fn label(node: &Node<'_>) -> String {
    match node
        .get_ref()
        .get("name")
        .and_then(|name| name.get_ref().as_str())
    {
        Some(name) if !name.is_empty() => format!("account.{name}"),
        _ => "account".to_owned(),
    }
}

fn default_realm() -> String {
    "Default".to_owned()
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    }) && !text.contains(char::is_whitespace)
}

fn masked<S: Serializer>(_: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(super::print::MASK)
}
