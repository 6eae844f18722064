//! HostBill's calls and the shapes of their answers; decides nothing.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::channel::{Ask, Channel};
use super::envelope::Said;
use super::settings::Options;
use super::shapes::{Choice, Invoice, Product, Route, Row, Service, cents, id, optional_id, word};
use crate::http::lenient::items;
use crate::http::{Effect, LIFECYCLE_CAP, LISTING_CAP, Method, deadline};
use crate::{PanelError, ServerSettings};

/// One client's API.
#[derive(Debug)]
pub(super) struct Wire {
    channel: Channel,
}

/// What a listing of services said, and the panel's clock.
pub(super) struct Services {
    pub(super) rows: Vec<Row>,
    pub(super) read_at: Option<i64>,
}

/// What can be changed about a service by an upgrade.
pub(super) struct Upgrades {
    pub(super) resources: Vec<Choice>,
    pub(super) packages: Vec<Product>,
}

/// What a change that is an order answered.
pub(super) struct Ordered {
    pub(super) number: Option<String>,
    pub(super) invoice: Option<String>,
    pub(super) service: Option<String>,
}

impl Wire {
    pub(super) fn new(settings: &ServerSettings, options: &Options) -> Result<Self, PanelError> {
        Ok(Self {
            channel: Channel::new(settings, options)?,
        })
    }

    pub(super) async fn log_out(&self) -> Result<(), PanelError> {
        self.channel.log_out().await
    }

    async fn get(&self, path: &str, cap: usize) -> Result<Said, PanelError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let listing = cap > LIFECYCLE_CAP;
        self.channel
            .ask(Ask {
                name,
                method: &Method::GET,
                path,
                body: None,
                effect: Effect::Read,
                deadline: if listing {
                    deadline::BULK
                } else {
                    deadline::READ
                },
                cap,
                secret: None,
            })
            .await
    }

    /// A read of one thing.
    pub(super) async fn look(&self, path: &str) -> Result<Said, PanelError> {
        self.get(path, LIFECYCLE_CAP).await
    }

    /// A read of a list.
    pub(super) async fn listing(&self, path: &str) -> Result<Said, PanelError> {
        self.get(path, LISTING_CAP).await
    }

    /// A change.
    pub(super) async fn change(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        secret: Option<&SecretString>,
    ) -> Result<Said, PanelError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        self.channel
            .ask(Ask {
                name,
                method,
                path,
                body,
                effect: Effect::Change,
                deadline: deadline::CHANGE,
                cap: LIFECYCLE_CAP,
                secret,
            })
            .await
    }

    pub(super) async fn details(&self) -> Result<String, PanelError> {
        let said = self.look("/details").await?;
        said.read("client", |client| word(client.get("email")?))
    }

    /// Money that is available, in hundredths, and its currency.
    pub(super) async fn credit(&self) -> Result<(i64, String), PanelError> {
        let said = self.look("/balance").await?;
        said.read("details", |details| {
            let currency = details.get("currency").and_then(word).unwrap_or_default();
            Some((cents(details.get("acc_credit")?)?, currency))
        })
    }

    /// The services, to find one of them: a job about one account takes no more than such a job may, which is
    /// some 5,000 services.
    pub(super) async fn services(&self) -> Result<Services, PanelError> {
        Self::rows_of(&self.look("/service").await?)
    }

    /// The services, however many.
    pub(super) async fn all_services(&self) -> Result<Services, PanelError> {
        Self::rows_of(&self.listing("/service").await?)
    }

    fn rows_of(said: &Said) -> Result<Services, PanelError> {
        Ok(Services {
            rows: said.rows("services", Row::read)?,
            read_at: said.reply.panel_clock,
        })
    }

    pub(super) async fn service(&self, service: &str) -> Result<Service, PanelError> {
        let said = self.look(&format!("/service/{service}")).await?;
        said.read("service", |row| {
            Service::read(row).filter(|read| read.id == service)
        })
    }

    pub(super) async fn routes(&self, service: &str) -> Result<Vec<Route>, PanelError> {
        let said = self.look(&format!("/service/{service}/methods")).await?;
        said.rows("methods", Route::read)
    }

    pub(super) async fn set_label(&self, service: &str, label: &str) -> Result<(), PanelError> {
        let body = json!({"label": label});
        let path = format!("/service/{service}/label");
        let said = self.change(&Method::POST, &path, Some(&body), None).await?;
        said.confirmed()
    }

    pub(super) async fn invoices(&self) -> Result<Vec<Invoice>, PanelError> {
        let said = self.listing("/invoice").await?;
        said.rows("invoices", Invoice::read)
    }

    pub(super) async fn invoice(&self, invoice: &str) -> Result<Invoice, PanelError> {
        let said = self.look(&format!("/invoice/{invoice}")).await?;
        said.read("invoice", |row| {
            Invoice::read(row).filter(|read| read.id == invoice)
        })
    }

    /// Pays by credit, as much as is needed: with an amount it would pay again what is paid.
    pub(super) async fn pay(&self, invoice: &str) -> Result<String, PanelError> {
        let path = format!("/invoice/{invoice}/credit");
        let said = self.change(&Method::POST, &path, None, None).await?;
        said.confirmed()?;
        said.read("invoice_status", word)
    }

    pub(super) async fn categories(&self) -> Result<Vec<Product>, PanelError> {
        let said = self.look("/category").await?;
        said.rows("categories", Product::read)
    }

    pub(super) async fn products(&self, category: &str) -> Result<Vec<Product>, PanelError> {
        let said = self.look(&format!("/category/{category}/product")).await?;
        said.rows("products", Product::read)
    }

    /// Ids of the payment methods, in the order in which they stand there.
    pub(super) async fn pay_methods(&self) -> Result<Vec<String>, PanelError> {
        let said = self.look("/payment").await?;
        said.read("payments", |payments| match payments {
            Value::Object(named) => named.keys().map(|key| id(&json!(key))).collect(),
            list => items(list)
                .into_iter()
                .map(|row| id(row.get("id")?))
                .collect(),
        })
    }

    /// The cycles and the forms of an order of that product.
    pub(super) async fn form(
        &self,
        product: &str,
    ) -> Result<(Vec<Choice>, Vec<Choice>), PanelError> {
        let said = self.look(&format!("/order/{product}")).await?;
        said.read("product", |form| {
            let config = form.get("config")?;
            let list = |name: &str| -> Option<Vec<Choice>> {
                let rows = config.get(name).map(items).unwrap_or_default();
                rows.into_iter().map(Choice::read).collect()
            };
            Some((list("product")?, list("forms")?))
        })
    }

    /// A dry run; what it finds wrong with the items.
    pub(super) async fn quote(&self, body: &Value) -> Result<Vec<String>, PanelError> {
        let ask = Ask {
            name: "quote",
            method: &Method::POST,
            path: "/quote",
            body: Some(body),
            // Nothing is changed by it.
            effect: Effect::Read,
            deadline: deadline::READ,
            cap: LIFECYCLE_CAP,
            secret: None,
        };
        let said = self.channel.ask(ask).await?;
        let wrong = said.rows("items", |item| {
            let valid = item
                .get("valid")
                .is_none_or(|valid| crate::http::lenient::flag(valid) != Some(false));
            let texts: Vec<String> = item
                .get("error")
                .map(items)
                .unwrap_or_default()
                .into_iter()
                .filter_map(word)
                .collect();
            let silent = texts.is_empty() && !valid;
            Some(if silent {
                vec!["it is not valid".to_owned()]
            } else {
                texts
            })
        })?;
        Ok(wrong
            .into_iter()
            .flatten()
            .map(|text| said.reply.redact_reason(&text))
            .collect())
    }

    /// The one request that costs money.
    pub(super) async fn order(&self, product: &str, body: &Value) -> Result<Ordered, PanelError> {
        let path = format!("/order/{product}");
        let said = self.change(&Method::POST, &path, Some(body), None).await?;
        let service = said.read("items", |bought| {
            let row = items(bought).into_iter().next()?;
            id(row.get("id")?)
        })?;
        Ok(Ordered {
            service: Some(service),
            ..ordered(&said)?
        })
    }

    pub(super) async fn upgrades(&self, service: &str) -> Result<Upgrades, PanelError> {
        let said = self.look(&format!("/service/{service}/upgrade")).await?;
        let packages = said
            .get("package")
            .map_or(Ok(Vec::new()), |_| said.rows("package", Product::read))?;
        Ok(Upgrades {
            resources: said.rows("resources", Choice::read)?,
            packages,
        })
    }

    pub(super) async fn upgrade(&self, service: &str, body: &Value) -> Result<Ordered, PanelError> {
        let path = format!("/service/{service}/upgrade");
        let said = self.change(&Method::POST, &path, Some(body), None).await?;
        let ordered = ordered(&said)?;
        if ordered.invoice.is_none() && ordered.number.is_none() {
            said.confirmed()?;
        }
        Ok(ordered)
    }

    pub(super) async fn cancel(&self, service: &str) -> Result<(), PanelError> {
        let body = json!({"immediate": "true", "reason": "terminated by the billing platform"});
        let path = format!("/service/{service}/cancel");
        let said = self.change(&Method::POST, &path, Some(&body), None).await?;
        said.confirmed()
    }
}

fn ordered(said: &Said) -> Result<Ordered, PanelError> {
    let optional = |name: &str| {
        optional_id(said.get(name)).ok_or_else(|| {
            let what = format!("the panel's answer has no `{name}` as it should be");
            said.reply.unknown(what)
        })
    };
    Ok(Ordered {
        number: optional("order_num")?,
        invoice: optional("invoice_id")?,
        service: None,
    })
}
