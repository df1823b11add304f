//! One shard: sessions, tombstones, indexes, receipts and deliveries whose keys share a hash slot,
//! so that a script changes all of them in one atomic step.

use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use redis::Value;

use super::commit::{Commit, delivery_name};
use super::link::{Link, LinkError};
use super::record::{self, exact};
use super::script::{self, Script};
use crate::rules::OutboxRow;

/// A shard of a store.
pub(super) struct Shard<'a> {
    pub(super) link: &'a Link,
    /// The beginning of its keys.
    pub(super) base: Vec<u8>,
}

/// Which ids of an index to read.
pub(super) struct Range {
    /// `ZRANGEBYLEX` or one of its kin.
    pub(super) command: &'static str,
    /// The index, behind the shard's name.
    pub(super) index: Vec<u8>,
    /// The bounds in the order in which the command takes them. Of ids: `-`, `+`, or `(` and an id.
    pub(super) from: Vec<u8>,
    pub(super) until: Vec<u8>,
    /// What the keys of the records begin with.
    pub(super) records: &'static str,
}

impl Range {
    /// All that lies behind an id; from the first where it is empty.
    pub(super) fn of(index: &[u8], records: &'static str, after: &[u8]) -> Self {
        Self {
            command: "ZRANGEBYLEX",
            index: index.to_vec(),
            from: beyond(after, "-"),
            until: b"+".to_vec(),
            records,
        }
    }
}

/// Records in the order of an index.
pub(super) struct Records {
    /// Ids, and their records as far as they are there.
    pub(super) items: Vec<([u8; 16], Option<Vec<u8>>)>,
    /// Whether the index may have more behind these.
    pub(super) more: bool,
}

impl Records {
    /// Ids without a record.
    pub(super) fn gone(&self) -> Vec<[u8; 16]> {
        let gone = self.items.iter().filter(|(_, record)| record.is_none());
        gone.map(|(id, _)| *id).collect()
    }

    /// The id behind which the index goes on, where there is more.
    pub(super) fn next(&self) -> Option<Vec<u8>> {
        let last = self.items.last().filter(|_| self.more);
        last.map(|(id, _)| id.to_vec())
    }
}

/// The bound that leaves out `id` itself; `otherwise` where it is empty.
pub(super) fn beyond(id: &[u8], otherwise: &str) -> Vec<u8> {
    if id.is_empty() {
        return otherwise.as_bytes().to_vec();
    }
    [b"(", id].concat()
}

/// Milliseconds as the server reads them.
pub(super) fn millis(at: Timestamp) -> Vec<u8> {
    exact(at).to_string().into_bytes()
}

impl Shard<'_> {
    pub(super) fn key(&self, name: &[u8]) -> Vec<u8> {
        [&self.base, name].concat()
    }

    pub(super) async fn read(
        &self,
        script: &Script,
        arguments: &[impl AsRef<[u8]>],
    ) -> Result<Value, LinkError> {
        self.link.run(script, &self.base, arguments, false).await
    }

    pub(super) async fn write(
        &self,
        script: &Script,
        arguments: &[impl AsRef<[u8]>],
    ) -> Result<Value, LinkError> {
        self.link.run(script, &self.base, arguments, true).await
    }

    pub(super) async fn record(&self, name: &[u8]) -> Result<Option<Vec<u8>>, LinkError> {
        let key = self.key(name);
        let mut command = redis::cmd("GET");
        command.arg(&key);
        optional(self.link.send(command, &key, false).await?)
    }

    pub(super) async fn take(&self, name: &[u8]) -> Result<Option<Vec<u8>>, LinkError> {
        let key = self.key(name);
        let mut command = redis::cmd("GETDEL");
        command.arg(&key);
        optional(self.link.send(command, &key, true).await?)
    }

    /// Writes something small and takes it away again.
    pub(super) async fn probe(&self) -> Result<(), LinkError> {
        let key = self.key(b"h");
        let (mut set, mut delete) = (redis::cmd("SET"), redis::cmd("DEL"));
        set.arg(&key).arg("1").arg("PX").arg(60_000);
        delete.arg(&key);
        self.link.send(set, &key, true).await?;
        self.link.send(delete, &key, true).await?;
        Ok(())
    }

    pub(super) async fn page(&self, range: &Range, count: usize) -> Result<Records, LinkError> {
        let wanted = count.to_string();
        let arguments: [&[u8]; 6] = [
            range.command.as_bytes(),
            &range.index,
            &range.from,
            &range.until,
            wanted.as_bytes(),
            range.records.as_bytes(),
        ];
        let [ids, records] = array(self.read(&script::PAGE, &arguments).await?)?
            .try_into()
            .map_err(|_| LinkError::Shape)?;
        let (ids, records) = (array(ids)?, array(records)?);
        let more = ids.len() >= count;
        let read = |(id, record)| Ok((id_of(id)?, optional(record)?));
        let items = ids.into_iter().zip(records).map(read);
        Ok(Records {
            items: items.collect::<Result<_, LinkError>>()?,
            more,
        })
    }

    /// Takes out of an index what has no record any more.
    pub(super) async fn prune(
        &self,
        index: &[u8],
        records: &'static str,
        gone: &[[u8; 16]],
    ) -> Result<(), LinkError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::default();
        for id in gone {
            commit.expect(&[records.as_bytes(), id].concat(), None);
        }
        let ids: Vec<_> = gone.iter().map(<[u8; 16]>::as_slice).collect();
        commit.add("ZREM", index, &ids);
        // If one has come back, the next reader tries again.
        commit.send_without_waiting(self).await.map(drop)
    }

    /// What is queued soonest for `platform`: instants, not later than `until`, at most `limit`.
    pub(super) async fn queued(
        &self,
        platform: &PlatformName,
        until: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Timestamp>, LinkError> {
        let key = self.key(&[b"q:", platform.as_str().as_bytes()].concat());
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command
            .arg(&key)
            .arg("-inf")
            .arg(until.map_or_else(|| b"+inf".to_vec(), millis))
            .arg("WITHSCORES");
        command.arg("LIMIT").arg(0).arg(limit);
        let answer = array(self.link.send(command, &key, false).await?)?;
        // Pairs in the one protocol, members and scores in turn in the other.
        let words = answer.into_iter().flat_map(|value| match value {
            Value::Array(pair) => pair,
            word => vec![word],
        });
        words.skip(1).step_by(2).map(instant).collect()
    }

    /// For when a delivery is queued, if it is.
    pub(super) async fn queued_at(&self, row: &OutboxRow) -> Result<Option<Timestamp>, LinkError> {
        let key = self.key(&[b"q:", row.delivery.platform.as_str().as_bytes()].concat());
        let mut command = redis::cmd("ZSCORE");
        command.arg(&key).arg(row.delivery.session.as_bytes());
        match self.link.send(command, &key, false).await? {
            Value::Nil => Ok(None),
            score => instant(score).map(Some),
        }
    }

    pub(super) async fn delivery(
        &self,
        session: SessionId,
    ) -> Result<Option<(OutboxRow, Vec<u8>)>, LinkError> {
        let Some(record) = self.record(&delivery_name(session)).await? else {
            return Ok(None);
        };
        Ok(Some((record::read_delivery(session, &record)?, record)))
    }

    /// The records of these names, in the same order.
    pub(super) async fn records(
        &self,
        names: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, LinkError> {
        let keys: Vec<_> = names.into_iter().map(|name| self.key(&name)).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("MGET");
        command.arg(&keys);
        let records = array(self.link.send(command, &self.base, false).await?)?;
        if records.len() != keys.len() {
            return Err(LinkError::Shape);
        }
        records.into_iter().map(optional).collect()
    }

    /// Puts a delivery in place of the record that was read, if it is still that.
    pub(super) async fn put_delivery(
        &self,
        row: &OutboxRow,
        read: &[u8],
    ) -> Result<bool, LinkError> {
        let mut commit = Commit::default();
        commit.expect(&delivery_name(row.delivery.session), Some(read));
        commit.put_delivery(row)?;
        commit.send(self).await
    }
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, LinkError> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(LinkError::Shape),
    }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, LinkError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(LinkError::Shape),
    }
}

pub(super) fn optional(value: Value) -> Result<Option<Vec<u8>>, LinkError> {
    match value {
        Value::Nil => Ok(None),
        value => bytes(value).map(Some),
    }
}

pub(super) fn number(value: Option<Value>) -> Result<i64, LinkError> {
    match value {
        Some(Value::Int(number)) => Ok(number),
        _ => Err(LinkError::Shape),
    }
}

pub(super) fn id_of(value: Value) -> Result<[u8; 16], LinkError> {
    bytes(value)?.try_into().map_err(|_| LinkError::Shape)
}

fn instant(value: Value) -> Result<Timestamp, LinkError> {
    let score = match value {
        Value::Double(score) => score,
        Value::BulkString(text) => std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(LinkError::Shape)?,
        _ => return Err(LinkError::Shape),
    };
    Ok(Timestamp::from_millis(score as u64))
}
