//! The stage: simulated panels with their faults, registered as servers, and a token for the API.

use hosting::ServerName;
use jobs::new_public_id;
use panels::DRIVERS;
use scheduler::Scope;
use scheduler::registry::{self, NewServer, NewToken, RegistryError};
use secrecy::{ExposeSecret, SecretString};
use simulator::{Applied, Fault, Latency, Options, PanelKind, Reply, Simulator};

use crate::error::Failure;
use crate::start::Ground;

/// The panels' calls take this part of their usual time.
const LATENCY: f64 = 0.01;

/// Login names that every panel takes.
const NAMES: [&str; 12] = [
    "acorn", "birch", "cedar", "daisy", "elder", "fern", "grove", "hazel", "iris", "juniper",
    "kelp", "larch",
];

/// One simulated panel and what is to happen on it.
pub(super) struct Panel {
    /// Its name as a server.
    pub(super) server: String,
    pub(super) simulator: Simulator,
    /// The login names that will be made on it.
    pub(super) users: Vec<String>,
}

/// What a demonstration plays on.
pub(super) struct Stage {
    pub(super) panels: Vec<Panel>,
    pub(super) token: String,
}

impl Stage {
    /// Starts the panels, registers them, and makes a platform with a token.
    pub(super) async fn set(ground: &Ground, accounts: u32) -> Result<Self, Failure> {
        // A data folder may have seen a demonstration before.
        let run = new_public_id().to_lowercase();
        let run = &run[run.len() - 4..];
        let mut panels = Vec::new();
        for (at, kind) in PanelKind::ALL.into_iter().enumerate() {
            let options = Options {
                latency: Latency::Realistic { scale: LATENCY },
                seed: 7,
                ..Options::new(kind)
            };
            let simulator = simulator::start(options)
                .await
                .map_err(|error| Failure::work(error.to_string()))?;
            let count = (accounts as usize + PanelKind::ALL.len() - 1 - at) / PanelKind::ALL.len();
            let panel = Panel {
                server: free_name(ground, &format!("web{}", at + 1), run).await?,
                users: (0..count).map(|number| username(at, number)).collect(),
                simulator,
            };
            register(ground, &panel).await?;
            arm(&panel);
            panels.push(panel);
        }
        let token = token(ground, run).await?;
        Ok(Self { panels, token })
    }
}

/// The name, with the run's mark behind it where it is taken.
async fn free_name(ground: &Ground, name: &str, run: &str) -> Result<String, Failure> {
    match registry::server_named(&ground.store, name).await {
        Err(RegistryError::NotFound(_)) => Ok(name.to_owned()),
        Ok(_) => Ok(format!("{name}-{run}")),
        Err(error) => Err(error.into()),
    }
}

fn username(panel: usize, number: usize) -> String {
    let name = NAMES[number % NAMES.len()];
    let tail = ["w", "f"][panel % 2];
    match number / NAMES.len() {
        0 => format!("{name}{tail}"),
        round => format!("{name}{tail}{round}"),
    }
}

async fn register(ground: &Ground, panel: &Panel) -> Result<(), Failure> {
    let kind = panel.simulator.kind().to_string();
    let driver = DRIVERS
        .iter()
        .find(|driver| driver.name == kind)
        .ok_or_else(|| Failure::work(format!("there is no driver `{kind}`")))?;
    let name: ServerName = panel
        .server
        .parse()
        .map_err(|error| Failure::work(format!("{error}")))?;
    let loopback = "127.0.0.0/8"
        .parse()
        .map_err(|error| Failure::work(format!("{error}")))?;
    let secret = SecretString::from(panel.simulator.secret().to_owned());
    let new = NewServer {
        user: Some(panel.simulator.user().to_owned()),
        pins: vec![panel.simulator.pin()],
        allow_networks: vec![loopback],
        ..NewServer::new(name, (driver.rules)(), &panel.simulator.url(), secret)
    };
    registry::add_server(&ground.store, &ground.keys, new).await?;
    Ok(())
}

async fn token(ground: &Ground, run: &str) -> Result<String, Failure> {
    let platform = registry::add_platform(&ground.store, &format!("demo-{run}")).await?;
    let new = NewToken {
        platform_id: platform.id,
        name: "demo".to_owned(),
        scopes: [
            Scope::Create,
            Scope::Suspend,
            Scope::Terminate,
            Scope::Change,
            Scope::Read,
            Scope::Traffic,
        ]
        .into(),
        servers: None,
        expires_at: None,
    };
    let made = registry::create_token(&ground.store, &new).await?;
    Ok(made.text.expose_secret().to_owned())
}

/// What goes wrong on the way. Only for accounts that there are.
fn arm(panel: &Panel) {
    let unavailable = || Reply::Status {
        code: 503,
        body: "Service Unavailable".to_owned(),
    };
    let plan: Vec<(usize, Fault)> = match panel.simulator.kind() {
        PanelKind::Cpanel => vec![
            (
                0,
                Fault::on("createacct")
                    .applied(Applied::Yes)
                    .reply(Reply::Never),
            ),
            (
                1,
                Fault::on("createacct")
                    .applied(Applied::No)
                    .reply(unavailable()),
            ),
            (
                0,
                Fault::on("suspendacct")
                    .applied(Applied::Yes)
                    .reply(Reply::Reset),
            ),
            (
                4,
                Fault::on("removeacct")
                    .applied(Applied::Yes)
                    .reply(unavailable()),
            ),
        ],
        PanelKind::Froxlor => vec![
            (
                0,
                Fault::on("Customers.add")
                    .applied(Applied::Yes)
                    .reply(unavailable()),
            ),
            (
                1,
                Fault::on("Customers.add")
                    .applied(Applied::No)
                    .reply(Reply::Reset),
            ),
        ],
        PanelKind::HostBill => Vec::new(),
    };
    for (user, fault) in plan {
        if let Some(name) = panel.users.get(user) {
            panel.simulator.faults().add(fault.for_user(name));
        }
    }
    let (busy, stats) = match panel.simulator.kind() {
        PanelKind::Cpanel => ("listpkgs", "showbw"),
        PanelKind::Froxlor => ("Customers.update", "Traffic.listing"),
        PanelKind::HostBill => return,
    };
    let throttled = Reply::Throttled {
        retry_after: "1".to_owned(),
    };
    let faults = panel.simulator.faults();
    faults.add(Fault::on(busy).applied(Applied::No).reply(throttled));
    faults.add(Fault::on(stats).reply(Reply::CutBody { after: 40 }));
}
