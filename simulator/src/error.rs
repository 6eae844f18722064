//! Why a simulator cannot start or read its files.

use std::path::PathBuf;

/// What keeps a simulator from starting, or a file from being read.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The listener could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The TLS settings were refused.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// A file could not be opened, written or read.
    #[error("cannot use the file {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A fault plan or a ledger file is not what it should be.
    #[error("{path}: {reason}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where that is known.
        reason: String,
    },
    /// No panel of that name.
    #[error("no simulated panel is called {0:?} (there are: cpanel, froxlor)")]
    UnknownPanel(String),
}
