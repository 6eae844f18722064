//! What a simulator is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{FaultPlan, SimulatorError};

/// Which panel to pretend to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PanelKind {
    /// cPanel & WHM, its WHM API 1 (and the old API 0 envelope for calls without `api.version=1`).
    Cpanel,
    /// Froxlor 2.3, with the 0.10 envelope as an option.
    Froxlor,
    /// HostBill's user API: a supplier, as one client of it sees it.
    HostBill,
}

impl PanelKind {
    /// Every panel of a hosting server that can be simulated.
    pub const ALL: [PanelKind; 2] = [PanelKind::Cpanel, PanelKind::Froxlor];
}

impl fmt::Display for PanelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PanelKind::Cpanel => "cpanel",
            PanelKind::Froxlor => "froxlor",
            PanelKind::HostBill => "hostbill",
        })
    }
}

impl FromStr for PanelKind {
    type Err = SimulatorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpanel" => Ok(PanelKind::Cpanel),
            "froxlor" => Ok(PanelKind::Froxlor),
            "hostbill" => Ok(PanelKind::HostBill),
            other => Err(SimulatorError::UnknownPanel(other.to_owned())),
        }
    }
}

/// How long calls take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// As fast as possible.
    None,
    /// The panel's usual durations times `scale`: 1.0 is a real server (a `createacct` takes 10 to 60 s), 0.01 lets a
    /// demonstration of a minute show many of them.
    Realistic {
        /// Factor on the usual durations.
        scale: f64,
    },
}

/// Whether accounts make traffic by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Only what a test adds.
    None,
    /// Each account gets a day's worth each time the panel's clock passes midnight, the amount drawn from the seed.
    /// Accounts that exist at the start have a history since the first of the previous month.
    Daily,
}

/// Which certificate the listener shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Self-signed, for `localhost`, `127.0.0.1`, `::1` and the host name.
    Good,
    /// Its validity ended in the year 2021.
    Expired,
    /// Made for another host name.
    WrongHost,
}

/// The settings of one simulated panel.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which panel.
    pub panel: PanelKind,
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// How many accounts exist already at the start.
    pub accounts: u32,
    /// Names, sizes, tokens and traffic are drawn from this number: the same seed makes the same panel.
    pub seed: u64,
    /// The ledger's file; entries are appended as JSON lines and reach the disk before the reply leaves.
    pub ledger: Option<PathBuf>,
    /// Faults to begin with.
    pub faults: Option<FaultPlan>,
    /// The panel's own name, as in `web1.example.net`.
    pub host_name: String,
    /// How long calls take.
    pub latency: Latency,
    /// What the panel's clock shows at the start; it runs on from there. None is this machine's time.
    pub now: Option<DateTime<Utc>>,
    /// How far the panel's clock is from that.
    pub now_offset: TimeDelta,
    /// The panel's time zone, in minutes east of UTC; days and months begin by it.
    pub zone_minutes: i32,
    /// Whether accounts make traffic by themselves.
    pub growth: Growth,
    /// Which certificate to show.
    pub certificate: Certificate,
    /// Addresses in the pool of dedicated IPs (WHM).
    pub free_ips: u32,
}

impl Options {
    /// A fresh panel on any loopback port: no accounts, no faults, no latency, no traffic, seed 1.
    #[must_use]
    pub fn new(panel: PanelKind) -> Self {
        Options {
            panel,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            accounts: 0,
            seed: 1,
            ledger: None,
            faults: None,
            host_name: match panel {
                PanelKind::Cpanel => "web1.example.net".to_owned(),
                PanelKind::Froxlor => "web2.example.net".to_owned(),
                PanelKind::HostBill => "portal.example.net".to_owned(),
            },
            latency: Latency::None,
            now: None,
            now_offset: TimeDelta::zero(),
            zone_minutes: 0,
            growth: Growth::None,
            certificate: Certificate::Good,
            free_ips: 4,
        }
    }
}
