//! Overrides out of the environment.
//!
//! `LOGOUT_HUB__SECTION__KEY` sets a key of a section, `LOGOUT_HUB__PLATFORM__<name>__KEY` one of a
//! platform; more double underscores lead into nested tables. Names are compared without regard to
//! ASCII case, and `_` may stand for a hyphen or a dot of a platform's name, which shells do not
//! take. A value is TOML where it reads as TOML and fits, else plain text.

use toml::de::DeTable;

use super::document::{Override, Root, platforms};
use super::error::{ConfigError, ConfigErrorKind, Place, nearest};

const PREFIX: &str = "LOGOUT_HUB__";
const PLATFORM: &str = "platform";

/// The environment of this process. A value that is no UTF-8 gets replacement characters, so that
/// it cannot pass unnoticed.
pub fn of_process() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        })
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

/// The overrides that the environment holds for this document, in the order of their names, and the
/// variables that fit nothing.
pub(super) fn overrides(
    environment: impl IntoIterator<Item = (String, String)>,
    tree: &DeTable<'_>,
    sections: &[&'static str],
) -> (Vec<Override>, Vec<ConfigError>) {
    let mut ours: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    let (mut overrides, mut errors) = (Vec::new(), Vec::new());
    for (variable, value) in ours {
        match target(&variable[PREFIX.len()..], tree, sections) {
            Ok((root, path)) => overrides.push(Override {
                variable,
                value,
                root,
                path,
            }),
            Err(fault) => errors.push(ConfigError {
                place: Place::Variable(variable),
                fault,
            }),
        }
    }
    (overrides, errors)
}

fn target(
    rest: &str,
    tree: &DeTable<'_>,
    sections: &[&'static str],
) -> Result<(Root, Vec<String>), ConfigErrorKind> {
    let rest = rest.to_ascii_lowercase();
    let (first, below) = rest
        .split_once("__")
        .ok_or_else(|| ConfigErrorKind::Missing(format!("{rest}.<key>")))?;
    if first != PLATFORM {
        let section = sections
            .iter()
            .find(|section| **section == first)
            .ok_or_else(|| unknown_section(first, sections))?;
        return Ok((Root::Section(section), keys(section, below)?));
    }
    let named = platforms(tree)
        .iter()
        .enumerate()
        .filter_map(|(index, node)| {
            let name = node.get_ref().as_table()?.get("name")?.get_ref().as_str()?;
            let key = as_in_variables(below)
                .strip_prefix(&as_in_variables(name))?
                .strip_prefix("__")
                .map(str::to_owned)?;
            Some((name.len(), index, key))
        });
    // The longest name wins: `shop` is the beginning of `shop__eu` too.
    let (length, index, _) = named
        .max_by_key(|(length, ..)| *length)
        .ok_or_else(|| unknown_platform(below, tree))?;
    Ok((Root::Platform(index), keys(PLATFORM, &below[length + 2..])?))
}

fn keys(table: &str, below: &str) -> Result<Vec<String>, ConfigErrorKind> {
    let path: Vec<String> = below.split("__").map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        Err(ConfigErrorKind::Missing(format!("{table}.<key>")))
    } else {
        Ok(path)
    }
}

fn as_in_variables(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '.'], "_")
}

fn unknown_section(name: &str, sections: &[&str]) -> ConfigErrorKind {
    let known: Vec<String> = sections
        .iter()
        .copied()
        .chain([PLATFORM])
        .map(str::to_owned)
        .collect();
    ConfigErrorKind::UnknownKey {
        key: name.to_owned(),
        nearest: nearest(name, known.iter().map(String::as_str)),
        known,
    }
}

fn unknown_platform(below: &str, tree: &DeTable<'_>) -> ConfigErrorKind {
    let name = below.split("__").next().unwrap_or(below);
    let named = |node: &super::document::Node<'_>| {
        Some(
            node.get_ref()
                .as_table()?
                .get("name")?
                .get_ref()
                .as_str()?
                .to_owned(),
        )
    };
    let known: Vec<String> = platforms(tree).iter().filter_map(named).collect();
    ConfigErrorKind::UnknownKey {
        key: format!("{PLATFORM}.{name}"),
        nearest: nearest(name, known.iter().map(String::as_str)),
        known,
    }
}
