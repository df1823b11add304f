//! One shard: sessions, tombstones, indexes, receipts and deliveries whose keys share a hash slot,
//! so that a script changes all of them in one atomic step.

use logout_core::delivery::Delivery;
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use redis::Value;

use super::link::{Link, LinkError};
use super::record::{Row, exact};
use super::script::{self, Script};

/// A shard of a store.
pub(super) struct Shard<'a> {
    pub(super) link: &'a Link,
    /// The beginning of its keys.
    pub(super) base: Vec<u8>,
}

/// Which ids of an index to read.
pub(super) struct Range {
    /// The index, behind the shard's name.
    pub(super) index: Vec<u8>,
    /// Lexical bounds as the server takes them: `-`, `+`, or `(` and an id.
    pub(super) from: Vec<u8>,
    pub(super) until: Vec<u8>,
    pub(super) newest_first: bool,
    /// What the keys of the records begin with.
    pub(super) records: &'static str,
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
        let backwards: &[u8] = if range.newest_first { b"1" } else { b"0" };
        let arguments: [&[u8]; 6] = [
            &range.index,
            &range.from,
            &range.until,
            wanted.as_bytes(),
            range.records.as_bytes(),
            backwards,
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
        let mut arguments = vec![index, records.as_bytes()];
        arguments.extend(gone.iter().map(<[u8; 16]>::as_slice));
        // Without waiting for replicas: it may be done again.
        self.read(&script::PRUNE, &arguments).await.map(drop)
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
        answer
            .into_iter()
            .enumerate()
            .filter_map(|(index, value)| match value {
                Value::Array(pair) => Some(instant(pair.into_iter().nth(1))),
                value if index % 2 == 1 => Some(instant(Some(value))),
                _ => None,
            })
            .collect()
    }

    pub(super) async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Row>, LinkError> {
        let limit = limit.to_string();
        let arguments: [&[u8]; 4] = [
            platform.as_str().as_bytes(),
            &millis(now),
            limit.as_bytes(),
            &millis(until),
        ];
        let mut answer = array(self.write(&script::LEASE, &arguments).await?)?.into_iter();
        let mut rows = Vec::with_capacity(answer.len() / 2);
        while let Some(id) = answer.next() {
            let record = bytes(answer.next().ok_or(LinkError::Shape)?)?;
            // One that this program cannot read stays leased until its time is over, and in
            // nobody's way.
            match Row::read(SessionId::from_bytes(id_of(id)?), &record) {
                Ok(row) => rows.push(row),
                Err(fault) => log::error!("{fault}"),
            }
        }
        Ok(rows)
    }

    pub(super) async fn delivery(
        &self,
        session: SessionId,
    ) -> Result<Option<(Row, Vec<u8>)>, LinkError> {
        let record = self
            .record(&[b"d:", session.as_bytes().as_slice()].concat())
            .await?;
        Ok(record
            .map(|record| Row::read(session, &record).map(|row| (row, record)))
            .transpose()?)
    }

    /// The deliveries of these sessions, in the same order.
    pub(super) async fn deliveries(
        &self,
        sessions: &[SessionId],
    ) -> Result<Vec<Option<Delivery>>, LinkError> {
        let mut command = redis::cmd("MGET");
        for session in sessions {
            command.arg(self.key(&[b"d:", session.as_bytes().as_slice()].concat()));
        }
        let records = array(self.link.send(command, &self.base, false).await?)?;
        if records.len() != sessions.len() {
            return Err(LinkError::Shape);
        }
        let read = |(session, record)| {
            Ok(optional(record)?
                .map(|record| Row::read(session, &record))
                .transpose()?
                .map(|row| row.delivery))
        };
        sessions.iter().copied().zip(records).map(read).collect()
    }

    /// Puts `new` in shard of the record `read`; where `free` is given, queues it only if it was
    /// queued for that instant.
    pub(super) async fn change(
        &self,
        row: &Row,
        read: &[u8],
        due: Option<Timestamp>,
        free: Option<Timestamp>,
    ) -> Result<bool, LinkError> {
        self.exchange(row, read, &row.to_bytes()?, due, free).await
    }

    pub(super) async fn forget(&self, row: &Row, read: &[u8]) -> Result<bool, LinkError> {
        self.exchange(row, read, b"", None, None).await
    }

    async fn exchange(
        &self,
        row: &Row,
        read: &[u8],
        new: &[u8],
        due: Option<Timestamp>,
        free: Option<Timestamp>,
    ) -> Result<bool, LinkError> {
        let (due, free) = (
            due.map(millis).unwrap_or_default(),
            free.map(millis).unwrap_or_default(),
        );
        let platform = row.delivery.platform.as_str().as_bytes();
        let arguments: [&[u8]; 6] = [
            row.delivery.session.as_bytes(),
            read,
            new,
            platform,
            &due,
            &free,
        ];
        Ok(number(Some(self.write(&script::CHANGE, &arguments).await?))? == 1)
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

fn instant(value: Option<Value>) -> Result<Timestamp, LinkError> {
    let score = match value {
        Some(Value::Double(score)) => score,
        Some(Value::BulkString(text)) => std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(LinkError::Shape)?,
        _ => return Err(LinkError::Shape),
    };
    Ok(Timestamp::from_millis(score as u64))
}
