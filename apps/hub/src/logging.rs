//! Logs on standard error: text for people, or one JSON object per line.

use std::io::Write as _;

use env_logger::{Builder, Env};
use log::kv::{self, Key, Value, VisitSource};

use crate::config::LogFormat;

/// What is logged where `RUST_LOG` says nothing: warnings and what the hub itself reports. The
/// dispatcher calls every malformed request of a stranger an error, which would drown those that
/// are the hub's own.
const DEFAULT: &str = "warn,logout=info,actix_http::h1::dispatcher=off";

/// Starts logging. `RUST_LOG` decides what is logged, else [`DEFAULT`].
pub(crate) fn start(format: LogFormat) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(DEFAULT));
    if format == LogFormat::Json {
        builder.format(|out, record| {
            let mut object = Fields(serde_json::Map::new());
            object.put("time", jiff::Timestamp::now().to_string());
            object.put("level", record.level().as_str().to_lowercase());
            object.put("target", record.target().to_owned());
            object.put("message", record.args().to_string());
            // A value that cannot be read is left out; the line itself is worth more.
            let _ = record.key_values().visit(&mut object);
            writeln!(out, "{}", serde_json::Value::Object(object.0))
        });
    }
    // Somebody who embeds the hub may have a logger already, and then keeps it.
    let _ = builder.try_init();
}

struct Fields(serde_json::Map<String, serde_json::Value>);

impl Fields {
    fn put(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value.into());
    }
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.put(key.as_str(), value.to_string());
        Ok(())
    }
}
