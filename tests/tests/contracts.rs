//! Every contract file, against a fresh stand-in: `cargo test -p logout-tests --test contracts [name]`.
//!
//! Each file is a test of its own, so that a failure names the rule.

use libtest_mimic::{Arguments, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let mut trials = Vec::new();
    for vendor in folders(&folder) {
        let name = vendor.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for file in folders(&vendor).into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "http")) {
            let rule = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let vendor = name.clone();
            trials.push(Trial::test(format!("{name}::{rule}"), move || {
                let text = fs::read_to_string(&file)?;
                logout_tests::contract::run(&vendor, &text).map_err(|fault| format!("{}: {fault}", file.display()).into())
            }));
        }
    }
    assert!(!trials.is_empty(), "there are no contract files");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}
