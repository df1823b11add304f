//! The image, and the Compose file.

use serde_json::{Value, json};

use super::{assert_is_a_command, read, root, toml, words, yaml};

const CONTAINERFILE: &str = "deploy/container/Containerfile";
const COMPOSE: &str = "deploy/compose/compose.yaml";

/// The instructions of a file for an image, without comments, each on one line.
fn instructions(path: &str) -> Vec<String> {
    let text = read(path);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instructions = text.lines().filter(|line| !line.is_empty());
    instructions
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What follows the word in the last stage.
fn last(instructions: &[String], word: &str) -> String {
    let found = instructions
        .iter()
        .rev()
        .take_while(|line| !line.starts_with("FROM "))
        .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {word}")).to_owned()
}

fn list(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_image_runs_the_hub_as_a_user_without_rights() {
    let image = instructions(CONTAINERFILE);
    assert_eq!(last(&image, "USER"), "65532:65532");
    let (entry, command) = (
        list(&last(&image, "ENTRYPOINT")),
        list(&last(&image, "CMD")),
    );
    assert_is_a_command(&[words(&entry), words(&command)].concat());
    let health = last(&image, "HEALTHCHECK");
    let (options, health) = health.split_once("CMD ").unwrap();
    // The command itself ends after five seconds, with a reason.
    assert!(options.contains("--timeout=6s"), "{options}");
    assert_is_a_command(&words(&list(health)));
}

#[test]
fn the_image_is_built_from_what_the_ignore_file_lets_in() {
    let ignored = read(".containerignore");
    let image = instructions(CONTAINERFILE);
    let copied = image
        .iter()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|paths| !paths.starts_with("--from"));
    let mut sources = 0;
    for paths in copied {
        let paths: Vec<&str> = paths.split(' ').collect();
        for path in &paths[..paths.len() - 1] {
            sources += 1;
            assert!(root().join(path).exists(), "{path}");
            assert!(
                ignored.lines().any(|line| line == format!("!{path}")),
                "{path}"
            );
        }
    }
    assert_eq!(ignored.matches('!').count(), sources);
    // Every member of the workspace is in there.
    for member in toml("Cargo.toml")["workspace"]["members"]
        .as_array()
        .unwrap()
    {
        let folder = member.as_str().unwrap().split('/').next().unwrap();
        assert!(
            image.contains(&format!("COPY {folder} {folder}")),
            "{member}"
        );
    }
}

#[test]
fn the_image_is_built_by_a_compiler_that_is_new_enough() {
    let least = toml("Cargo.toml")["workspace"]["package"]["rust-version"]
        .as_str()
        .unwrap()
        .to_owned();
    let image = instructions(CONTAINERFILE);
    let version = image
        .iter()
        .find_map(|line| line.strip_prefix("ARG RUST_VERSION="))
        .unwrap();
    let minor = |version: &str| -> u32 { version.split('.').nth(1).unwrap().parse().unwrap() };
    assert!(version.starts_with("1.") && minor(version) >= minor(&least));
}

#[test]
fn compose_runs_a_hub_without_rights_on_a_database_that_is_ready() {
    let file = yaml(COMPOSE);
    let hub = &file["services"]["hub"];
    assert_eq!(hub["user"], "65532:65532");
    assert_eq!(hub["read_only"], true);
    assert_eq!(hub["cap_drop"], json!(["ALL"]));
    assert_eq!(hub["security_opt"], json!(["no-new-privileges:true"]));
    assert_eq!(hub["ports"], json!(["127.0.0.1:8080:8080"]));
    assert_eq!(
        hub["depends_on"]["database"]["condition"],
        "service_healthy"
    );
    assert_eq!(hub["volumes"], json!(["hub:/var/lib/logout-hub"]));
    assert_eq!(hub["build"]["dockerfile"], CONTAINERFILE);
    let context = root().join("deploy/compose");
    let context = context.join(hub["build"]["context"].as_str().unwrap());
    assert!(context.join(CONTAINERFILE).exists());
    assert_eq!(hub["configs"][0]["target"], "/etc/logout-hub/hub.toml");
    assert_eq!(file["configs"]["hub"]["file"], "hub.toml");
    let database = &file["services"]["database"];
    assert_eq!(words(&database["healthcheck"]["test"])[1], "pg_isready");
    for volume in ["hub", "database"] {
        assert!(file["volumes"].get(volume).is_some(), "{volume}");
    }
}

#[test]
fn compose_gives_both_the_same_password_and_has_none_of_its_own() {
    let file = yaml(COMPOSE);
    let password = "${DATABASE_PASSWORD:?hexadecimal digits}";
    let settings = &file["services"]["database"]["environment"];
    assert_eq!(settings["POSTGRES_PASSWORD"], password);
    let url = format!(
        "postgres://{}:{password}@database/{}",
        settings["POSTGRES_USER"].as_str().unwrap(),
        settings["POSTGRES_DB"].as_str().unwrap()
    );
    let hub = &file["services"]["hub"];
    assert_eq!(hub["environment"]["LOGOUT_HUB__STORE__URL"], url.as_str());
}
