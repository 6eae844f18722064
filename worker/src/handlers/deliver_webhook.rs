//! Telling a billing platform what became of something.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use entity::webhook_endpoint;
use jobs::faults::Point;
use jobs::store::Audience;
use panels::http::Delivered;
use panels::{Detail, PanelError};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};
use crate::webhook::{Message, signatures};

pub(super) struct DeliverWebhook<'a> {
    pub(super) endpoint_id: i64,
    pub(super) event: &'a str,
    pub(super) data: &'a Value,
}

#[async_trait]
impl Handler for DeliverWebhook<'_> {
    type Todo = Message;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Message>, Halt> {
        let endpoint = webhook_endpoint::Entity::find_by_id(self.endpoint_id)
            .one(attempt.worker.store().reader())
            .await?;
        match endpoint {
            Some(endpoint) if endpoint.disabled_at.is_none() => {
                Ok(Observed::ToDo(self.message(attempt, endpoint.url).await?))
            }
            _ => Err(Halt::refuse(
                "endpoint_gone",
                "the webhook's endpoint is removed or switched off",
            )),
        }
    }

    async fn act(&self, attempt: &Attempt<'_>, message: Message) -> Result<Done, Halt> {
        Point::WebhookSigned.reach(&attempt.claimed.job);
        let sent = attempt.worker.parts.webhooks.send(&message).await;
        Point::WebhookAnswered.reach(&attempt.claimed.job);
        let delivered = match sent {
            Ok(delivered) => delivered,
            // Nothing here is a panel's: what was not received is sent again, by the kind's schedule.
            Err(PanelError::Auth(detail) | PanelError::InDoubt(detail)) => {
                return Err(PanelError::Transient(detail).into());
            }
            Err(error) => return Err(error.into()),
        };
        match delivered.status {
            200..=299 => Ok(Done::changed().with(json!({"status": delivered.status}))),
            410 => {
                self.disable(attempt).await?;
                let why = "the receiver says that it is gone (410); the endpoint is switched off";
                Err(Halt::refuse("endpoint_gone", why))
            }
            429 | 503 if delivered.retry_after.is_some() => Err(PanelError::Throttled {
                after: delivered.retry_after,
                detail: Box::new(refused(&delivered)),
            }
            .into()),
            _ => Err(PanelError::Transient(Box::new(refused(&delivered))).into()),
        }
    }
}

fn refused(delivered: &Delivered) -> Detail {
    Detail {
        status: Some(delivered.status),
        ..Detail::of("the receiver did not accept the webhook")
    }
}

impl DeliverWebhook<'_> {
    async fn message(&self, attempt: &Attempt<'_>, url: String) -> Result<Message, Halt> {
        let worker = attempt.worker;
        let owner = format!("webhook:{}", self.endpoint_id);
        let store = worker.store();
        // The newest first; the one before signs too for a while after it was replaced.
        let rows = store
            .live_secrets(store.writer_connection(), &owner, Audience::Worker)
            .await?;
        if rows.is_empty() {
            let why = "the webhook's endpoint has no key";
            return Err(Halt::refuse("endpoint_gone", why));
        }
        let unreadable = |why: String| Halt::hold("secret_unreadable", why);
        let keys = rows
            .iter()
            .map(|row| worker.parts.keyring.open(row))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(error.to_string()))?;
        let (id, now) = (&attempt.claimed.job.public_id, attempt.now());
        let body = json!({
            "type": self.event,
            "timestamp": rfc3339(attempt.claimed.job.created_at),
            "data": self.data,
        })
        .to_string();
        let timestamp = now.div_euclid(1000);
        let signature = signatures(&keys, id, timestamp, &body)
            .map_err(|error| unreadable(error.to_string()))?;
        Ok(Message {
            url,
            id: id.clone(),
            timestamp,
            signature,
            body,
        })
    }

    async fn disable(&self, attempt: &Attempt<'_>) -> Result<(), Halt> {
        use webhook_endpoint::Column as C;
        webhook_endpoint::Entity::update_many()
            .col_expr(C::DisabledAt, Expr::value(attempt.now()))
            .col_expr(
                C::DisabledReason,
                Expr::value("the receiver answered 410 Gone"),
            )
            .filter(C::Id.eq(self.endpoint_id))
            .filter(C::DisabledAt.is_null())
            .exec(attempt.worker.store().writer_connection())
            .await?;
        Ok(())
    }
}

/// When the event happened: the delivery's job is made in the same transaction.
fn rfc3339(at: i64) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
