//! A night that is due: the clock cannot be moved from outside, but what it remembers can.

use entity::{job, schedule, server};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter};

/// Makes the last night due on these servers, as if it had not been asked for.
pub(super) async fn make_due(sql: &DatabaseConnection, servers: &[&str], number: usize) {
    let nightly: Vec<job::Model> = job::Entity::find()
        .filter(job::Column::IdemKey.starts_with("get_stats:"))
        .all(sql)
        .await
        .expect("answered");
    for row in nightly {
        let key = format!("night-{number}-{}", row.idem_key);
        job::Entity::update_many()
            .col_expr(job::Column::IdemKey, Expr::value(key))
            .filter(job::Column::Id.eq(row.id))
            .exec(sql)
            .await
            .expect("written");
    }
    server::Entity::update_many()
        .col_expr(
            server::Column::Enabled,
            Expr::col(server::Column::Name).is_in(servers.iter().copied()),
        )
        .col_expr(server::Column::CreatedAt, Expr::value(0_i64))
        .exec(sql)
        .await
        .expect("written");
    schedule::Entity::delete_many()
        .filter(schedule::Column::Name.starts_with("stats:"))
        .exec(sql)
        .await
        .expect("written");
}

/// The keys of the jobs that were asked for since, one a server and month.
pub(super) async fn asked(sql: &DatabaseConnection) -> Vec<String> {
    let rows = job::Entity::find()
        .filter(job::Column::IdemKey.starts_with("get_stats:"))
        .all(sql)
        .await
        .expect("answered");
    rows.into_iter().map(|row| row.idem_key).collect()
}

/// Whether each of so many servers has had its night.
pub(super) async fn is_over(sql: &DatabaseConnection, servers: usize) -> bool {
    let clocks = schedule::Entity::find()
        .filter(schedule::Column::Name.starts_with("stats:"))
        .all(sql)
        .await
        .expect("answered");
    clocks.len() >= servers
}
