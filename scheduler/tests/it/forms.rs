//! Platforms that post all their fields to one address for each action.

use jobs::store::Outcome;
use reqwest::{Method, StatusCode};

use crate::support::{Answer, App, answer, succeeded};

/// What such a platform sends with every action, and more of its own.
const FIELDS: &str = "server=web1&account.domain=acme.example.com&account.email=owner%40example.com\
    &account.package=gold&_action=service_notice_add&_service%5Bid%5D=7&_package%5Bmeta%5D%5Bserver%5D=web1";

async fn post(app: &App, kind: &str, fields: &str) -> Answer {
    let request = app
        .request(Method::POST, &format!("/v1/forms/{kind}"))
        .basic_auth("hostler", Some(&app.token))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(fields.to_owned());
    answer(request).await
}

/// The id in a line of text.
fn id(answer: &Answer) -> String {
    let (_, rest) = answer.text.split_once("id=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn one_intent_is_one_job_however_often_it_is_posted() {
    let app = App::start().await;
    let first = post(&app, "create", FIELDS).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let create = id(&first);
    assert_eq!(first.text, format!("state=queued id={create}\n"));
    let again = post(&app, "create", FIELDS).await;
    assert_eq!((again.status, id(&again)), (StatusCode::OK, create.clone()));
    // The owner's address was changed meanwhile.
    let other = FIELDS.replace("owner", "new");
    assert_eq!(id(&post(&app, "create", &other).await), create);

    app.work(&create, succeeded()).await;
    let done = post(&app, "create", FIELDS).await;
    assert_eq!(done.text, format!("state=succeeded id={create}\n"));

    // Fields that a suspend has no use for are passed over.
    let suspend = id(&post(&app, "suspend", FIELDS).await);
    assert_eq!(id(&post(&app, "suspend", FIELDS).await), suspend);
    app.work(&suspend, succeeded()).await;
    let unsuspend = id(&post(&app, "unsuspend", FIELDS).await);
    app.work(&unsuspend, succeeded()).await;
    let second = post(&app, "suspend", FIELDS).await;
    assert_ne!(id(&second), suspend, "another intent, not the old success");
    assert_eq!(second.text, format!("state=queued id={}\n", id(&second)));
    let row = app.row(&id(&second)).await;
    assert_eq!(row.idem_key, "form:acme.example.com:suspend:2");
}

#[tokio::test]
async fn what_failed_is_tried_anew_and_what_differs_is_another_job() {
    let app = App::start().await;
    let create = id(&post(&app, "create", FIELDS).await);
    app.work(&create, Outcome::Failed).await;
    let next = id(&post(&app, "create", FIELDS).await);
    assert_ne!(next, create);
    app.work(&next, succeeded()).await;

    let with = |password: &str| format!("{FIELDS}&account.password={password}");
    let one = id(&post(&app, "change_password", &with("Xy7-first-Pass9")).await);
    assert_eq!(
        id(&post(&app, "change_password", &with("Xy7-first-Pass9")).await),
        one
    );
    let two = id(&post(&app, "change_password", &with("Xy7-other-Pass9")).await);
    assert_ne!(two, one, "the second password is not the first one's job");
}

#[tokio::test]
async fn a_form_for_one_kind_needs_its_scope_and_an_account() {
    let app = App::start().await;
    let nobody = post(&app, "suspend", "server=web1").await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = post(&app, "destroy", FIELDS).await;
    assert_eq!(unknown.fields(), ["kind"]);
    let internal = post(&app, "deliver_webhook", FIELDS).await;
    assert_eq!(internal.fields(), ["kind"]);
    let token = app.token_with(&[scheduler::Scope::Read], None).await;
    let request = app
        .request(Method::POST, "/v1/forms/create")
        .bearer_auth(&token)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(FIELDS);
    assert_eq!(answer(request).await.status, StatusCode::FORBIDDEN);
}
