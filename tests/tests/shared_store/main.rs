//! Several hubs on one store: `cargo test -p logout-tests --test shared_store [name]`.
//!
//! Each rule runs on every engine. What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up should stop")]
// The servers are those of the stores' own tests, which do more with them.
#![allow(dead_code, reason = "shared with the stores' own tests")]

#[path = "../single_logout/front.rs"]
mod front;
mod hubs;
#[path = "../../../crates/store/tests/postgres/server.rs"]
mod postgres;
#[path = "../../../crates/store/tests/redis/server.rs"]
mod redis;

use std::process::ExitCode;

use logout_tests::skip::{Need, Run};

/// A server that several hubs share.
trait Engine {
    fn start() -> Self;
    fn url(&self) -> String;
    /// As a power cut would.
    fn kill(&mut self);
    /// After [`Engine::kill`], on what was there.
    fn restart(&mut self);
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
}

macro_rules! on_every_engine {
    ($run:expr; $($case:ident)+) => {
        $(
            $run.test(concat!("redis::", stringify!($case)), &[Need::Redis], hubs::$case::<redis::Server>);
            $run.test(concat!("postgres::", stringify!($case)), &[Need::Postgres], hubs::$case::<postgres::Server>);
        )+
    };
}

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    on_every_engine! { run;
        what_is_signed_out_at_one_hub_is_dead_at_all_at_once
        clocks_five_minutes_apart_bring_nothing_back
        deliveries_of_a_hub_that_is_gone_are_made_by_another
        two_hubs_tell_each_product_and_settle_once
        while_the_engine_is_down_nothing_is_claimed_and_then_all_goes_on
    }
    run.test("postgres::tables_are_made_by_the_command_alone_where_that_is_wanted", &[Need::Postgres], hubs::migrated_by_command);
    run.finish()
}
