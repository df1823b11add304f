//! Deliveries, in the same database.

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

use super::failure::Failure;
use super::row::{self, Fields};
use super::table::{DELIVERIES, VERSION};
use super::value::{millis, text, uuid};
use super::work::params;
use super::{PostgresStore, rows_of, statements};
use crate::rules::{ATTEMPTS, OutboxRow, page};

#[async_trait]
impl Outbox for PostgresStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        let params = params![
            text(platform.as_str()),
            millis(now),
            rows_of(limit),
            millis(until)
        ];
        let rows = self.rows(self.shared.lease.clone(), params).await?;
        let leased = |row: &Row| {
            let fields = Fields(row);
            let OutboxRow {
                delivery, lease, ..
            } = fields.outbox_row()?;
            Ok((fields.get("waited_since")?, Leased { delivery, lease }))
        };
        let mut leased = rows
            .iter()
            .map(leased)
            .collect::<Result<Vec<(i64, Leased)>, Failure>>()?;
        leased.sort_by_key(|(since, leased)| (*since, leased.delivery.session));
        Ok(leased.into_iter().map(|(_, leased)| leased).collect())
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.change_delivery(session, |row| row.settle(lease, &settlement))
            .await
    }

    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.change_delivery(session, |row| row.acknowledge(&settlement))
            .await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        let statement = "SELECT d.ready FROM logout_deliveries d \
            WHERE d.platform = $1 AND d.state = 'pending' ORDER BY d.ready LIMIT 1";
        let rows = self
            .rows(statement, params![text(platform.as_str())])
            .await?;
        let ready = rows.first().map(|row| Fields(row).instant("ready"));
        Ok(ready.transpose()?)
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        Ok(self.deliveries_by_id(&[session]).await?.pop())
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let found = self.deliveries_by_id(&ids).await?;
        let found: HashMap<_, _> = found
            .into_iter()
            .map(|delivery| (delivery.session, delivery))
            .collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_deliveries d \
             WHERE ($1::text IS NULL OR d.platform = $1) AND ($2::text IS NULL OR d.state = $2) \
                AND ($3::uuid IS NULL OR d.session > $3) ORDER BY d.session LIMIT $4::bigint",
            DELIVERIES.columns()
        );
        let params = params![
            filter.platform.as_ref().map(|name| text(name.as_str())),
            filter.state.map(|state| state.as_str()),
            after.map(|id| uuid(id.as_bytes())),
            rows_of(limit) + 1
        ];
        let deliveries = row::deliveries(&self.rows(statement, params).await?)?;
        Ok(page(deliveries, limit, |delivery| delivery.session))
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.change_delivery(session, |row| row.retry(now)).await
    }
}

impl PostgresStore {
    /// Changes a delivery by a rule, unless that says no.
    async fn change_delivery(
        &self,
        session: SessionId,
        rule: impl Fn(&mut OutboxRow) -> bool,
    ) -> Result<bool, StoreUnavailable> {
        let id = uuid(session.as_bytes());
        let statement = format!(
            "SELECT {}, {VERSION} FROM logout_deliveries WHERE session = $1",
            DELIVERIES.columns()
        );
        for _ in 0..ATTEMPTS {
            let rows = self.rows(statement.clone(), params![id]).await?;
            let Some(fields) = rows.first().map(Fields) else {
                return Ok(false);
            };
            let mut row = fields.outbox_row()?;
            if !rule(&mut row) {
                return Ok(false);
            }
            let mut params = params![id, fields.get::<String>("version")?];
            params.extend(row::outbox_values(&row));
            if self.is_done(statements::PUT_DELIVERY, params).await? {
                return Ok(true);
            }
        }
        Err(StoreUnavailable)
    }

    async fn deliveries_by_id(&self, ids: &[SessionId]) -> Result<Vec<Delivery>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_deliveries d WHERE d.session = ANY ($1::uuid[])",
            DELIVERIES.columns()
        );
        let ids: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
        Ok(row::deliveries(&self.rows(statement, params![ids]).await?)?)
    }
}
