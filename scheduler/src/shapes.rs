//! Shapes in the API's description that no derive can tell: names that are listed elsewhere, texts that
//! follow a pattern, limits. The types stand for them where fields are described, and hold nothing.

use std::borrow::Cow;

use hosting::LimitName;
use jobs::JobKind;
use jobs::store::Purpose;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::caller::Scope;

/// The fields of a request that stand by themselves.
pub(crate) const WHOLE: [&str; 8] = [
    "kind",
    "server",
    "month",
    "import",
    "due_at",
    "reason",
    "webhook",
    "idempotency_key",
];
/// Those of its account that are one text.
const OF_ACCOUNT: [&str; 8] = [
    "id",
    "reference",
    "username",
    "domain",
    "email",
    "package",
    "password",
    "dedicated_ip",
];

macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

shapes! {
    /// A job's kind.
    Kind = one_of(JobKind::ALL.map(JobKind::name), "A job's kind.");
    /// A kind that can be asked for.
    AskedKind = one_of(
        JobKind::ALL.into_iter().filter(|kind| Scope::of_kind(*kind).is_some()).map(JobKind::name),
        "A kind of job that can be asked for.",
    );
    /// A job's state.
    JobState = one_of(jobs::JobState::ALL.map(jobs::JobState::name), "A job's state.");
    /// Some states.
    JobStates = {
        let one = jobs::JobState::ALL.map(jobs::JobState::name).join("|");
        text(&format!("^({one})(,({one}))*$"), "States of jobs, separated by commas.")
    };
    /// An account's state.
    AccountState = one_of(jobs::AccountState::ALL.map(jobs::AccountState::name), "An account's state.");
    /// A month.
    Month = text("^2[01][0-9]{2}-(0[1-9]|1[0-2])$", "A calendar month, `YYYY-MM`.")
        .examples([serde_json::json!("2026-11")]);
    /// A limit.
    Limit = AnyOfBuilder::new()
        .description(Some("A whole number or `unlimited`; zero means zero."))
        .item(whole_number())
        .item(text("^(unlimited|[0-9]{1,18})$", "`unlimited`, or the number as text."));
    /// Limits by name.
    Limits = LimitName::ALL
        .into_iter()
        .fold(ObjectBuilder::new(), |limits, name| limits.property(name.as_str(), Limit::schema()))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .description(Some("Limits by name."))
        .examples([serde_json::json!({"disk_mb": 2000})]);
    /// Why jobs do not start on a server now.
    ServerState = one_of(
        ["open", "paused", "maintenance", "auth_hold", "breaker_open", "cooling_down"],
        "Why jobs do not start there now; `open` when they do.",
    );
    /// How a month is written.
    ExportFormat = one_of(["json", "ndjson", "csv", "parquet"], "How it is written.");
    /// What a job's secret is.
    SecretPurpose = one_of(
        [Purpose::Password.name(), Purpose::LoginLink.name()],
        "What it is.",
    );
    /// A request for a job as a form.
    JobForm = form(WHOLE)
        .required("kind")
        .examples([serde_json::json!({"kind": "check_connection", "server": "web1"})]);
    /// The same where the kind is in the path.
    FormOfKind = form(WHOLE.into_iter().filter(|name| *name != "kind"))
        .examples([serde_json::json!({"server": "web1", "account[username]": "acme"})]);
    /// An idempotency key.
    Key = text("^[!-~]([ -~]*[!-~])?$", "Visible ASCII characters, case-sensitive.")
        .min_length(Some(1))
        .max_length(Some(200));
    /// A time.
    Time = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A time (RFC 3339)."));
}

fn one_of(names: impl IntoIterator<Item = &'static str>, about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .enum_values(Some(names))
        .description(Some(about))
}

/// Names and texts.
fn form(whole: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    whole
        .into_iter()
        .map(str::to_owned)
        .chain(OF_ACCOUNT.map(|name| format!("account[{name}]")))
        .chain(LimitName::ALL.map(|name| format!("account[limits][{}]", name.as_str())))
        .fold(ObjectBuilder::new(), |form, name| {
            let shape = if name == "kind" {
                AskedKind::schema()
            } else {
                String::schema()
            };
            form.property(name, shape)
        })
        .additional_properties(Some(String::schema()))
        .description(Some(
            "`JobRequest` as names and values; `account.username` is the same as `account[username]`. \
             An empty field is as one that was not sent; fields of other names are passed over.",
        ))
}

fn text(pattern: &str, about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .pattern(Some(pattern))
        .description(Some(about))
}

fn whole_number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(0))
        .maximum(Some(999_999_999_999_999_999_i64))
}
