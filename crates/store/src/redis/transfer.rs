//! The server as the beginning or the end of a move.

mod arrival;

use async_trait::async_trait;
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};
use redis::Value;

use super::RedisStore;
use super::bucket::{Range, array, beyond, bytes, millis, number, optional};
use super::link::LinkError;
use super::listing::CHUNK;
use super::places::Places;
use super::record::{self, RecordError, Row};
use super::script;
use super::sessions::OF_HUBS;

/// Where the mark lies: names of agreed values begin otherwise.
const MARK: &[u8] = b"a:mark";

#[async_trait]
impl Transfer for RedisStore {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        self.run(async move |places| places.export(from, limit, now).await)
            .await
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.run(async move |places| places.import(records, now).await)
            .await
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        self.run(async move |places| places.size_hint().await).await
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.run(async move |places| places.bucket(0).record(MARK).await)
            .await
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        self.run(async move |places| places.set_checkpoint(checkpoint).await)
            .await
    }
}

/// Where a part begins: in the keys of a bucket, as the server's own cursor has it, or behind an
/// id.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Place {
    Keys {
        bucket: u16,
        cursor: Vec<u8>,
    },
    Receipts {
        before: Option<[u8; 16]>,
    },
    Deliveries {
        bucket: u16,
        after: Option<[u8; 16]>,
    },
    Sessions {
        bucket: u16,
        after: Option<[u8; 16]>,
    },
}

impl Place {
    fn first() -> Self {
        Self::Keys {
            bucket: 0,
            cursor: b"0".to_vec(),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<3>()?;
        let bucket = u16::from_be_bytes([head[1], head[2]]);
        let id = if rest.is_empty() {
            None
        } else {
            rest.try_into().ok()
        };
        match head[0] {
            0 => Some(Self::Keys {
                bucket,
                cursor: rest.to_vec(),
            }),
            1 => Some(Self::Receipts { before: id }),
            2 => Some(Self::Deliveries { bucket, after: id }),
            3 => Some(Self::Sessions { bucket, after: id }),
            _ => None,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let id = |id: &Option<[u8; 16]>| id.map(|id| id.to_vec()).unwrap_or_default();
        let (kind, bucket, rest) = match self {
            Self::Keys { bucket, cursor } => (0, *bucket, cursor.clone()),
            Self::Receipts { before } => (1, 0, id(before)),
            Self::Deliveries { bucket, after } => (2, *bucket, id(after)),
            Self::Sessions { bucket, after } => (3, *bucket, id(after)),
        };
        let [high, low] = bucket.to_be_bytes();
        [&[kind, high, low], rest.as_slice()].concat()
    }
}

impl Places {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, LinkError> {
        let mut place = match from {
            Some(bytes) => Some(Place::read(&bytes).ok_or(LinkError::Shape)?),
            None => Some(Place::first()),
        };
        let mut items = Vec::new();
        let mut steps = 0;
        // A store of little in many buckets takes few calls.
        while items.len() < limit.max(1) && steps < self.count() {
            let Some(here) = place else { break };
            place = self
                .step(here, limit.max(1) - items.len(), now, &mut items)
                .await?;
            steps += 1;
        }
        Ok(Part {
            items,
            next: place.map(|place| place.to_bytes()),
        })
    }

    /// Gives out what lies at `place`; says where to go on.
    async fn step(
        &self,
        place: Place,
        limit: usize,
        now: Timestamp,
        items: &mut Vec<Record>,
    ) -> Result<Option<Place>, LinkError> {
        let is_last = |bucket: u16| bucket + 1 >= self.count();
        Ok(Some(match place {
            Place::Keys { bucket, cursor } => {
                let cursor = self.dig(bucket, &cursor, limit, now, items).await?;
                match cursor.as_slice() {
                    b"0" if is_last(bucket) => Place::Receipts { before: None },
                    b"0" => Place::Keys {
                        bucket: bucket + 1,
                        cursor,
                    },
                    _ => Place::Keys { bucket, cursor },
                }
            }
            Place::Receipts { before } => {
                let page = self
                    .receipts(before.map(ReceiptId::from_bytes), limit.min(CHUNK))
                    .await?;
                items.extend(page.items.into_iter().map(Record::Receipt));
                match page.next {
                    Some(last) => Place::Receipts {
                        before: Some(*last.as_bytes()),
                    },
                    None => Place::Deliveries {
                        bucket: 0,
                        after: None,
                    },
                }
            }
            Place::Deliveries { bucket, after } => {
                let read = |id, bytes: &[u8]| {
                    Ok(Some(Record::Delivery(
                        Row::read(SessionId::from_bytes(id), bytes)?.delivery,
                    )))
                };
                match self
                    .listed(bucket, (b"D", "d:"), after, limit, items, read)
                    .await?
                {
                    None if is_last(bucket) => Place::Sessions {
                        bucket: 0,
                        after: None,
                    },
                    None => Place::Deliveries {
                        bucket: bucket + 1,
                        after: None,
                    },
                    after => Place::Deliveries { bucket, after },
                }
            }
            Place::Sessions { bucket, after } => {
                let read = |id, bytes: &[u8]| {
                    let session = record::read_session(SessionId::from_bytes(id), bytes)?;
                    Ok((!session.is_expired(now)).then_some(Record::Session(session)))
                };
                match self
                    .listed(bucket, (b"S", "s:"), after, limit, items, read)
                    .await?
                {
                    None if is_last(bucket) => return Ok(None),
                    None => Place::Sessions {
                        bucket: bucket + 1,
                        after: None,
                    },
                    after => Place::Sessions { bucket, after },
                }
            }
        }))
    }

    /// What an index lists behind `after`. The last id that was looked at, where there is more.
    async fn listed(
        &self,
        bucket: u16,
        (index, records): (&[u8], &'static str),
        after: Option<[u8; 16]>,
        limit: usize,
        items: &mut Vec<Record>,
        read: impl Fn([u8; 16], &[u8]) -> Result<Option<Record>, RecordError>,
    ) -> Result<Option<[u8; 16]>, LinkError> {
        let from = beyond(after.as_ref(), "-");
        let range = Range {
            index: index.to_vec(),
            from,
            until: b"+".to_vec(),
            newest_first: false,
            records,
        };
        let found = self.bucket(bucket).page(&range, limit.min(CHUNK)).await?;
        for (id, bytes) in found.items.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            items.extend(read(*id, bytes)?);
        }
        Ok(found.items.last().map(|(id, _)| *id).filter(|_| found.more))
    }

    /// What no index lists. The next cursor.
    async fn dig(
        &self,
        bucket: u16,
        cursor: &[u8],
        limit: usize,
        now: Timestamp,
        items: &mut Vec<Record>,
    ) -> Result<Vec<u8>, LinkError> {
        let count = limit.to_string();
        let arguments: [&[u8]; 3] = [cursor, count.as_bytes(), &millis(now)];
        let mut answer =
            array(self.bucket(bucket).read(&script::DIG, &arguments).await?)?.into_iter();
        let cursor = bytes(answer.next().ok_or(LinkError::Shape)?)?;
        let mut next = || optional(answer.next().unwrap_or(Value::Nil));
        while let Some(kind) = next()? {
            let (name, value) = (
                next()?.ok_or(LinkError::Shape)?,
                next()?.ok_or(LinkError::Shape)?,
            );
            items.extend(dug(&kind, name, value, now)?);
        }
        Ok(cursor)
    }

    async fn size_hint(&self) -> Result<u64, LinkError> {
        let counts = self.everywhere(|bucket| async move {
            let mut sum = 0;
            for index in [b"S", b"D", b"R"] {
                let key = [bucket.base.as_slice(), index].concat();
                let mut command = redis::cmd("ZCARD");
                command.arg(&key);
                sum += u64::try_from(number(Some(bucket.link.send(command, &key, false).await?))?)
                    .unwrap_or_default();
            }
            Ok(sum)
        });
        Ok(counts.await?.into_iter().sum())
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), LinkError> {
        let key = [&self.bucket(0).base, MARK].concat();
        let command = match checkpoint {
            Some(mark) => redis::cmd("SET").arg(&key).arg(mark).to_owned(),
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
            let (session, expires) = value.split_first_chunk().ok_or(LinkError::Shape)?;
            let expires = Timestamp::from_millis(u64::from_be_bytes(
                expires.try_into().map_err(|_| LinkError::Shape)?,
            ));
            Some(Record::Tombstone(Tombstone {
                digest: digest(name)?,
                session: SessionId::from_bytes(*session),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        for id in [None, Some([7; 16])] {
            for place in [
                Place::Keys {
                    bucket: 300,
                    cursor: b"1234".to_vec(),
                },
                Place::Receipts { before: id },
                Place::Deliveries {
                    bucket: 1,
                    after: id,
                },
                Place::Sessions {
                    bucket: 2,
                    after: id,
                },
            ] {
                assert_eq!(Place::read(&place.to_bytes()), Some(place));
            }
        }
        assert_eq!((Place::read(b""), Place::read(&[9, 0, 0])), (None, None));
    }
}
