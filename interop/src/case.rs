//! A proof with all it is judged by, in JSON.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use anyhow::{ensure, Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{prover_id, Form};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Case {
    pub typ: String,
    pub sector_size: u64,
    pub api: String,
    pub miner: u64,
    pub prover_id: Option<String>,
    pub randomness: String,
    pub sectors: Vec<CaseSector>,
    pub challenges: BTreeMap<u64, Vec<u64>>,
    pub vanilla: Vec<String>,
    pub proof: String,
    pub valid: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseSector {
    pub number: u64,
    pub comm_r: String,
}

impl Case {
    pub fn form(&self) -> Form {
        Form { typ: self.typ.clone(), size: self.sector_size }
    }

    pub fn prover_id(&self) -> Result<[u8; 32]> {
        match &self.prover_id {
            Some(id) => bytes32("prover_id", id),
            None => Ok(prover_id(self.miner)),
        }
    }

    pub fn randomness(&self) -> Result<[u8; 32]> {
        bytes32("randomness", &self.randomness)
    }

    pub fn vanilla(&self) -> Result<Vec<Vec<u8>>> {
        self.vanilla.iter().map(|v| Ok(hex::decode(v)?)).collect()
    }
}

/// Reads a file's one case or array of them, without looking into them.
pub fn read(file: &Path) -> Result<Vec<Value>> {
    let open = File::open(file).with_context(|| format!("open {}", file.display()))?;
    let value = serde_json::from_reader(BufReader::new(open))
        .with_context(|| format!("read {}", file.display()))?;
    Ok(match value {
        Value::Array(cases) => cases,
        one => vec![one],
    })
}

pub fn bytes32(what: &str, text: &str) -> Result<[u8; 32]> {
    let b = hex::decode(text).with_context(|| what.to_string())?;
    ensure!(b.len() == 32, "{what} has {} bytes", b.len());
    let mut out = [0; 32];
    out.copy_from_slice(&b);
    Ok(out)
}
