//! What this ledger is called on panels.

use entity::installation;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};

use super::error::Trouble;
use super::{Store, StoreError};

const ONLY: i64 = 1;

impl Store {
    /// The name by which this ledger marks its accounts on panels: 8 letters and digits, drawn when it is
    /// first asked for. It lies in the ledger itself, so all workers of one ledger agree on it and two
    /// ledgers never share one (a shared marker would let one adopt the other's accounts).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn installation_name(&self) -> Result<String, StoreError> {
        loop {
            if let Some(row) = installation::Entity::find_by_id(ONLY)
                .one(self.writer_connection())
                .await?
            {
                return Ok(row.name);
            }
            let row = installation::ActiveModel {
                id: Set(ONLY),
                name: Set(draw()),
                created_at: Set(self.now().await?),
            };
            // Another process may have drawn one at the same moment; then that one is read.
            match row
                .insert(self.writer_connection())
                .await
                .map_err(StoreError::Db)
            {
                Err(error) if error.trouble() != Trouble::Duplicate => return Err(error),
                _ => {}
            }
        }
    }
}

fn draw() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let drawn: [u8; 8] = rand::random();
    drawn
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}
