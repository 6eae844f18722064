//! Our `Backend` for apalis: what the pump has claimed, one task a job.
//!
//! It never answers an error (that would end the worker and drop what runs), and it is closed only when
//! the pump has ended and what was claimed but not begun is given back.

use std::convert::Infallible;
use std::task::{Context, Poll};

use apalis::prelude::{Backend, Task, TaskBuilder, TaskId, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::pump::{Pump, Work};
use crate::faults::Point;
use crate::store::{Finish, Outcome, ServerEffect, Writer};

/// A claimed job on its way through apalis. Taken once.
#[derive(Debug)]
pub(super) struct Parcel(pub(super) Option<Work>);

pub(super) struct Claims {
    inbox: mpsc::Receiver<Work>,
    stop: watch::Sender<bool>,
    pump: Option<JoinHandle<()>>,
    /// Claimed, and not to be begun any more.
    left: Vec<Work>,
    writer: Writer,
    returning: Option<JoinHandle<()>>,
}

impl Claims {
    pub(super) fn start(
        writer: Writer,
        pump: impl FnOnce(mpsc::Sender<Work>, watch::Receiver<bool>) -> Pump,
        slots: usize,
    ) -> Self {
        let (out, inbox) = mpsc::channel(slots.max(1));
        let (stop, stopped) = watch::channel(false);
        let pump = tokio::spawn(pump(out, stopped).run());
        Self {
            inbox,
            stop,
            pump: Some(pump),
            left: Vec::new(),
            writer,
            returning: None,
        }
    }

    /// Gives back what was claimed but not begun: nobody has touched the panel for it.
    fn give_back(&mut self) -> JoinHandle<()> {
        let mut left = std::mem::take(&mut self.left);
        while let Ok(work) = self.inbox.try_recv() {
            left.push(work);
        }
        let writer = self.writer.clone();
        tokio::spawn(async move {
            for work in left {
                return_one(writer.clone(), work).await;
            }
        })
    }
}

impl Backend for Claims {
    type Task = Task<Parcel>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.inbox.poll_recv(cx).map(|work| {
            work.map(|work| {
                let id = TaskId::from_string(work.claimed.job.public_id.clone());
                Ok(TaskBuilder::new(Parcel(Some(work))).task_id(id).build())
            })
        })
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.stop.send_replace(true);
        if let Some(pump) = self.pump.as_mut() {
            // The pump may be waiting for a place in the channel: make room for it while it ends.
            if pump.poll_unpin(cx).is_pending() {
                while let Poll::Ready(Some(work)) = self.inbox.poll_recv(cx) {
                    self.left.push(work);
                }
                return Poll::Pending;
            }
            self.pump = None;
            self.inbox.close();
            self.returning = Some(self.give_back());
        }
        match self.returning.as_mut() {
            Some(returning) => returning.poll_unpin(cx).map(|_| Ok(())),
            None => Poll::Ready(Ok(())),
        }
    }
}

async fn return_one(writer: Writer, work: Work) {
    let finish = Finish {
        job_id: work.claimed.job.id,
        fence: work.claimed.job.fence,
        outcome: Outcome::Returned,
        error: None,
        account: None,
        server: ServerEffect::None,
        in_doubt: work.claimed.job.doubt_since.is_some(),
        secrets_spent: false,
    };
    Point::ReturnBegun.reach(&work.claimed.job);
    // If this fails the lease ends by itself.
    let _ = writer.finish(finish).await;
    Point::Returned.reach(&work.claimed.job);
}

impl BackendConfig for Claims {
    type Args = Parcel;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = apalis::prelude::Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        apalis::prelude::Identity::new()
    }
}
