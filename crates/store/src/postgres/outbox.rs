//! What is still to be told, in the same database.

use std::collections::HashMap;

use async_trait::async_trait;
use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::{Page, StoreUnavailable};
use logout_core::time::Timestamp;
use tokio_postgres::Row;

use super::link::params;
use super::{PostgresStore, page, row, rows_of, statements};

#[async_trait]
impl Outbox for PostgresStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        let statement = format!("{}{}, d.lease, due.ready", statements::LEASE, row::DELIVERY);
        let params = params![
            row::text(platform.as_str()),
            row::millis(now),
            rows_of(limit),
            row::millis(until)
        ];
        let rows = self.rows(statement, params).await?;
        let leased = |row: &Row| {
            Ok((
                row.try_get::<_, i64>(15)?,
                row::delivery(row)?,
                row.try_get::<_, i64>(14)?,
            ))
        };
        let mut leased = rows
            .iter()
            .map(leased)
            .collect::<Result<Vec<_>, super::link::Failure>>()?;
        leased.sort_by_key(|(ready, delivery, _)| (*ready, delivery.session));
        Ok(leased
            .into_iter()
            .map(|(_, delivery, lease)| Leased {
                delivery,
                lease: u64::try_from(lease).unwrap_or_default(),
            })
            .collect())
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        let Ok(lease) = i64::try_from(lease) else {
            return Ok(false);
        };
        let id = row::uuid(session.as_bytes());
        let held = format!(
            "SELECT {} FROM logout_deliveries d WHERE d.session = $1 AND d.lease = $2 AND d.state = 'pending'",
            row::DELIVERY
        );
        let Some(found) = self.rows(held, params![id, lease]).await?.pop() else {
            return Ok(false);
        };
        let mut delivery = row::delivery(&found)?;
        delivery.settle(&settlement);
        let (tried_at, answers): (Vec<i64>, Vec<String>) = delivery
            .history
            .iter()
            .map(|attempt| (row::millis(attempt.at), row::answer(attempt.answer)))
            .unzip();
        let params = params![
            id,
            lease,
            delivery.state.as_str(),
            row::millis(delivery.due),
            i64::from(delivery.attempts),
            tried_at,
            answers,
            delivery.verified.map(|verified| verified.as_str()),
            delivery.sealed.map(|sealed| sealed.as_bytes().to_vec()),
        ];
        Ok(!self.rows(statements::SETTLE, params).await?.is_empty())
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        let statement = "SELECT d.ready FROM logout_deliveries d WHERE d.platform = $1 AND d.state = 'pending' ORDER BY d.ready LIMIT 1";
        let rows = self
            .rows(statement, params![row::text(platform.as_str())])
            .await?;
        let ready = rows
            .first()
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(super::link::Failure::from)?;
        Ok(ready.map(row::instant))
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_deliveries d WHERE d.session = $1",
            row::DELIVERY
        );
        let rows = self
            .rows(statement, params![row::uuid(session.as_bytes())])
            .await?;
        Ok(rows.first().map(row::delivery).transpose()?)
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_deliveries d WHERE d.session = ANY ($1::uuid[])",
            row::DELIVERY
        );
        let ids: Vec<_> = sessions
            .iter()
            .map(|session| row::uuid(session.id.as_bytes()))
            .collect();
        let rows = self.rows(statement, params![ids]).await?;
        let found = rows
            .iter()
            .map(|found| row::delivery(found).map(|delivery| (delivery.session, delivery)));
        let found = found.collect::<Result<HashMap<_, _>, _>>()?;
        Ok(sessions
            .iter()
            .map(|session| found.get(&session.id).cloned())
            .collect())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_deliveries d WHERE ($1::text IS NULL OR d.platform = $1) AND ($2::text IS NULL OR d.state = $2) \
             AND ($3::uuid IS NULL OR d.session > $3) ORDER BY d.session LIMIT $4::bigint",
            row::DELIVERY
        );
        let platform = filter
            .platform
            .as_ref()
            .map(|platform| row::text(platform.as_str()));
        let state = filter.state.map(|state| state.as_str());
        let after = after.map(|id| row::uuid(id.as_bytes()));
        let rows = self
            .rows(
                statement,
                params![platform, state, after, rows_of(limit) + 1],
            )
            .await?;
        let items = rows
            .iter()
            .map(row::delivery)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |delivery| delivery.session))
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        let params = params![row::uuid(session.as_bytes()), row::millis(now)];
        Ok(!self.rows(statements::RETRY, params).await?.is_empty())
    }
}
