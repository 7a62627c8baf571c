//! Proofs of sectors in files.

use std::path::PathBuf;

use anyhow::{bail, Context, Result};
use filecoin_proofs::{
    generate_fallback_sector_challenges, generate_single_vanilla_proof,
    generate_window_post_with_vanilla, generate_winning_post_with_vanilla, with_shape,
    FallbackPoStSectorProof, PoStConfig, PoStType,
};
use storage_proofs_core::{merkle::MerkleTreeTrait, sector::SectorId};

use crate::{
    case::{Case, CaseSector},
    config::{prover_id, use_params, Form},
    sector::Place,
};

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub form: Form,
    #[command(flatten)]
    pub of: Sectors,
    /// folder with the keys
    #[arg(long)]
    params: PathBuf,
}

/// Sectors in files and the randomness they are challenged by.
#[derive(clap::Args, Debug)]
pub struct Sectors {
    /// folder that has sealed/ and cache/
    #[arg(long)]
    pub sectors: PathBuf,
    /// API version: 1.0.0, 1.1.0 or 1.2.0
    #[arg(long)]
    pub api: String,
    #[arg(long)]
    pub miner: u64,
    /// as in 0,1,5-9
    #[arg(long)]
    pub numbers: String,
    /// 32 bytes in hexadecimal
    #[arg(long)]
    pub randomness: String,
}

pub fn print_case(args: &Args) -> Result<()> {
    use_params(&args.params);
    let config = args.form.config(&args.of.api)?;
    let case = with_shape!(args.form.size, case_for, args, &config)?;
    println!("{}", serde_json::to_string(&case)?);
    Ok(())
}

fn case_for<Tree: 'static + MerkleTreeTrait>(args: &Args, config: &PoStConfig) -> Result<Case> {
    let mut case = Case {
        typ: args.form.typ.clone(),
        sector_size: args.form.size,
        api: args.of.api.clone(),
        miner: args.of.miner,
        prover_id: Some(hex::encode(prover_id(args.of.miner))),
        randomness: args.of.randomness.clone(),
        valid: true,
        ..Case::default()
    };
    let vanilla = vanilla::<Tree>(&args.of, config, &mut case)?;
    let (randomness, prover) = (case.randomness()?, case.prover_id()?);
    let proof = match config.typ {
        PoStType::Window => generate_window_post_with_vanilla::<Tree>(config, &randomness, prover, vanilla)?,
        PoStType::Winning => generate_winning_post_with_vanilla::<Tree>(config, &randomness, prover, vanilla)?,
    };
    case.proof = hex::encode(proof);
    Ok(case)
}

/// The vanilla proofs of the sectors, ascending; the case is told all of them.
fn vanilla<Tree: 'static + MerkleTreeTrait>(
    of: &Sectors,
    config: &PoStConfig,
    case: &mut Case,
) -> Result<Vec<FallbackPoStSectorProof<Tree>>> {
    let numbers = numbers(&of.numbers)?;
    let ids: Vec<SectorId> = numbers.iter().map(|n| SectorId::from(*n)).collect();
    let challenges =
        generate_fallback_sector_challenges::<Tree>(config, &case.randomness()?, &ids, case.prover_id()?)?;
    let mut proofs = Vec::new();
    for number in numbers {
        let (comm_r, replica) = Place::new(&of.sectors, of.miner, number)
            .open::<Tree>()
            .with_context(|| format!("sector {number}"))?;
        let leaves = &challenges[&SectorId::from(number)];
        let proof = generate_single_vanilla_proof::<Tree>(config, number.into(), &replica, leaves)?;
        case.sectors.push(CaseSector { number, comm_r: hex::encode(comm_r) });
        case.challenges.insert(number, leaves.clone());
        case.vanilla.push(hex::encode(bincode::serialize(&proof)?));
        proofs.push(proof);
    }
    Ok(proofs)
}

/// Reads "0,1,5-9" as ascending numbers, each once.
pub fn numbers(text: &str) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let parse = |n: &str| n.parse::<u64>().with_context(|| format!("{n:?} is no sector number"));
        all.extend(parse(first)?..=parse(last)?);
    }
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        bail!("no sectors");
    }
    Ok(all)
}
