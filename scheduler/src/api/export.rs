//! A month that is sent while it is read.
//!
//! A task reads a round, hands it to the connection, and reads the next one only when that was taken: in
//! memory are two rounds, however many rows there are. It ends when the client has gone or takes nothing for
//! a while. When the ledger fails in the middle the answer is cut off, so that it is seen to be incomplete.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use hosting::Month;
use jobs::store::StoreError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::Api;
use crate::Problem;
use crate::registry::{AccountFilter, Export, ExportError, Layout, MonthRounds, UsageRow};

/// Exports at one time: each holds rounds in memory and reads from the ledger.
pub(super) const AT_ONCE: usize = 4;

/// How long a client may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the task hands over.
enum Piece {
    Bytes(Bytes),
    End,
}

/// The answer was cut off before its end.
#[derive(Debug, thiserror::Error)]
#[error("the export was cut off")]
struct CutOff;

impl Api {
    /// The month's body. The first round is read before anything is sent, so that a ledger that cannot be
    /// read is an error of its own.
    pub(super) async fn export(
        &self,
        layout: Layout,
        month: Month,
        filter: &AccountFilter,
    ) -> Result<Body, Problem> {
        let place = std::sync::Arc::clone(&self.exports).try_acquire_owned();
        let place = place.map_err(|_| {
            Problem::too_many("so many exports are under way already; try again later", 10)
        })?;
        let mut rounds = MonthRounds::begin(&self.store, month, filter).await?;
        let first = rounds.next().await?;
        let (sender, receiver) = mpsc::channel(1);
        let export = Export::new(layout, month).map_err(|error| {
            tracing::error!(failure = %error, "The export of {month} cannot begin: {error}");
            Problem::unavailable()
        })?;
        tokio::spawn(send_all(place, rounds, first, export, sender));
        Ok(body(receiver))
    }
}

async fn send_all(
    place: OwnedSemaphorePermit,
    rounds: MonthRounds,
    first: Option<Vec<UsageRow>>,
    export: Export,
    sender: Sender<Piece>,
) {
    let month = export.month();
    match send_rounds(rounds, first, export, &sender).await {
        Ok(()) => {}
        Err(Halt::Gone) => tracing::debug!("The client of the export of {month} has gone"),
        Err(Halt::Store(error)) => {
            tracing::error!(failure = %error, "The export of {month} was cut off: {error}");
        }
        Err(Halt::Export(error)) => {
            tracing::error!(failure = %error, "The export of {month} was cut off: {error}");
        }
    }
    drop(place);
}

/// Why no more is sent.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("the client takes no more")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Export(#[from] ExportError),
}

async fn send_rounds(
    mut rounds: MonthRounds,
    first: Option<Vec<UsageRow>>,
    mut export: Export,
    sender: &Sender<Piece>,
) -> Result<(), Halt> {
    hand_over(sender, export.begin()?).await?;
    let mut round = first;
    while let Some(rows) = round {
        hand_over(sender, export.rows(&rows)?).await?;
        drop(rows);
        round = rounds.next().await?;
    }
    hand_over(sender, export.end()?).await?;
    send(sender, Piece::End).await
}

async fn hand_over(sender: &Sender<Piece>, bytes: Vec<u8>) -> Result<(), Halt> {
    if bytes.is_empty() {
        return Ok(());
    }
    send(sender, Piece::Bytes(bytes.into())).await
}

async fn send(sender: &Sender<Piece>, piece: Piece) -> Result<(), Halt> {
    let sent = sender.send_timeout(piece, PATIENCE).await;
    sent.map_err(|_| Halt::Gone)
}

fn body(receiver: Receiver<Piece>) -> Body {
    Body::from_stream(stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(CutOff), None)),
        }
    }))
}
