package app

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// nodes checks the nodes of the file, or those of the environment if it has none.
func (c *checker) nodes(list []fileNode) []Node {
	if info := c.getenv(nodesVariable); len(list) == 1 && list[0].URL == "" && info != "" {
		return c.nodesOf(info, list[0])
	}
	var nodes []Node
	for i, f := range list {
		nodes = append(nodes, c.node(c.nodeKey(i), f))
		if first := nodes[0].Network; nodes[i].Network != "" && first != "" && nodes[i].Network != first {
			c.wrong(c.nodeKey(i)+".network", "all nodes must be of one network", "%q is not the network of the first node, %q", nodes[i].Network, first)
		}
	}
	return nodes
}

// nodesOf gives the nodes of a list in the environment; what else the file says holds for each.
func (c *checker) nodesOf(info string, f fileNode) []Node {
	var nodes []Node
	for address := range strings.SplitSeq(info, ",") {
		f.URL = strings.TrimSpace(address)
		nodes = append(nodes, c.node("node", f))
	}
	return nodes
}

// nodeKey is how the file names a node: [node] alone or the i-th [[node]].
func (c *checker) nodeKey(i int) string {
	if c.findings.has("node[0]") {
		return fmt.Sprintf("node[%d]", i)
	}
	return "node"
}

func (c *checker) node(key string, f fileNode) Node {
	c.nodeURL(key+".url", f.URL)
	n := Node{URL: f.URL, Token: Secret(f.Token), Network: f.Network, Timeout: c.timeout(key+".timeout", f.Timeout)}
	if f.TokenFile == "" {
		return n
	}
	if f.Token != "" {
		c.wrong(key+".token_file", "keep one of the two", "the token is given twice, in token and in token_file")
	}
	n.Token = c.secretFile(key+".token_file", f.TokenFile, "a Lotus node keeps its token in the file token of its repository")
	return n
}

func (c *checker) nodeURL(key, text string) {
	const advice = `write the node's API as url = "ws://127.0.0.1:1234/rpc/v1"`
	if text == "" {
		c.wrong(key, advice+", or set "+nodesVariable, "no node is given")
		return
	}
	if !strings.Contains(text, "://") {
		if !strings.Contains(text, "/") { // else a multiaddress, as in FULLNODE_API_INFO
			c.wrong(key, advice, "this is no URL")
		}
		return
	}
	if token, rest, hasToken := strings.Cut(text, ":"); hasToken && strings.Contains(token, ".") {
		text = rest // token:url
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		c.wrong(key, advice, "this is no URL: %v", errors.Unwrap(err))
	case u.Host == "":
		c.wrong(key, advice, "the URL names no host")
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https":
		c.wrong(key, "use ws, wss, http or https", "%s is no scheme of a node's API", u.Scheme)
	}
}

func (c *checker) timeout(key, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		c.wrong(key, `write it as "10s"`, "%q is no duration", text)
	} else if d < 100*time.Millisecond || d > 5*time.Minute {
		c.wrong(key, "choose one between 100ms and 5m; 10s is usual", "%s is too short or too long for a call", d)
	}
	return d
}
