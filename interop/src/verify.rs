//! Verdicts on cases.

use std::{
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use anyhow::{anyhow, Context, Result};
use filecoin_proofs::{
    verify_window_post, verify_winning_post, with_shape, PoStConfig, PoStType, PublicReplicaInfo,
};
use serde_json::{json, Value};
use storage_proofs_core::{merkle::MerkleTreeTrait, sector::SectorId};

use crate::{
    case::{self, bytes32, Case},
    config::use_params,
};

/// Prints a line for each case: filecoin-proofs' verdict is true, false or error.
pub fn judge(params: &Path, files: &[PathBuf]) -> Result<()> {
    use_params(params);
    panic::set_hook(Box::new(|_| {})); // a panic is a verdict, too
    for file in files {
        for (index, value) in case::read(file)?.into_iter().enumerate() {
            let verdict = panic::catch_unwind(AssertUnwindSafe(|| verdict(value)))
                .unwrap_or_else(|_| Err(anyhow!("filecoin-proofs panicked")));
            let (verdict, error) = match verdict {
                Ok(valid) => (valid.to_string(), String::new()),
                Err(e) => ("error".into(), format!("{e:#}")),
            };
            println!(
                "{}",
                json!({"file": file.display().to_string(), "index": index, "verdict": verdict, "error": error})
            );
        }
    }
    Ok(())
}

fn verdict(value: Value) -> Result<bool> {
    let case: Case = serde_json::from_value(value).context("read the case")?;
    let form = case.form();
    let config = form.config(&case.api)?;
    with_shape!(form.size, verdict_for, &config, &case)
}

fn verdict_for<Tree: 'static + MerkleTreeTrait>(config: &PoStConfig, case: &Case) -> Result<bool> {
    let (randomness, prover) = (case.randomness()?, case.prover_id()?);
    let proof = hex::decode(&case.proof).context("proof")?;
    let mut replicas = Vec::new();
    for s in &case.sectors {
        let comm_r = bytes32("comm_r", &s.comm_r)?;
        replicas.push((SectorId::from(s.number), PublicReplicaInfo::new(comm_r)?));
    }
    match config.typ {
        PoStType::Window => {
            let sorted = replicas.into_iter().collect();
            verify_window_post::<Tree>(config, &randomness, &sorted, prover, &proof)
        }
        PoStType::Winning => {
            verify_winning_post::<Tree>(config, &randomness, &replicas, prover, &proof)
        }
    }
}
