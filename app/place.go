package app

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Place is where the daemon of a configuration is found by the commands that
// ask it something.
type Place struct {
	URL  string // of its HTTP server; empty if it has none
	Data string // its data folder
}

// loadForAsking reads of a configuration file only what is needed to ask its nodes
// of its miners: what is wrong with storages or keys is no reason not to.
func loadForAsking(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Config{}, err
	}
	findings := newFindings(path, data)
	nodes, rest, ok := readFile(findings, defaults(os.Getenv))
	if !ok {
		return Config{}, findings.err()
	}
	c := checker{findings: findings, dir: filepath.Dir(absolute), getenv: os.Getenv}
	config := Config{Nodes: c.nodes(nodes), Miners: c.miners(rest.Miners), Data: c.data(rest.Data.Dir)}
	if len(findings.list) > 0 {
		return Config{}, findings.err()
	}
	return config, nil
}

// Locate reads from a configuration file where its daemon is. What it does not
// need for that, such as the passphrase, may be missing.
func Locate(path string) (Place, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Place{}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Place{}, err
	}
	findings := newFindings(path, data)
	_, rest, ok := readFile(findings, defaults(os.Getenv))
	if !ok {
		return Place{}, findings.err()
	}
	c := checker{findings: findings, dir: filepath.Dir(absolute), getenv: os.Getenv}
	p := Place{Data: c.data(rest.Data.Dir)}
	page := c.dashboard(rest.Dashboard)
	if len(findings.list) > 0 {
		return Place{}, findings.err()
	}
	p.URL = reachable(page.Listen)
	return p, nil
}

// UsualPlace is where a daemon is whose configuration says nothing else.
func UsualPlace() Place {
	usual := defaults(os.Getenv)
	return Place{URL: reachable(usual.Dashboard.Listen), Data: filepath.Clean(usual.Data.Dir)}
}

// reachable is the URL under which this machine reaches a server that listens there.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("http://%s", net.JoinHostPort(host, port))
}
