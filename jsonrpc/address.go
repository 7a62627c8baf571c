package jsonrpc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// tokenAndAddress is how Filecoin's programs write both into one variable: a
// JWT, a colon, an address.
var tokenAndAddress = regexp.MustCompile(`^([\w-]+\.[\w-]+\.[\w-]*):(.+)$`)

// ParseAddress takes an address as people have it, a URL or a multiaddress,
// with the token before it or apart, and gives the URL to post to, without the
// token. A URL without a path gets the default one; ws is asked as http, since
// the servers take both at the same path.
func ParseAddress(address, token, defaultPath string) (at, with string, err error) {
	address, token = strings.TrimSpace(address), strings.TrimSpace(token)
	if m := tokenAndAddress.FindStringSubmatch(address); m != nil {
		if token != "" && token != m[1] {
			return "", "", errors.New("the address holds a token and another token is given: keep one")
		}
		token, address = m[1], m[2]
	}
	token = strings.TrimPrefix(token, "Bearer ")
	if strings.ContainsAny(token, " \r\n\t") {
		return "", "", errors.New("the token contains white space: give the token alone")
	}
	u, err := parseURL(address)
	if err != nil {
		return "", "", err
	}
	if strings.TrimRight(u.Path, "/") == "" {
		u.Path = defaultPath
	}
	return u.String(), token, nil
}

// shown is an address as an error may show it: one that may hold a secret, in
// whatever form it was meant, is not repeated.
func shown(address string) string {
	if len(address) > 64 || strings.ContainsAny(address, "@?#") || strings.Contains(address, "eyJ") {
		return "what is given"
	}
	return fmt.Sprintf("%q", address)
}

var schemes = map[string]string{"http": "http", "ws": "http", "https": "https", "wss": "https"}

func parseURL(address string) (*url.URL, error) {
	if strings.HasPrefix(address, "/") {
		return parseMultiaddr(address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s is no address: give http://host:port or /ip4/host/tcp/port/http", shown(address))
	}
	if u.User != nil {
		return nil, errors.New("the URL holds a user name: give a token instead")
	}
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return nil, fmt.Errorf("%s: reached by http, https, ws or wss, not by %q", u.Redacted(), u.Scheme)
	}
	u.Scheme = scheme
	return u, nil
}

// parseMultiaddr takes the multiaddresses that programs write into their api
// files, such as /ip4/127.0.0.1/tcp/1777/http.
func parseMultiaddr(address string) (*url.URL, error) {
	wrong := fmt.Errorf("%s is no address: want /ip4/host/tcp/port/http, also with ip6, dns, dns4, dns6, https, ws and wss", shown(address))
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
	scheme := "http"
	if len(parts) == 5 {
		var ok bool
		if scheme, ok = schemes[parts[4]]; !ok {
			return nil, wrong
		}
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(parts[1], parts[3])}, nil
}
