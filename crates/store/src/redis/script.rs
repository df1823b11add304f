//! The scripts, each one atomic step in one shard. The server keeps them by digest and may forget
//! them at any time.

use std::sync::LazyLock;

use redis::Cmd;

/// A script and its digest.
#[derive(Debug)]
pub(super) struct Script {
    source: String,
    digest: String,
}

impl Script {
    fn new(body: &str) -> Self {
        let source = [include_str!("lua/common.lua"), body].concat();
        let digest = redis::Script::new(&source).get_hash().to_owned();
        Self { source, digest }
    }

    pub(super) fn by_digest(&self, base: &[u8], arguments: &[impl AsRef<[u8]>]) -> Cmd {
        Self::call("EVALSHA", &self.digest, base, arguments)
    }

    /// With its source, which the server keeps from then on.
    pub(super) fn in_full(&self, base: &[u8], arguments: &[impl AsRef<[u8]>]) -> Cmd {
        Self::call("EVAL", &self.source, base, arguments)
    }

    fn call(command: &str, script: &str, base: &[u8], arguments: &[impl AsRef<[u8]>]) -> Cmd {
        let mut call = redis::cmd(command);
        call.arg(script).arg(1).arg(base);
        for argument in arguments {
            call.arg(argument.as_ref());
        }
        call
    }
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file, ".lua"))));)+
    };
}

scripts! {
    COMMIT = "commit";
    DIG = "dig";
    END = "end";
    LOOK_UP = "look_up";
    PAGE = "page";
    PUT_ONCE = "put_once";
}
