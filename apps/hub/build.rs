//! Records which commit the program is built from.
//!
//! `LOGOUT_HUB_COMMIT` of the build's environment names it; packagers without a repository set it.
//! Else a release build asks git. Nothing is recorded from a source archive without a repository,
//! nor in a debug build, which each commit would make stale or compile anew.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the commit, to this script and to the program that is compiled.
const VARIABLE: &str = "LOGOUT_HUB_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let commit = env::var(VARIABLE)
        .ok()
        .filter(|commit| is_plain(commit))
        .or_else(of_repository);
    if let Some(commit) = commit {
        println!("cargo::rustc-env={VARIABLE}={commit}");
    }
}

/// Whether a commit is one word of a version's output.
fn is_plain(commit: &str) -> bool {
    !commit.is_empty() && commit.chars().all(|letter| letter.is_ascii_graphic())
}

/// The commit of the workspace's own repository, not of one that the workspace was unpacked in.
fn of_repository() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join("../..");
    if !workspace.join(".git").exists() {
        return None;
    }
    // It gets a line for each commit and each checkout.
    let log = git(&workspace, &["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={}", workspace.join(log).display());
    git(&workspace, &["rev-parse", "--short=12", "HEAD"])
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && is_plain(&text)).then_some(text)
}
