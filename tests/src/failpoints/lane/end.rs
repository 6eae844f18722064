//! What is left when the last case has aborted.

use entity::job;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use super::Lane;
use crate::check;
use crate::field::Part;

impl Lane {
    /// A last process without failpoints finishes everything; then the run folder is complete.
    pub(super) async fn finish(&mut self) {
        let mut process = self.field.start(Part::Serve, &[]).await;
        for asked in std::mem::take(&mut self.unanswered) {
            self.accepted(&asked.key, &asked.body).await;
        }
        self.drained().await;
        // An operator takes up what too many aborts have parked.
        for round in 0..5 {
            let parked = self.parked().await;
            if parked.is_empty() {
                break;
            }
            self.report.parked += parked.len();
            for id in parked {
                let path = format!("/v1/jobs/{id}/replay");
                let reason = json!({"reason": "the aborts are over"});
                let key = format!("replay-{round}-{id}");
                self.field.platform.post(&path, &key, &reason).await;
            }
            self.drained().await;
        }
        process.stop().await;
        self.field.kill(&mut process).await;
        self.field.note_panels();
        self.count().await;
        match check::check(self.field.folder()).await {
            Ok(broken) => {
                let broken = broken.iter().map(ToString::to_string);
                self.report.failures.extend(broken);
            }
            Err(why) => self
                .report
                .failures
                .push(format!("nothing was decided: {why}")),
        }
    }

    pub(super) async fn parked(&self) -> Vec<String> {
        job::Entity::find()
            .select_only()
            .column(job::Column::PublicId)
            .filter(job::Column::State.eq("held"))
            .filter(job::Column::HoldCode.eq("poison"))
            .order_by_asc(job::Column::Id)
            .into_tuple()
            .all(self.field.sql())
            .await
            .expect("answered")
    }

    /// Every job has succeeded, or was cancelled by its case.
    pub(super) async fn count(&mut self) {
        let rows = job::Entity::find()
            .all(self.field.sql())
            .await
            .expect("answered");
        for row in rows {
            if !["succeeded", "cancelled"].contains(&row.state.as_str()) {
                self.report.failures.push(format!(
                    "job {} ({}, {}) is {}: {:?} {:?}",
                    row.id, row.kind, row.idem_key, row.state, row.error_code, row.error_message
                ));
            }
            *self.report.states.entry(row.state).or_default() += 1;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let points = log.lines().filter_map(|line| line.split(' ').next());
        for point in points {
            *self.report.reached.entry(point.to_owned()).or_default() += 1;
        }
        for server in &self.field.servers {
            let idle = server.panel.faults().waiting();
            if idle > 0 {
                println!(
                    "{}: {idle} faults of cancelled jobs never struck",
                    server.name
                );
            }
        }
    }
}
