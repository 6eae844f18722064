//! Reading packages and addresses of a server.

use async_trait::async_trait;
use jobs::store::ServerEffect;

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};

pub(super) struct GetServerConfig;

#[async_trait]
impl Handler for GetServerConfig {
    type Todo = ();

    async fn observe(&self, _: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let config = attempt.panel()?.server_config().await?;
        let value = serde_json::to_value(&config)
            .map_err(|error| Halt::hold("server_config", error.to_string()))?;
        let result = serde_json::json!({
            "packages": config.packages,
            "addresses": config.addresses.len(),
            "name_servers": config.name_servers,
            "host_name": config.host_name,
        });
        Ok(Done::changed()
            .with(result)
            .telling(ServerEffect::Configured {
                config: value,
                host_name: config.host_name,
            }))
    }
}
