//! Which proof is meant, in filecoin-proofs' words.

use std::{env, path::Path, str::FromStr};

use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use filecoin_proofs::{
    PoStConfig, PoStType, ProverId, SectorSize, SUPPORTED_SECTOR_SIZES,
    WINDOW_POST_CHALLENGE_COUNT, WINDOW_POST_SECTOR_COUNT, WINNING_POST_CHALLENGE_COUNT,
    WINNING_POST_SECTOR_COUNT,
};
use storage_proofs_core::api_version::ApiVersion;

/// The kind of proof and the sectors' size, which decide its key.
#[derive(Args, Clone, Debug)]
pub struct Form {
    /// window or winning
    #[arg(long)]
    pub typ: String,
    /// of a sector, in bytes
    #[arg(long)]
    pub size: u64,
}

impl Form {
    pub fn config(&self, api: &str) -> Result<PoStConfig> {
        ensure!(
            SUPPORTED_SECTOR_SIZES.contains(&self.size),
            "no sectors have {} bytes",
            self.size
        );
        let (typ, challenge_count, sector_count) = match self.typ.as_str() {
            "window" => {
                let counts = WINDOW_POST_SECTOR_COUNT.read().expect("not poisoned");
                (PoStType::Window, WINDOW_POST_CHALLENGE_COUNT, counts[&self.size])
            }
            "winning" => (
                PoStType::Winning,
                WINNING_POST_CHALLENGE_COUNT,
                WINNING_POST_SECTOR_COUNT,
            ),
            other => bail!("no proof is of type {other:?}"),
        };
        Ok(PoStConfig {
            sector_size: SectorSize(self.size),
            challenge_count,
            sector_count,
            typ,
            priority: false,
            api_version: ApiVersion::from_str(api).with_context(|| format!("API version {api:?}"))?,
        })
    }
}

/// Tells filecoin-proofs where keys are. It looks once, at its first use of one.
pub fn use_params(dir: &Path) {
    env::set_var("FIL_PROOFS_PARAMETER_CACHE", dir);
}

/// The prover id of a miner: its actor id as a varint, filled up with zeros.
pub fn prover_id(mut miner: u64) -> ProverId {
    let mut id = ProverId::default();
    for byte in id.iter_mut() {
        *byte = (miner & 0x7f) as u8;
        miner >>= 7;
        if miner == 0 {
            break;
        }
        *byte |= 0x80;
    }
    id
}
