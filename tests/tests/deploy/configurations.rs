//! Each configuration is one that the hub takes, in the place where it is to lie.

use std::fs;

use toml::Value;

use super::{hub, read, root, toml};

type Variables = &'static [(&'static str, &'static str)];

/// The configurations, with the variables that go with them, and the number of platforms.
const CONFIGURATIONS: [(&str, Variables, usize); 3] = [
    ("deploy/compose/hub.toml", &STORE, 2),
    ("deploy/kubernetes/hub.toml", &STORE, 2),
    ("deploy/systemd/hub.toml", &[], 0),
];

const STORE: [(&str, &str); 1] = [(
    "LOGOUT_HUB__STORE__URL",
    "postgres://hub:0123456789abcdef@database/hub",
)];

/// Checks a configuration and returns the warnings.
fn warnings(text: &str, environment: Variables, platforms: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let ended = hub(&["check-config", "--config", file], environment);
    let output = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(
        output,
        format!("ok: {platforms} platforms\n"),
        "{}",
        ended.stderr
    );
    ended.stderr
}

#[test]
fn every_configuration_passes_check_config() {
    for (path, environment, platforms) in CONFIGURATIONS {
        let warnings = warnings(&read(path), environment, platforms);
        // The package's own is to be filled in.
        assert_eq!(warnings.lines().count(), usize::from(platforms == 0));
    }
}

#[test]
fn what_is_commented_out_passes_too() {
    let text = read("deploy/systemd/hub.toml");
    let whole: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect();
    assert_eq!(warnings(&whole.join("\n"), &[], 1), "");
}

#[test]
fn every_file_of_keys_and_tokens_has_a_written_place_outside_the_configuration() {
    for (path, ..) in CONFIGURATIONS {
        let file = toml(path);
        for (section, key) in [
            ("server", "seal_key_file"),
            ("admin", "token_file"),
            ("admin", "check_token_file"),
        ] {
            let place = file[section].get(key).and_then(Value::as_str);
            assert!(
                place.is_some_and(|place| place.starts_with("/var/lib/logout-hub/")
                    || place.starts_with("/run/secrets/logout-hub/")),
                "{path}: {key}: {place:?}"
            );
        }
        let admin = file["admin"]["listen"].as_str();
        assert_eq!(admin, Some("127.0.0.1:8081"), "{path}");
    }
}

#[test]
fn no_configuration_is_left_out() {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join("deploy")).unwrap() {
        let file = folder.unwrap().path().join("hub.toml");
        if file.exists() {
            let file = file.strip_prefix(root()).unwrap().to_owned();
            found.push(file.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    assert_eq!(found, CONFIGURATIONS.map(|(path, ..)| path));
}
