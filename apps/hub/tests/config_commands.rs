//! The commands that need no server, as a shell sees them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

fn hub() -> Command {
    let mut command = Command::cargo_bin("logout-hub").unwrap();
    command.env_clear();
    command
}

fn folder_with(configuration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    folder
}

/// Runs a command over `hub.toml` in `folder` and returns its status, standard output and standard
/// error.
fn run(command: &str, folder: &Path, environment: &[(&str, &str)]) -> (i32, String, String) {
    let output = hub()
        .args([command, "--config", "hub.toml"])
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn hash(input: &[u8]) -> (i32, String, String) {
    let output = hub()
        .arg("hash-password")
        .write_stdin(input)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

const TWO_PLATFORMS: &str = r#"
[[platform]]
name = "one"
vendor = "sitefinity"
prefix = "/one"
[[platform]]
name = "two"
vendor = "sitefinity"
prefix = "/two"
"#;

#[test]
fn a_right_configuration_is_said_to_be_so_in_one_line() {
    let folder = folder_with(TWO_PLATFORMS);
    assert_eq!(
        run("check-config", folder.path(), &[]),
        (0, "ok: 2 platforms\n".to_owned(), String::new())
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "checking writes nothing"
    );
}

#[test]
fn a_wrong_configuration_is_status_two_and_its_line_on_standard_error() {
    let folder = folder_with(&format!("{TWO_PLATFORMS}default_provder = \"x\"\n"));
    let said = "hub.toml:10:1: unknown key `platform.two.default_provder`; did you mean `default_provider`?\n";
    for command in ["check-config", "print-config", "serve"] {
        assert_eq!(
            run(command, folder.path(), &[]),
            (2, String::new(), said.to_owned()),
            "{command}"
        );
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (status, output, said) = run("check-config", folder.path(), &[]);
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(said.starts_with("hub.toml: cannot be read: "), "{said}");
}

#[test]
fn the_environment_counts_and_a_variable_that_fits_nothing_is_named() {
    let folder = folder_with(TWO_PLATFORMS);
    let (status, printed, _) = run(
        "print-config",
        folder.path(),
        &[("LOGOUT_HUB__PLATFORM__ONE__REACH", "person")],
    );
    assert_eq!(
        (status, printed.matches("reach = \"person\"").count()),
        (0, 1),
        "{printed}"
    );
    let (status, _, said) = run(
        "check-config",
        folder.path(),
        &[("LOGOUT_HUB__SERVER__LISEN", "x")],
    );
    assert_eq!(status, 2);
    assert_eq!(
        said,
        "environment variable LOGOUT_HUB__SERVER__LISEN: unknown key `server.lisen`; did you mean `listen`?\n"
    );
}

#[test]
fn a_hashed_password_can_be_configured_and_is_not_printed() {
    let (status, output, _) = hash(b"correct horse\n");
    assert_eq!(status, 0);
    let folder = folder_with(&format!(
        "{TWO_PLATFORMS}[[account]]\nname = \"alice\"\npassword_hash = \"{}\"\n",
        output.trim_end()
    ));
    let (status, printed, said) = run("print-config", folder.path(), &[]);
    assert_eq!((status, said.as_str()), (0, ""));
    assert!(
        printed.contains("password_hash = \"***\"") && !printed.contains("argon2"),
        "{printed}"
    );
}

#[test]
fn a_password_on_standard_input_becomes_one_argon2id_line() {
    for input in [&b"x"[..], b"x\n", b"x\r\n"] {
        let (status, output, said) = hash(input);
        assert_eq!((status, said.as_str(), output.lines().count()), (0, "", 1));
        assert!(
            output.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{output}"
        );
    }
}

#[test]
fn an_empty_password_is_an_error() {
    for input in [&b""[..], b"\n", b"\r\n"] {
        assert_eq!(
            hash(input),
            (2, String::new(), "the password is empty\n".to_owned())
        );
    }
}
