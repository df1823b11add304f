//! Moving from one store to another: `cargo test -p logout-tests --test copy_store [name]`.
//!
//! Each rule runs between several engines. What a machine lacks is listed at the end of the run;
//! see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]

mod command;
mod engine;
mod interrupted;
mod moved;
mod refused;

use std::process::ExitCode;

use logout_tests::skip::{Need, Run};

use engine::{Disk, Postgres, Redis};
use interrupted::a_copy_that_was_killed_is_finished_by_the_same_command;
use moved::everybody_goes_on_as_before_and_whoever_was_signed_out_stays_so;

macro_rules! between {
    ($run:expr; $case:ident; $($name:literal: $from:ty => $to:ty, [$($need:ident),*];)+) => {
        $($run.test(concat!($name, "::", stringify!($case)), &[$(Need::$need),*], $case::<$from, $to>);)+
    };
}

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    between! { run; everybody_goes_on_as_before_and_whoever_was_signed_out_stays_so;
        "disk_to_postgres": Disk => Postgres, [Postgres];
        "disk_to_redis": Disk => Redis, [Redis];
        "postgres_to_disk": Postgres => Disk, [Postgres];
        "postgres_to_redis": Postgres => Redis, [Postgres, Redis];
        "redis_to_disk": Redis => Disk, [Redis];
        "redis_to_postgres": Redis => Postgres, [Redis, Postgres];
        "disk_to_disk": Disk => Disk, [];
    }
    between! { run; a_copy_that_was_killed_is_finished_by_the_same_command;
        "disk_to_postgres": Disk => Postgres, [Postgres];
        "disk_to_redis": Disk => Redis, [Redis];
        "disk_to_disk": Disk => Disk, [];
    }
    run.test(
        "what_has_changed_at_the_source_since_it_was_copied_is_found",
        &[],
        interrupted::a_change_is_found,
    );
    run.test(
        "a_url_that_makes_no_sense_is_status_two_and_is_not_repeated",
        &[],
        refused::urls,
    );
    run.test(
        "a_store_that_cannot_be_opened_is_status_one_and_no_password_is_shown",
        &[],
        refused::unreachable,
    );
    run.test(
        "a_store_that_is_not_empty_is_not_filled",
        &[],
        refused::not_empty,
    );
    run.test("there_must_be_something_to_copy", &[], refused::nothing);
    run.finish()
}
