//! A store of one process as the beginning or the end of a copy.

use async_trait::async_trait;
use logout_core::outbox::DeliveryFilter;
use logout_core::receipt::ReceiptId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Part, Record, Transfer};

use super::{Journal, LOOKS, LocalStore, Shelf};
use crate::model::{Archived, Key, Kind, Listed, merged};
use crate::record;

/// What is given out, in this order. A place is the number of one and the last key looked at there.
const SOURCES: [Source; 6] = [
    Source::Model(Kind::Agreed),
    Source::Model(Kind::Tombstones),
    Source::Model(Kind::Once),
    Source::Receipts,
    Source::Deliveries,
    Source::Model(Kind::Sessions),
];

#[derive(Clone, Copy)]
enum Source {
    Deliveries,
    Model(Kind),
    Receipts,
}

#[async_trait]
impl<J: Journal> Transfer for LocalStore<J> {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        let (number, after) = match from.as_deref().and_then(<[u8]>::split_first) {
            Some((number, key)) => (usize::from(*number), (!key.is_empty()).then_some(key)),
            None => (0, None),
        };
        let Some(source) = SOURCES.get(number) else {
            return Err(StoreUnavailable);
        };
        let listed = self.listed(*source, after, limit.max(1), now).await?;
        let place = |number: usize, key: &[u8]| {
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            [&[number], key].concat()
        };
        let next = match listed.next {
            Some(key) => Some(place(number, &key)),
            None => (number + 1 < SOURCES.len()).then(|| place(number + 1, &[])),
        };
        Ok(Part {
            items: listed.items,
            next,
        })
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        let archived = |archived: Archived| {
            let (shelf, key) = match archived {
                Archived::Delivery(session) => (Shelf::Deliveries, *session.as_bytes()),
                Archived::Receipt(id) => (Shelf::Receipts, *id.as_bytes()),
            };
            // An archive that cannot be read refuses below, when everything is durable.
            self.journal
                .archived(shelf, &key)
                .is_ok_and(|found| found.is_some())
        };
        self.change(|model| {
            records
                .into_iter()
                .try_for_each(|record| model.import(record, archived, now))
        })
        .await
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        let here = self.read(|model| Ok(model.size_hint())).await?;
        Ok(here.saturating_add(self.journal.archived_len()))
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.read(|model| Ok(model.checkpoint())).await
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        self.change(|model| model.set_checkpoint(checkpoint)).await
    }
}

#[expect(
    private_bounds,
    reason = "the journals of this crate are the only ones"
)]
impl<J: Journal> LocalStore<J> {
    async fn listed(
        &self,
        source: Source,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed<Record, Vec<u8>>, StoreUnavailable> {
        let key: Option<Key> = after.and_then(|key| key.try_into().ok());
        let items: Vec<(Key, Record)> = match source {
            Source::Model(kind) => {
                return self
                    .read(|model| model.export(kind, after, limit, LOOKS, now))
                    .await;
            }
            Source::Receipts => {
                let here = self
                    .read(|model| Ok(model.receipts_after(key, limit)))
                    .await?;
                let archived = self.journal.archived_after(Shelf::Receipts, key, limit)?;
                merged(here.into_iter().chain(archived), limit)
                    .into_iter()
                    .map(|(key, bytes)| {
                        let receipt = record::read_receipt(ReceiptId::from_bytes(key), &bytes)?;
                        Ok((key, Record::Receipt(receipt)))
                    })
                    .collect::<Result<_, record::RecordError>>()?
            }
            Source::Deliveries => {
                let all = DeliveryFilter::default();
                let deliveries = self.deliveries_behind(&all, key, limit).await?;
                deliveries
                    .into_iter()
                    .map(|delivery| (*delivery.session.as_bytes(), Record::Delivery(delivery)))
                    .collect()
            }
        };
        let next = items.last().filter(|_| items.len() == limit);
        Ok(Listed {
            next: next.map(|(key, _)| key.to_vec()),
            items: items.into_iter().map(|(_, record)| record).collect(),
        })
    }
}
