//! Completions, manual pages and the version, as the program prints them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command as Process;

use assert_cmd::Command;
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;
use logout_hub::cli::Cli;

fn printed(arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("logout-hub").unwrap();
    let output = command
        .args(arguments)
        .assert()
        .success()
        .get_output()
        .clone();
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_shell_completes_every_command() {
    for shell in Shell::value_variants() {
        let script = printed(&["completions", &shell.to_string()]);
        for command in Cli::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{shell}: {}",
                command.get_name()
            );
        }
    }
}

#[test]
fn bash_takes_the_script_and_completes_a_command_and_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("completions.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let complete = r#"
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
specification=$(complete -p logout-hub)
function=${specification#*-F }
"${function%% *}" logout-hub "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;
    for (words, completed) in [
        (&["logout-hub", "check-c"][..], "check-config\n"),
        (&["logout-hub", "demo", "--ad"], "--admin\n"),
    ] {
        let mut bash = Process::new("bash");
        let ended = bash
            .args(["-euc", complete, "bash"])
            .arg(&script)
            .args(words)
            .output();
        let output = match ended {
            Err(fault) if fault.kind() == ErrorKind::NotFound => return,
            ended => ended.unwrap(),
        };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            completed,
            "{output:?}"
        );
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    assert_eq!(printed(&["man-pages", "--to", pages.to_str().unwrap()]), "");
    let mut command = Cli::command();
    command.build();
    let written = has_pages(&command, "logout-hub", &pages);
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), written);
    let program = std::fs::read_to_string(pages.join("logout-hub.1")).unwrap();
    assert!(
        !program.contains("commit:"),
        "pages are not of one build: {program}"
    );
}

/// The number of pages of a command and of those below it, each of which is there.
fn has_pages(command: &clap::Command, name: &str, pages: &Path) -> usize {
    let file = pages.join(format!("{name}.1"));
    let page = std::fs::read_to_string(&file).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let about = command.get_about().unwrap().to_string();
    let line = about
        .lines()
        .next()
        .unwrap()
        .replace('-', "\\-")
        .replace('\'', "\\*(Aq");
    for part in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", &line] {
        assert!(page.contains(part), "{name}: no {part:?} in {page}");
    }
    let below = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help");
    1 + below
        .map(|below| has_pages(below, &format!("{name}-{}", below.get_name()), pages))
        .sum::<usize>()
}

#[test]
fn pages_that_cannot_be_written_are_an_error_that_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut command = Command::cargo_bin("logout-hub").unwrap();
    let ended = command
        .arg("man-pages")
        .arg("--to")
        .arg(&file)
        .assert()
        .code(1);
    let error = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
    assert!(error.starts_with(file.to_str().unwrap()), "{error}");
}

#[test]
fn a_version_is_a_line_or_names_commit_features_and_stores() {
    let first = format!("logout-hub {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&["-V"]), first);
    let long = printed(&["--version"]);
    let rest = long.strip_prefix(&first).unwrap();
    let keys: Vec<&str> = rest
        .lines()
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(keys, ["commit", "features", "stores"], "{long}");
}
