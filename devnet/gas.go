package devnet

const blockGasLimit = 10_000_000_000
