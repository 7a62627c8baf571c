package chain

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// defaultPath is where nodes serve the API that is spoken here.
const defaultPath = "/rpc/v1"

// endpoint is where a node's API is and what opens it.
type endpoint struct {
	url   string // ws:// or wss://, without secrets: it may be logged
	token string
}

// tokenAndAddress is the form of FULLNODE_API_INFO: a JWT, a colon, an address.
var tokenAndAddress = regexp.MustCompile(`^([\w-]+\.[\w-]+\.[\w-]*):(.+)$`)

// parseEndpoint takes an address as people have it: a URL or a multiaddress,
// with the token before it or apart.
func parseEndpoint(address, token string) (endpoint, error) {
	address, token = strings.TrimSpace(address), strings.TrimSpace(token)
	if m := tokenAndAddress.FindStringSubmatch(address); m != nil {
		if token != "" && token != m[1] {
			return endpoint{}, errors.New("the node's address holds a token and another token is given: keep one")
		}
		token, address = m[1], m[2]
	}
	token = strings.TrimPrefix(token, "Bearer ")
	if strings.ContainsAny(token, " \r\n\t") {
		return endpoint{}, errors.New("the node's token contains white space: give the token alone, as `lotus auth create-token` prints it")
	}
	u, err := parseAddress(address)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{url: u.String(), token: token}, nil
}

func parseAddress(address string) (*url.URL, error) {
	if address == "" {
		return nil, errors.New("no node is given: set its URL, for example ws://127.0.0.1:1234/rpc/v1")
	}
	if strings.HasPrefix(address, "/") {
		return parseMultiaddr(address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is not a node's address: give http://host:port, ws://host:port or /ip4/host/tcp/port/http", address)
	}
	if u.User != nil {
		return nil, errors.New("the node's URL holds a user name: give a token instead")
	}
	scheme, ok := map[string]string{"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}[u.Scheme]
	if !ok {
		return nil, fmt.Errorf("%s: a node is reached by http, https, ws or wss, not by %q", u.Redacted(), u.Scheme)
	}
	u.Scheme = scheme
	switch path := strings.TrimRight(u.Path, "/"); {
	case path == "":
		u.Path = defaultPath
	case strings.HasSuffix(path, "/rpc/v0"):
		return nil, fmt.Errorf("%s: the old API at /rpc/v0 is not spoken; use /rpc/v1", u.Redacted())
	}
	return u, nil
}

// parseMultiaddr takes the multiaddresses nodes write into their api files,
// such as /ip4/127.0.0.1/tcp/1234/http.
func parseMultiaddr(address string) (*url.URL, error) {
	wrong := fmt.Errorf("%q is not a node's address: want /ip4/host/tcp/port/http, also with ip6, dns, dns4, dns6, https, ws and wss", address)
	parts := strings.Split(strings.Trim(address, "/"), "/")
	if len(parts) < 4 || len(parts) > 5 || parts[2] != "tcp" {
		return nil, wrong
	}
	switch parts[0] {
	case "ip4", "ip6":
		if net.ParseIP(parts[1]) == nil {
			return nil, wrong
		}
	case "dns", "dns4", "dns6":
	default:
		return nil, wrong
	}
	scheme := "ws"
	if len(parts) == 5 {
		s, ok := map[string]string{"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}[parts[4]]
		if !ok {
			return nil, wrong
		}
		scheme = s
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(parts[1], parts[3]), Path: defaultPath}, nil
}
