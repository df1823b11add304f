//! `kill -9` in the middle of the work: what was acknowledged holds, nothing else is lost, nothing
//! is half done.
//!
//! Who is killed is this program again, in a process of its own and with a folder of its own.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod deliveries;
#[path = "../sessions/mod.rs"]
mod sessions;
mod sign_outs;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};

/// What a victim does, and where: only set for its process.
const WORK: &str = "LOGOUT_STORE_VICTIM";
const DIRECTORY: &str = "LOGOUT_STORE_VICTIM_DIRECTORY";

fn main() -> ExitCode {
    if let (Ok(work), Some(directory)) = (std::env::var(WORK), std::env::var_os(DIRECTORY)) {
        match work.as_str() {
            deliveries::WORK => deliveries::victim(directory.as_ref()),
            sign_outs::WORK => sign_outs::victim(directory.as_ref()),
            _ => return ExitCode::FAILURE,
        }
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 2] = [
        (
            "what_was_acknowledged_before_a_kill_stays_ended_and_nothing_is_half_ended",
            sign_outs::what_was_acknowledged_before_a_kill_stays_ended_and_nothing_is_half_ended,
        ),
        (
            "after_a_kill_no_delivery_is_lost_and_none_that_was_settled_comes_back",
            deliveries::after_a_kill_no_delivery_is_lost_and_none_that_was_settled_comes_back,
        ),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(
        &Arguments::from_args(),
        tests.into_iter().map(trial).collect(),
    )
    .exit_code()
}

/// A victim's word of what was acknowledged to it. One line, one system call.
fn say(word: &str, about: impl std::fmt::Display) {
    std::io::stdout()
        .lock()
        .write_all(format!("{word} {about}\n").as_bytes())
        .expect("the other process listens");
}

/// Has `work` done in `directory` by a victim, who is killed as soon as `heard` says so. `heard`
/// gets every word that came, those on the way at that moment included.
fn kill_amid(work: &str, directory: &Path, mut heard: impl FnMut(&str, &str) -> bool) {
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .env(WORK, work)
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the victim starts");
    let mut lines = BufReader::new(victim.stdout.take().expect("its output")).lines();
    let mut killed = false;
    while let Some(Ok(line)) = lines.next() {
        let Some((word, about)) = line.split_once(' ') else {
            continue;
        };
        if heard(word, about) && !killed {
            victim.kill().expect("it can be killed");
            killed = true;
        }
    }
    assert!(
        killed,
        "the victim came to its end by itself: {:?}",
        victim.wait()
    );
    victim.wait().expect("it is gone");
}
