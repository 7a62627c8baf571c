//! What proofs cost filecoin-proofs and bellperson on this machine's CPU.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{bail, ensure, Context, Result};
use bellperson::groth16::Parameters;
use filecoin_proofs::{
    as_safe_commitment, generate_fallback_sector_challenges, generate_single_vanilla_proof,
    single_partition_vanilla_proofs, with_shape, FallbackPoStSectorProof, PoStConfig, VanillaProof,
};
use rayon::prelude::*;
use serde_json::json;
use storage_proofs_core::{
    compound_proof::{self, CompoundProof},
    merkle::MerkleTreeTrait,
    parameter_cache::Bls12GrothParams,
    sector::SectorId,
};
use storage_proofs_post::fallback::{self, FallbackPoSt, FallbackPoStCompound, PublicSector};

use crate::{
    case::{self, bytes32, Case},
    config::{prover_id, Form},
    prove::{numbers, Sectors},
    sector::Place,
};

#[derive(clap::Args, Debug)]
pub struct ProveArgs {
    /// file with one window case that has its vanilla proofs
    #[arg(long)]
    case: PathBuf,
    /// the key; its points may be arbitrary
    #[arg(long)]
    params_file: PathBuf,
    /// 0: as many as filecoin-proofs has
    #[arg(long, default_value_t = 0)]
    sectors_per_partition: usize,
    /// "proof": one that is not measured; "file": the key is read through
    #[arg(long, default_value = "proof")]
    warm: String,
}

/// Warms up, says so, and proves the case's first partition for each line "prove".
pub fn prove(args: &ProveArgs) -> Result<()> {
    let value = case::read(&args.case)?.into_iter().next().context("the file has no case")?;
    let case: Case = serde_json::from_value(value)?;
    let mut config = case.form().config(&case.api)?;
    if args.sectors_per_partition > 0 {
        config.sector_count = args.sectors_per_partition;
    }
    with_shape!(case.sector_size, serve, args, &config, &case)
}

fn serve<Tree: 'static + MerkleTreeTrait>(args: &ProveArgs, config: &PoStConfig, case: &Case) -> Result<()> {
    let key = Parameters::build_mapped_parameters(args.params_file.clone(), false)?;
    let partition = Partition::<Tree>::new(config, case)?;
    match args.warm.as_str() {
        "proof" => drop(partition.prove(&key)?),
        "file" => read_through(&args.params_file)?,
        other => bail!("no warming by {other:?}"),
    }
    say(json!({"ready": true}))?;
    for line in io::stdin().lock().lines() {
        ensure!(line? == "prove", "only \"prove\" is known");
        say(partition.prove(&key)?)?;
    }
    Ok(())
}

/// One partition's statement and vanilla proofs.
struct Partition<'a, Tree: 'static + MerkleTreeTrait> {
    public: compound_proof::PublicParams<'a, FallbackPoSt<'a, Tree>>,
    inputs: fallback::PublicInputs<<Tree::Hasher as filecoin_hashers::Hasher>::Domain>,
    vanilla: VanillaProof<Tree>,
}

impl<Tree: 'static + MerkleTreeTrait> Partition<'_, Tree> {
    fn new(config: &PoStConfig, case: &Case) -> Result<Self> {
        let public = FallbackPoStCompound::setup(&compound_proof::SetupParams {
            vanilla_params: fallback::SetupParams {
                sector_size: case.sector_size,
                challenge_count: config.challenge_count,
                sector_count: config.sector_count,
                api_version: config.api_version,
            },
            partitions: None,
            priority: false,
        })?;
        let mut sectors = Vec::new();
        for s in case.sectors.iter().take(config.sector_count) {
            let comm_r = as_safe_commitment(&bytes32("comm_r", &s.comm_r)?, "comm_r")?;
            sectors.push(PublicSector { id: s.number.into(), comm_r });
        }
        let inputs = fallback::PublicInputs {
            randomness: as_safe_commitment(&case.randomness()?, "randomness")?,
            prover_id: as_safe_commitment(&case.prover_id()?, "prover_id")?,
            sectors,
            k: Some(0),
        };
        let vanilla = case
            .vanilla()?
            .iter()
            .map(|b| Ok(bincode::deserialize(b)?))
            .collect::<Result<Vec<FallbackPoStSectorProof<Tree>>>>()?;
        let vanilla = single_partition_vanilla_proofs(config, &public.vanilla_params, &inputs, &vanilla)?;
        Ok(Partition { public, inputs, vanilla })
    }

    fn prove(&self, key: &Bls12GrothParams) -> Result<serde_json::Value> {
        let vanilla = vec![self.vanilla.clone()];
        let clock = Clock::start();
        FallbackPoStCompound::prove_with_vanilla(&self.public, &self.inputs, vanilla, key)?;
        Ok(clock.stop())
    }
}

#[derive(clap::Args, Debug)]
pub struct VanillaArgs {
    /// of a sector, in bytes
    #[arg(long)]
    size: u64,
    #[command(flatten)]
    of: Sectors,
}

/// Makes each sector's vanilla proof, on all CPUs.
pub fn vanilla(args: &VanillaArgs) -> Result<()> {
    let config = Form { typ: "window".into(), size: args.size }.config(&args.of.api)?;
    with_shape!(args.size, vanilla_for, &args.of, &config)
}

fn vanilla_for<Tree: 'static + MerkleTreeTrait>(of: &Sectors, config: &PoStConfig) -> Result<()> {
    let numbers = numbers(&of.numbers)?;
    let ids: Vec<SectorId> = numbers.iter().map(|n| SectorId::from(*n)).collect();
    let randomness = bytes32("randomness", &of.randomness)?;
    let challenges =
        generate_fallback_sector_challenges::<Tree>(config, &randomness, &ids, prover_id(of.miner))?;
    let clock = Clock::start();
    numbers.par_iter().try_for_each(|number| -> Result<()> {
        let (_, replica) = Place::new(&of.sectors, of.miner, *number).open::<Tree>()?;
        let leaves = &challenges[&SectorId::from(*number)];
        generate_single_vanilla_proof::<Tree>(config, (*number).into(), &replica, leaves)?;
        Ok(())
    })?;
    let mut cost = clock.stop();
    cost["sectors"] = json!(numbers.len());
    say(cost)
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: cpu() }
    }

    fn stop(&self) -> serde_json::Value {
        json!({"cpu_s": cpu() - self.cpu, "wall_s": self.wall.elapsed().as_secs_f64()})
    }
}

/// The process's CPU time in seconds.
fn cpu() -> f64 {
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    // SAFETY: getrusage fills the struct, for which all zeros are a value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn say(value: serde_json::Value) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// Brings a file into the system's cache.
fn read_through(file: &Path) -> Result<()> {
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}
