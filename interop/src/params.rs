//! Keys in bellperson's files, under filecoin-proofs' names.

use std::path::Path;

use anyhow::Result;
use filecoin_proofs::{
    parameters::{window_post_public_params, winning_post_public_params},
    with_shape, PoStConfig, PoStType, SUPPORTED_SECTOR_SIZES,
};
use rand::rngs::OsRng;
use serde_json::json;
use storage_proofs_core::{compound_proof::CompoundProof, merkle::MerkleTreeTrait};
use storage_proofs_post::fallback::FallbackPoStCompound;

use crate::config::{use_params, Form};

pub fn make(form: &Form, dir: &Path) -> Result<()> {
    use_params(dir);
    let config = form.config("1.2.0")?;
    with_shape!(form.size, make_for, &config)
}

fn make_for<Tree: 'static + MerkleTreeTrait>(config: &PoStConfig) -> Result<()> {
    let public = match config.typ {
        PoStType::Window => window_post_public_params::<Tree>(config)?,
        PoStType::Winning => winning_post_public_params::<Tree>(config)?,
    };
    FallbackPoStCompound::<Tree>::groth_params(Some(&mut OsRng), &public)?;
    FallbackPoStCompound::<Tree>::verifying_key(Some(&mut OsRng), &public)?;
    Ok(())
}

pub fn print_ids() -> Result<()> {
    let mut ids = Vec::new();
    for size in SUPPORTED_SECTOR_SIZES {
        for typ in ["window", "winning"] {
            let form = Form { typ: typ.into(), size };
            let config = form.config("1.2.0")?;
            ids.push(json!({"typ": typ, "size": size, "id": with_shape!(size, id_for, &config)?}));
        }
    }
    println!("{}", serde_json::to_string(&ids)?);
    Ok(())
}

fn id_for<Tree: 'static + MerkleTreeTrait>(config: &PoStConfig) -> Result<String> {
    config.get_cache_identifier::<Tree>()
}
