package app

import _ "embed"

// Example is a configuration file with every setting: those that there must be,
// and as comments the others with their defaults. The manual shows the same.
//
//go:embed example.toml
var Example string
