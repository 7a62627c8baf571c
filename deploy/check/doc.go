// Package check has tests alone: Prometheus's own parser reads the rules and the
// dashboard of deploy/, and the rules are played on made-up series. It is a module
// of its own, because Vigil does not need Prometheus's server to be built.
package check
