//! Several hubs on one store: `cargo test -p logout-tests --test shared_store [name]`.
//!
//! Each rule runs on every engine. What a machine lacks is listed at the end of the run; see
//! `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]

mod disks;
mod failover;
mod faults;
mod hubs;
mod logins;
mod logout_tokens;
#[allow(dead_code, reason = "the stores' own tests do more with it")]
#[path = "../../../crates/store/tests/postgres/pair.rs"]
mod pair;
mod receipts;
#[path = "../../../crates/store/tests/relay/mod.rs"]
mod relay;
#[allow(dead_code, reason = "the stores' own tests do more with it")]
#[path = "../../../crates/store/tests/sessions/mod.rs"]
mod sessions;
mod token_revocations;

use std::process::ExitCode;

use logout_engines::{postgres, redis};
use logout_tests::skip::{Need, Run};

/// A server that several hubs share.
trait Engine {
    fn start() -> Self;
    fn url(&self) -> String;
    /// As a power cut would.
    fn kill(&mut self);
    /// After [`Engine::kill`], on what was there.
    fn restart(&mut self);
    /// As a machine that is out of breath; `false` lets it go on.
    fn pause(&self, paused: bool);
    /// Takes no writes, or does again.
    fn read_only(&self, read_only: bool);
    /// How many commands or statements it has carried out, counted from the first call on.
    fn asked(&self) -> u64;
}

impl Engine for redis::Server {
    fn start() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn url(&self) -> String {
        self.url()
    }

    fn kill(&mut self) {
        self.kill();
    }

    fn restart(&mut self) {
        self.restart();
    }

    fn pause(&self, paused: bool) {
        self.signal(if paused { "-STOP" } else { "-CONT" });
    }

    fn read_only(&self, read_only: bool) {
        let of = if read_only { "127.0.0.1 1" } else { "NO ONE" };
        assert!(self.ask(&format!("REPLICAOF {of}")).contains("OK"));
    }

    fn asked(&self) -> u64 {
        let stats = self.ask("INFO stats");
        let count = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        count
            .and_then(|count| count.trim().parse().ok())
            .expect("a server counts its commands")
    }
}

impl Engine for postgres::Server {
    fn start() -> Self {
        Self::start()
    }

    fn url(&self) -> String {
        self.url("postgres")
    }

    fn kill(&mut self) {
        self.kill();
    }

    fn restart(&mut self) {
        self.go_on();
    }

    fn pause(&self, paused: bool) {
        self.pause(paused);
    }

    fn read_only(&self, read_only: bool) {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only}");
        self.sql("postgres", &set).expect("an administrator");
        self.sql("postgres", "SELECT pg_reload_conf()")
            .expect("an administrator");
    }

    fn asked(&self) -> u64 {
        // Once all statements are told, each that is carried out has a line of its own in the log.
        self.tell_statements();
        self.statements()
    }
}

macro_rules! on_every_engine {
    ($run:expr; $($module:ident::$case:ident)+) => {
        $(
            $run.test(
                concat!("redis::", stringify!($case)),
                &[Need::Redis],
                $module::$case::<redis::Server>,
            );
            $run.test(
                concat!("postgres::", stringify!($case)),
                &[Need::Postgres],
                $module::$case::<postgres::Server>,
            );
        )+
    };
}

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    on_every_engine! { run;
        hubs::what_is_signed_out_at_one_hub_is_dead_at_all_at_once
        hubs::clocks_five_minutes_apart_bring_nothing_back
        hubs::a_changed_password_ends_what_any_hub_opened_with_the_old_one
        hubs::deliveries_of_a_hub_that_is_gone_are_made_by_another
        hubs::two_hubs_tell_each_product_and_settle_once
        receipts::a_receipt_of_a_thousand_sessions_is_one_query_and_so_is_a_page_of_receipts
        logout_tokens::a_token_is_taken_once_by_all_hubs_together
        logout_tokens::a_token_that_one_hub_has_taken_is_refused_by_another_after_its_end
        logout_tokens::a_token_that_comes_while_the_engine_is_down_is_taken_when_it_is_back
        logout_tokens::a_token_that_comes_while_the_engine_takes_no_writes_is_taken_when_it_does
        logout_tokens::a_token_that_comes_while_the_engine_hangs_ends_its_session_at_last
        token_revocations::a_token_that_is_revoked_while_the_engine_is_down_lives_until_it_is_back
        token_revocations::a_token_that_is_revoked_while_the_engine_hangs_is_dead_at_last
        logins::wrong_passwords_are_counted_by_all_hubs_together
        hubs::while_the_engine_is_down_nothing_is_claimed_and_then_all_goes_on
        faults::while_the_engine_hangs_nothing_is_claimed_and_then_all_goes_on
        faults::while_the_engine_takes_no_writes_nothing_is_claimed_and_then_all_goes_on
    }
    run.test(
        "postgres::tables_are_made_by_the_command_alone_where_that_is_wanted",
        &[Need::Postgres],
        hubs::migrated_by_command,
    );
    run.test(
        "redis::a_full_server_takes_no_logins_and_still_signs_out",
        &[Need::Redis],
        disks::redis_full,
    );
    let small_disk = [Need::Postgres, Need::SmallDisk];
    run.test(
        "postgres::a_full_disk_is_told_and_left_behind_when_there_is_room_again",
        &small_disk,
        disks::data_full,
    );
    run.test(
        "postgres::a_full_disk_of_the_log_loses_nothing_that_was_acknowledged",
        &small_disk,
        disks::log_full,
    );
    run.test(
        "postgres::a_hub_finds_the_standby_that_was_promoted",
        &[Need::Postgres],
        failover::promoted,
    );
    run.test(
        "postgres::a_hub_is_not_ready_while_the_standby_is_gone",
        &[Need::Postgres],
        failover::standby_gone,
    );
    run.finish()
}
