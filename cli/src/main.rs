//! The `hostler` binary.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // First of all: whoever opens a TLS connection before this line would panic. One provider, ring.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: a TLS provider is installed already");
        return ExitCode::from(1);
    }
    let args = cli::Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(cli::run(args));
            // A blocking read of standard input must not hold the end up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: no threads: {error}");
            ExitCode::from(1)
        }
    }
}
