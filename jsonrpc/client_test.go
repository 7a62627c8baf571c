package jsonrpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnAddressIsTakenAsPeopleHaveIt(t *testing.T) {
	const jwt = "eyJh.eyJB.c2ln"
	for address, want := range map[string]string{
		"http://host:1777":                     "http://host:1777/rpc/v0",
		"http://host:1777/":                    "http://host:1777/rpc/v0",
		"ws://host:1777/rpc/v1":                "http://host:1777/rpc/v1",
		"wss://host/wallet":                    "https://host/wallet",
		"/ip4/10.0.0.1/tcp/1777/http":          "http://10.0.0.1:1777/rpc/v0",
		"/ip4/10.0.0.1/tcp/1777":               "http://10.0.0.1:1777/rpc/v0",
		"/ip6/::1/tcp/1777/ws":                 "http://[::1]:1777/rpc/v0",
		"/dns/wallet/tcp/443/https":            "https://wallet:443/rpc/v0",
		jwt + ":/ip4/10.0.0.1/tcp/1777/http":   "http://10.0.0.1:1777/rpc/v0 " + jwt,
		" " + jwt + ":http://10.0.0.1:1777\n ": "http://10.0.0.1:1777/rpc/v0 " + jwt,
	} {
		at, token, err := ParseAddress(address, "", "/rpc/v0")
		if got := strings.TrimSpace(at + " " + token); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", address, got, err, want)
		}
	}
	if _, token, err := ParseAddress("http://host", "Bearer "+jwt+"\n", "/"); err != nil || token != jwt {
		t.Errorf("token %q, %v", token, err)
	}
}

func TestWhatIsNoAddressIsSaidWithoutItsToken(t *testing.T) {
	for _, address := range []string{
		"", "host:1777", "ftp://host", "http://", "/ip4/999.0.0.1/tcp/1/http", "/ip4/10.0.0.1/udp/1", "/ip4/10.0.0.1/tcp/1/carrier-pigeon",
		"http://user:hidden@host", "ey.hidden.sig:nonsense", "://",
		"http://user:hidden@/path", "http://user:hidden@ho st", "eyJ hidden.sig:/ip4/10.0.0.1/tcp/1", "eyJh.hidden:/ip4/10.0.0.1/tcp/1",
	} {
		if _, _, err := ParseAddress(address, "", "/rpc/v0"); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, _, err := ParseAddress("a.b.c:http://host", "d.e.f", "/"); err == nil {
		t.Error("two tokens were taken")
	}
	if _, _, err := ParseAddress("http://host", "two words", "/"); err == nil {
		t.Error("a token of two words was taken")
	}
}

func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL, "a.b.c", "/rpc/v0", 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswersOfEveryKind(t *testing.T) {
	var got int
	if err := answering(t, 200, `{"jsonrpc":"2.0","id":1,"result":7}`).Call(t.Context(), &got, "Seven"); err != nil || got != 7 {
		t.Errorf("%d, %v", got, err)
	}
	if err := answering(t, 200, `{"jsonrpc":"2.0","id":1}`).Call(t.Context(), nil, "Nothing"); err != nil {
		t.Error(err)
	}
	var answer *Error
	err := answering(t, 500, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no such key"}}`).Call(t.Context(), &got, "Sign")
	if !errors.As(err, &answer) || answer.Code != 1 || err.Error() != "Sign: it answers: no such key (code 1)" {
		t.Error(err)
	}
	for status, body := range map[int]string{401: "", 403: "forbidden"} {
		if err := answering(t, status, body).Call(t.Context(), &got, "M"); !errors.Is(err, ErrToken) {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, c := range []*Client{
		answering(t, 404, "404 page not found"), answering(t, 200, "<html>"), answering(t, 200, ""), answering(t, 200, "{}"), answering(t, 200, "[]"),
		answering(t, 307, ""), answering(t, 500, `{"jsonrpc":"2.0","result":7}`),
	} {
		if err := c.Call(t.Context(), &got, "M"); err == nil || !strings.Contains(err.Error(), "does not speak JSON-RPC") || strings.Contains(err.Error(), "a.b.c") {
			t.Errorf("%v", err)
		}
	}
	if err := answering(t, 200, `{"jsonrpc":"2.0","result":"seven"}`).Call(t.Context(), &got, "M"); err == nil || !strings.Contains(err.Error(), "another form") {
		t.Errorf("%v", err)
	}
}

func TestACallEndsWithItsContextOrItsPatience(t *testing.T) {
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(ended)
	c, err := New(s.URL, "", "/", 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), nil, "M"); err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.CallWithin(ctx, time.Hour, nil, "M"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
