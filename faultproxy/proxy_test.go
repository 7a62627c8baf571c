package faultproxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/faultproxy"
)

// node answers every question by plain HTTP with its parameters.
func node(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ ID, Params json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.ID, q.Params)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func ask(p *faultproxy.Proxy) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+p.Addr()+"/rpc/v1", "application/json", strings.NewReader(`{"id":7,"method":"Filecoin.Echo","params":[1,2,3,4]}`))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestALineDoesWhatItIsToldAndCountsIt(t *testing.T) {
	const good = `{"jsonrpc":"2.0","id":7,"result":[1,2,3,4]}`
	for fault, want := range map[faultproxy.Fault]string{
		faultproxy.Refuse:     "error",
		faultproxy.Cut:        "error",
		faultproxy.BadGateway: "the node behind this proxy is down\n",
		faultproxy.Mute:       "",
		faultproxy.Fail:       `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"the node has a problem of its own"}}`,
		faultproxy.Null:       `{"jsonrpc":"2.0","id":7,"result":null}`,
		faultproxy.Truncate:   `{"jsonrpc":"2.0","id":7,"result":[1,2]}`,
		faultproxy.Duplicate:  good + good,
		faultproxy.WrongID:    `{"jsonrpc":"2.0","id":987654321,"result":[1,2,3,4]}`,
	} {
		p, err := faultproxy.New(node(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		p.Chance = 1
		if got, err := ask(p); err != nil || got != good {
			t.Errorf("without a fault: %q, %v", got, err)
		}
		p.Set(fault)
		got, err := ask(p)
		if err != nil {
			got = "error"
		}
		if got != want || p.Hits()[fault] == 0 {
			t.Errorf("%s: %q, %d hits; want %q", fault, got, p.Hits()[fault], want)
		}
		p.Set()
		if got, err := ask(p); err != nil || got != good {
			t.Errorf("after %s: %q, %v", fault, got, err)
		}
		if n := p.Calls()["Echo"]; n < 2 {
			t.Errorf("%d questions were counted", n)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheSameSeedSpoilsTheSameAnswers(t *testing.T) {
	var runs []string
	for range 2 {
		p, err := faultproxy.New(node(t), 42)
		if err != nil {
			t.Fatal(err)
		}
		p.Set(faultproxy.Null, faultproxy.Corrupt)
		var all bytes.Buffer
		for range 20 {
			got, err := ask(p)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(got)
		}
		runs = append(runs, all.String())
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if runs[0] != runs[1] {
		t.Errorf("one run gave\n%s\nand the other\n%s", runs[0], runs[1])
	}
}
