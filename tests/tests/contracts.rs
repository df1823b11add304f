//! Every contract file, against a fresh stand-in on every store: `cargo test -p logout-tests --test
//! contracts [name]`.
//!
//! Each file is a test of its own for each store, so that a failure names the rule and where it
//! does not hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use logout_tests::contract;
use logout_tests::skip::Run;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let mut run = Run::from_environment();
    let mut files = 0;
    for vendor in folders(&folder) {
        let name = vendor
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for file in folders(&vendor).into_iter().filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "http")
        }) {
            let rule = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let vendor = name.clone();
            files += 1;
            run.on_every_store(&format!("{name}::{rule}"), &[], move |store| {
                let text = fs::read_to_string(&file)
                    .unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
                contract::run(&vendor, &text, store)
                    .unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
            });
        }
    }
    assert!(files > 0, "there are no contract files");
    run.finish()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    entries
}
