//! The build script, run in folders with a repository and without one.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The compiled build script.
struct Script {
    folder: TempDir,
}

impl Script {
    fn compile() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut compile = Command::new(rustc);
        compile
            .args(["--edition", "2024", "-o"])
            .arg(folder.path().join("script"));
        assert!(compile.arg(source).status().unwrap().success());
        Self { folder }
    }

    /// A folder as of a workspace.
    fn workspace(&self, name: &str) -> PathBuf {
        let workspace = self.folder.path().join(name);
        std::fs::create_dir_all(workspace.join("apps/hub")).unwrap();
        workspace
    }

    /// The commit that a build there records.
    fn commit(&self, workspace: &Path, profile: &str, named: Option<&str>) -> Option<String> {
        let mut script = Command::new(self.folder.path().join("script"));
        script
            .env("CARGO_MANIFEST_DIR", workspace.join("apps/hub"))
            .env("PROFILE", profile)
            .env_remove("LOGOUT_HUB_COMMIT");
        if let Some(named) = named {
            script.env("LOGOUT_HUB_COMMIT", named);
        }
        let output = script.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix("cargo::rustc-env=LOGOUT_HUB_COMMIT="))
            .map(str::to_owned)
    }
}

/// `None` where there is no git.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=A", "-c", "user.email=a@example.com", "-C"]);
    let output = git.arg(folder).args(arguments).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_commit_is_named_by_the_environment_or_by_the_workspaces_own_repository() {
    let script = Script::compile();
    let archive = script.workspace("archive");
    assert_eq!(script.commit(&archive, "release", None), None);
    assert_eq!(script.commit(&archive, "release", Some("")), None);
    for profile in ["release", "debug"] {
        let named = script.commit(&archive, profile, Some("0123abc"));
        assert_eq!(named.as_deref(), Some("0123abc"));
    }
    for bad in ["a b", "a\ncargo::rustc-env=X=y"] {
        assert_eq!(script.commit(&archive, "release", Some(bad)), None);
    }

    let repository = script.workspace("repository");
    if git(&repository, &["init", "--quiet"]).is_none() {
        return;
    }
    assert_eq!(
        script.commit(&repository, "release", None),
        None,
        "nothing is committed"
    );
    git(
        &repository,
        &["commit", "--quiet", "--allow-empty", "-m", "x"],
    );
    let commit = git(&repository, &["rev-parse", "HEAD"]).unwrap();
    let recorded = script.commit(&repository, "release", None).unwrap();
    assert!(
        recorded.len() >= 12 && commit.starts_with(&recorded),
        "{recorded} {commit}"
    );
    assert_eq!(script.commit(&repository, "debug", None), None);

    // Unpacked in somebody else's repository.
    let inner = script.workspace("repository/unpacked");
    assert_eq!(script.commit(&inner, "release", None), None);
}
