//! The oracle: what filecoin-proofs, the implementation that Filecoin's network
//! runs, makes of the same sectors and statements as Vigil's proofs. It is for
//! tests and measurements only; nothing of Vigil links it.
//!
//! Results are JSON on stdout. What could not be done is said on stderr, with exit
//! code 1. Cases have the form of `vigil proof prove` and `vigil proof verify`.

mod bench;
mod case;
mod config;
mod params;
mod prove;
mod sector;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use config::Form;

#[derive(Parser)]
#[command(about = "What filecoin-proofs says, for Vigil's tests")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key by a random local setup under its published name, if it is missing
    Params {
        #[command(flatten)]
        form: Form,
        #[arg(long)]
        params: PathBuf,
    },
    /// Print the cache identifiers of all sizes and types
    Ids,
    /// Write a sector of random content that can be proven
    Sector(sector::Args),
    /// Prove sectors and print the case
    Prove(prove::Args),
    /// Judge the cases in files, a line for each
    Verify {
        #[arg(long)]
        params: PathBuf,
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Prove a case whenever a line of stdin says "prove"
    BenchProve(bench::ProveArgs),
    /// Make the vanilla proofs of sectors and print what that took
    BenchVanilla(bench::VanillaArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("vigil-oracle: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Params { form, params } => params::make(&form, &params),
        Command::Ids => params::print_ids(),
        Command::Sector(args) => sector::write(&args),
        Command::Prove(args) => prove::print_case(&args),
        Command::Verify { params, files } => verify::judge(&params, &files),
        Command::BenchProve(args) => bench::prove(&args),
        Command::BenchVanilla(args) => bench::vanilla(&args),
    }
}
