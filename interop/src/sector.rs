//! Sectors that can be proven though nothing was sealed: any replica of field
//! elements with its tree will do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use filecoin_hashers::{Domain, HashFunction, Hasher};
use filecoin_proofs::{generate_tree_r_last, with_shape, PersistentAux, PrivateReplicaInfo};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::json;
use storage_proofs_core::{cache_key::CacheKey, merkle::MerkleTreeTrait};

use crate::case::bytes32;

#[derive(clap::Args, Debug)]
pub struct Args {
    /// of the sector, in bytes
    #[arg(long)]
    size: u64,
    #[arg(long)]
    miner: u64,
    #[arg(long)]
    number: u64,
    /// folder that has or gets sealed/ and cache/
    #[arg(long)]
    sectors: PathBuf,
    /// 32 bytes in hexadecimal that decide the content; drawn if not given
    #[arg(long)]
    seed: Option<String>,
}

pub fn write(args: &Args) -> Result<()> {
    crate::config::Form { typ: "window".into(), size: args.size }.config("1.2.0")?;
    let mut rng = match &args.seed {
        Some(seed) => ChaCha20Rng::from_seed(bytes32("seed", seed)?),
        None => ChaCha20Rng::from_entropy(),
    };
    let place = Place::new(&args.sectors, args.miner, args.number);
    let comm_r = with_shape!(args.size, write_for, args.size, &place, &mut rng)?;
    println!("{}", json!({"number": args.number, "comm_r": hex::encode(comm_r)}));
    Ok(())
}

fn write_for<Tree: 'static + MerkleTreeTrait>(
    size: u64,
    place: &Place,
    rng: &mut ChaCha20Rng,
) -> Result<[u8; 32]> {
    fs::create_dir_all(&place.cache)?;
    fs::create_dir_all(place.replica.parent().context("a replica lies in a folder")?)?;
    let mut replica = vec![0; usize::try_from(size)?];
    rng.fill_bytes(&mut replica);
    for node in replica.chunks_mut(32) {
        node[31] &= 0x3f;
    }
    fs::write(&place.replica, &replica)?;
    let comm_c = <Tree::Hasher as Hasher>::Domain::random(rng);
    let comm_r_last = generate_tree_r_last::<_, _, Tree>(size, &place.replica, &place.cache)?;
    let comm_r = <Tree::Hasher as Hasher>::Function::hash2(&comm_c, &comm_r_last);
    let p_aux = PersistentAux { comm_c, comm_r_last };
    fs::write(place.cache.join(CacheKey::PAux.to_string()), bincode::serialize(&p_aux)?)?;
    let mut comm_r_bytes = [0; 32];
    comm_r.write_bytes(&mut comm_r_bytes)?;
    fs::write(place.comm_r(), comm_r_bytes)?;
    Ok(comm_r_bytes)
}

/// Where a sector's files lie.
pub struct Place {
    pub replica: PathBuf,
    pub cache: PathBuf,
}

impl Place {
    pub fn new(dir: &Path, miner: u64, number: u64) -> Place {
        let name = format!("s-t0{miner}-{number}");
        Place { replica: dir.join("sealed").join(&name), cache: dir.join("cache").join(&name) }
    }

    fn comm_r(&self) -> PathBuf {
        self.cache.join("comm_r")
    }

    pub fn open<Tree: 'static + MerkleTreeTrait>(
        &self,
    ) -> Result<([u8; 32], PrivateReplicaInfo<Tree>)> {
        let file = self.comm_r();
        let b = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let comm_r = b.as_slice().try_into().context("comm_r has 32 bytes")?;
        let info = PrivateReplicaInfo::new(self.replica.clone(), comm_r, self.cache.clone())?;
        Ok((comm_r, info))
    }
}
