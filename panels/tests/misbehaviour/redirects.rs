//! Redirects of all codes to all places: none is followed, and nobody else gets a request.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::suite::Stage;
use crate::support::{Answer, Canned};
use crate::{PAIR, named, open, suites};

/// Where nobody may ever come.
fn trap() -> TcpListener {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    trap
}

fn assert_untouched(trap: &TcpListener) {
    let came = trap.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(came, Err(ErrorKind::WouldBlock), "somebody came");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let trap = trap();
    let port = trap.local_addr().unwrap().port();
    let mut tried = 0;
    for suite in &suites() {
        let stage = Stage::new();
        let itself = stage.panel.address;
        for to in [
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/json-api/createacct"),
            format!("http://127.0.0.1:{port}/"),
            format!("//127.0.0.1:{port}/"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            format!("https://{itself}/api.php"),
            format!("http://{itself}/"),
            "/login".to_owned(),
            String::new(),
            "file:///etc/passwd".to_owned(),
        ] {
            for status in [301, 302, 307, 308] {
                for (name, _) in PAIR {
                    let scenario = named(suite, name);
                    let driver = open(suite, &stage);
                    let place = scenario.routes.len().min(2) - 1;
                    let place = if name == "find_present" { 0 } else { place };
                    let away = Canned::new(status, "text/html", "<html>moved</html>");
                    let answer = Answer::from(away.with("Location", &to));
                    stage.set(&scenario.routes, Some((place, answer)));
                    let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                    let title = format!("{} {name} {status} {to}", suite.driver);
                    assert_eq!(result.unwrap_err().class(), "auth", "{title}");
                    assert_eq!(stage.panel.received().len(), place + 1, "{title}");
                    tried += 1;
                }
            }
        }
        assert!(stage.unexpected.lock().unwrap().is_empty());
    }
    assert_untouched(&trap);
    println!("{tried} redirects, none followed");
}

#[tokio::test]
async fn no_code_with_a_location_is_followed() {
    let trap = trap();
    let to = format!("https://{}/", trap.local_addr().unwrap());
    for suite in &suites() {
        let stage = Stage::new();
        let scenario = named(suite, "find_present");
        for status in 300..400 {
            let driver = open(suite, &stage);
            let away = Canned::new(status, "text/html", "").with("Location", &to);
            stage.set(&scenario.routes, Some((0, away.into())));
            let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
            let class = result.unwrap_err().class();
            // Not modified is no redirect, whatever else it says.
            let right = if status == 304 {
                ["auth", "transient"]
            } else {
                ["auth"; 2]
            };
            assert!(right.contains(&class), "{status}: {class}");
        }
    }
    assert_untouched(&trap);
}

/// Also the thousandth time it is one request for each call.
#[tokio::test]
async fn a_panel_that_leads_to_itself_gets_one_request_for_each_call() {
    for suite in &suites() {
        let stage = Stage::new();
        let driver = open(suite, &stage);
        let scenario = named(suite, "find_present");
        let itself = format!("https://{}/", stage.panel.address);
        let away = Canned::new(302, "text/html", "").with("Location", &itself);
        stage.set(&scenario.routes, Some((0, away.into())));
        for _ in 0..1000 {
            let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
            assert_eq!(result.unwrap_err().class(), "auth");
        }
        assert_eq!(stage.panel.received().len(), 1000, "{}", suite.driver);
    }
}
