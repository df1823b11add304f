//! The server as the source of a move, and both ends' common calls.

use async_trait::async_trait;
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};
use redis::Value;

use super::RedisStore;
use super::cursor::{Cursor, Phase};
use super::link::LinkError;
use super::listing::CHUNK;
use super::record;
use super::script;
use super::sessions::OF_HUBS;
use super::shard::{Range, array, bytes, millis, number, optional};
use super::shards::Shards;

/// Where the checkpoint lies: names of agreed values begin otherwise.
const CHECKPOINT: &[u8] = b"a:mark";

#[async_trait]
impl Transfer for RedisStore {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        self.run(async move |shards| shards.export(from, limit, now).await)
            .await
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.run(async move |shards| shards.import(records, now).await)
            .await
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        self.run(async move |shards| shards.size_hint().await).await
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.run(async move |shards| shards.shard(0).record(CHECKPOINT).await)
            .await
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        self.run(async move |shards| shards.set_checkpoint(checkpoint).await)
            .await
    }
}

impl Shards {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, LinkError> {
        let mut next = match from {
            Some(bytes) => Some(Cursor::read(&bytes).ok_or(LinkError::Shape)?),
            None => Some(Cursor::first(Phase::Keys)),
        };
        let limit = limit.max(1);
        let mut items = Vec::new();
        // A store of little in many shards takes few calls.
        for _ in 0..self.count() {
            let Some(cursor) = next.take_if(|_| items.len() < limit) else {
                break;
            };
            let wanted = limit - items.len();
            next = match cursor.phase {
                Phase::Keys => {
                    let last = self.dig(&cursor, wanted, now, &mut items).await?;
                    cursor.advance(last, self.count())
                }
                // All shards at once, because a receipt may have parts in several.
                Phase::Receipts => {
                    let before = cursor.after.as_slice().try_into().ok();
                    let page = self
                        .receipts(before.map(ReceiptId::from_bytes), wanted.min(CHUNK))
                        .await?;
                    items.extend(page.items.into_iter().map(Record::Receipt));
                    let last = page.next.map(|last| last.as_bytes().to_vec());
                    cursor.advance(last, 1)
                }
                Phase::Deliveries | Phase::Sessions => {
                    let last = self.listed(&cursor, wanted, now, &mut items).await?;
                    cursor.advance(last, self.count())
                }
            };
        }
        Ok(Part {
            items,
            next: next.map(|cursor| cursor.to_bytes()),
        })
    }

    /// The deliveries or sessions behind the cursor. The last id that was looked at, where there is
    /// more.
    async fn listed(
        &self,
        cursor: &Cursor,
        limit: usize,
        now: Timestamp,
        items: &mut Vec<Record>,
    ) -> Result<Option<Vec<u8>>, LinkError> {
        let (index, records) = cursor.phase.index();
        let range = Range::of(index, records, &cursor.after);
        let found = self
            .shard(cursor.shard)
            .page(&range, limit.min(CHUNK))
            .await?;
        let next = found.next();
        for (id, record) in found.items {
            let (id, Some(record)) = (SessionId::from_bytes(id), record) else {
                continue;
            };
            if cursor.phase == Phase::Deliveries {
                let row = record::read_delivery(id, &record)?;
                items.push(Record::Delivery(row.delivery));
                continue;
            }
            let session = record::read_session(id, &record)?;
            if !session.is_expired(now) {
                items.push(Record::Session(session));
            }
        }
        Ok(next)
    }

    /// Records that no index lists. The server's next cursor, where there is more.
    async fn dig(
        &self,
        cursor: &Cursor,
        limit: usize,
        now: Timestamp,
        items: &mut Vec<Record>,
    ) -> Result<Option<Vec<u8>>, LinkError> {
        let from: &[u8] = if cursor.after.is_empty() {
            b"0"
        } else {
            &cursor.after
        };
        let count = limit.to_string();
        let arguments: [&[u8]; 3] = [from, count.as_bytes(), &millis(now)];
        let shard = self.shard(cursor.shard);
        let mut answer = array(shard.read(&script::DIG, &arguments).await?)?.into_iter();
        let next = bytes(answer.next().ok_or(LinkError::Shape)?)?;
        let mut field = || optional(answer.next().unwrap_or(Value::Nil));
        while let Some(kind) = field()? {
            let (Some(name), Some(value)) = (field()?, field()?) else {
                return Err(LinkError::Shape);
            };
            items.extend(dug(&kind, name, value, now)?);
        }
        Ok(Some(next).filter(|next| next != b"0"))
    }

    async fn size_hint(&self) -> Result<u64, LinkError> {
        let counts = self.everywhere(|shard| async move {
            let mut sum = 0;
            for index in [b"S", b"D", b"R"] {
                let key = [shard.base.as_slice(), index].concat();
                let mut command = redis::cmd("ZCARD");
                command.arg(&key);
                sum += u64::try_from(number(Some(shard.link.send(command, &key, false).await?))?)
                    .unwrap_or_default();
            }
            Ok(sum)
        });
        Ok(counts.await?.into_iter().sum())
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), LinkError> {
        let key = [&self.shard(0).base, CHECKPOINT].concat();
        let command = match checkpoint {
            Some(bytes) => redis::cmd("SET").arg(&key).arg(bytes).to_owned(),
            None => redis::cmd("DEL").arg(&key).to_owned(),
        };
        self.link.send(command, &key, true).await.map(drop)
    }
}

fn dug(
    kind: &[u8],
    name: Vec<u8>,
    value: Vec<u8>,
    now: Timestamp,
) -> Result<Option<Record>, LinkError> {
    let digest = |name: Vec<u8>| {
        name.try_into()
            .map(CredentialDigest::from_bytes)
            .map_err(|_| LinkError::Shape)
    };
    Ok(match kind {
        // Others are the store's own.
        b"a" => {
            let name = String::from_utf8(name).map_err(|_| LinkError::Shape)?;
            name.strip_prefix(OF_HUBS).map(|name| {
                Record::Agreed(Agreed {
                    name: name.to_owned(),
                    value,
                })
            })
        }
        b"c" => {
            let (session, expires) = record::read_credential(&value)?;
            Some(Record::Tombstone(Tombstone {
                digest: digest(name)?,
                session,
                expires,
            }))
        }
        b"v" => {
            let (expires, value) = record::read_once(&value)?;
            (expires > now).then_some(Record::Once(Once {
                key: digest(name)?,
                value: value.to_vec(),
                expires,
            }))
        }
        _ => return Err(LinkError::Shape),
    })
}
