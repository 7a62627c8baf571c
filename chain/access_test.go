package chain_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/gorilla/websocket"
	"github.com/ipfs/go-cid"
	"golang.org/x/crypto/blake2b"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

func TestAnAddressIsUnderstoodOrSaidToBeWrong(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJBbGxvdyI6WyJyZWFkIl19.c2ln-_nature"
	for _, c := range []struct{ sentence, url, token, reached, wrong string }{
		{"http becomes ws", "http://127.0.0.1:1234", "", "ws://127.0.0.1:1234/rpc/v1", ""},
		{"https becomes wss", "https://node.example/", "", "wss://node.example/rpc/v1", ""},
		{"a path is kept, and a query is not shown", "wss://node.example/x/rpc/v1?key=7", "", "wss://node.example/x/rpc/v1", ""},
		{"an api file's multiaddress", "/ip4/127.0.0.1/tcp/1234/http", "", "ws://127.0.0.1:1234/rpc/v1", ""},
		{"a multiaddress without an end", "/dns4/node.example/tcp/443", "", "ws://node.example:443/rpc/v1", ""},
		{"TLS in a multiaddress", "/dns/node.example/tcp/443/https", "", "wss://node.example:443/rpc/v1", ""},
		{"IPv6 in a multiaddress", "/ip6/::1/tcp/1234/ws", "", "ws://[::1]:1234/rpc/v1", ""},
		{"FULLNODE_API_INFO", jwt + ":/ip4/127.0.0.1/tcp/1234/http", "", "ws://127.0.0.1:1234/rpc/v1", ""},
		{"a token before a URL", jwt + ":http://127.0.0.1:1234", jwt, "ws://127.0.0.1:1234/rpc/v1", ""},
		{"nothing", "", "", "", "no node is given"},
		{"a host and a port alone", "127.0.0.1:1234", "", "", "give http://host:port"},
		{"a name alone", "node", "", "", "give http://host:port"},
		{"a file", "file:///node", "", "", "give http://host:port"},
		{"another protocol", "ftp://node", "", "", `not by "ftp"`},
		{"the old API", "http://node:1234/rpc/v0", "", "", "use /rpc/v1"},
		{"a user name", "http://me:secret@node:1234", "", "", "give a token instead"},
		{"a multiaddress without a port", "/ip4/127.0.0.1", "", "", "/ip4/host/tcp/port/http"},
		{"a multiaddress with a bad address", "/ip4/localhost/tcp/1234", "", "", "/ip4/host/tcp/port/http"},
		{"a multiaddress over udp", "/ip4/127.0.0.1/udp/1234/http", "", "", "/ip4/host/tcp/port/http"},
		{"two tokens", jwt + ":http://node:1234", "other.other.other", "", "another token is given"},
		{"a token with a line break inside", "http://node:1234", "a b", "", "white space"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			network := newPipes() // refuses: nothing accepts
			_ = network.Close()
			client, err := chain.Dial(t.Context(), chain.Config{URL: c.url, Token: c.token, DialContext: network.dial})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want an error with %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			synced := fmt.Sprintf("node %s is not connected", c.reached)
			ctx, cancel := timeout(t, 100*time.Millisecond)
			defer cancel()
			if _, err := client.Head(ctx); err == nil || !strings.Contains(err.Error(), synced) {
				t.Errorf("got %v, want %q", err, synced)
			}
		})
	}
}

func TestAQueryIsAskedWith(t *testing.T) {
	asked := make(chan string, 1)
	client, err := chain.Dial(t.Context(), chain.Config{URL: "http://node.example/x/rpc/v1?key=7", DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			line, _ := bufio.NewReader(theirs).ReadString('\n')
			select {
			case asked <- line:
			default: // a second try
			}
			_ = theirs.Close()
		}()
		return ours, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if line := <-asked; !strings.HasPrefix(line, "GET /x/rpc/v1?key=7 ") {
		t.Errorf("it asks %q", line)
	}
}

func TestATokenIsSentAndItsRefusalExplained(t *testing.T) {
	n := newFakeNode(30 * time.Second)
	n.token = "a.b.c"
	if _, err := dialNode(t, n, func(c *chain.Config) { c.Token = " a.b.c\n" }).Head(t.Context()); err != nil {
		t.Errorf("with the token: %v", err)
	}
	start := time.Now()
	_, err := dialNode(t, n, func(c *chain.Config) { c.Token = "x.y.z" }).Network(t.Context())
	if err == nil || !strings.Contains(err.Error(), "refuses the token (HTTP 401)") || !strings.Contains(err.Error(), "--perm write") {
		t.Errorf("with another token: %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "x.y.z") {
		t.Errorf("the error holds the token: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s to say so", took)
	}
}

func TestAMissingPermissionIsNamed(t *testing.T) {
	n := soundNode()
	n.handle("MpoolPush", func([]json.RawMessage) (any, error) {
		return nil, &answerError{1, "missing permission to invoke 'MpoolPush' (need 'write')"} // as recorded
	})
	_, err := dialNode(t, n).PushMessage(t.Context(), someMessage(t))
	if err == nil || !strings.Contains(err.Error(), `lacks the permission "write"`) {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatIsNoNodeIsSaidToBeOne(t *testing.T) {
	for _, c := range []struct {
		sentence, want string
		handler        http.HandlerFunc
	}{
		{"nothing at the path", "no API is served at this URL (HTTP 404)", http.NotFound},
		{"a web page", "does not open a WebSocket (HTTP 200 OK): is this the API of a full node?", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }},
		{"a proxy whose node is down", "HTTP 502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			client, err := chain.Dial(t.Context(), chain.Config{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := timeout(t, 300*time.Millisecond)
			defer cancel()
			_, err = client.Network(ctx)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			var stranger *chain.StrangerError
			if isProxy := c.want == "HTTP 502"; errors.As(err, &stranger) == isProxy {
				t.Errorf("it is taken for no node, or for one that is down: %v", err)
			}
		})
	}
}

func TestAServerThatSpeaksSomethingElseIsLeft(t *testing.T) {
	for _, c := range []struct{ says, want string }{
		{"hello", "does not speak JSON-RPC"},
		{`{"jsonrpc":"2.0","id":1}`, "neither a result nor an error"},
		{`{"jsonrpc":"2.0","id":1,"error":"no"}`, "an error that is not understood"},
		{`{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-32601,"message":"method not found"}}`, "does not know this method"},
		{`{"jsonrpc":"2.0","method":"xrpc.ch.val","params":{}}`, "a shape that is not understood"},
		{`{"jsonrpc":"2.0","id":"1","result":7}`, "no answer within"},
		{`[]`, "does not speak JSON-RPC"},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
					if err != nil {
						return
					}
					defer ws.Close()
					for {
						if _, _, err := ws.ReadMessage(); err != nil {
							return
						}
						if err := ws.WriteMessage(websocket.TextMessage, []byte(c.says)); err != nil {
							return
						}
					}
				})}
				go func() { _ = server.Serve(network) }()
				defer server.Close()
				client, err := chain.Dial(t.Context(), chain.Config{URL: "ws://127.0.0.1:1234", DialContext: network.dial})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				// The last problem is told when the wait for a connection is over.
				ctx, cancel := timeout(t, time.Minute)
				defer cancel()
				for {
					_, err := client.Network(ctx)
					if err != nil && strings.Contains(err.Error(), c.want) {
						return
					}
					if ctx.Err() != nil {
						t.Fatalf("got %v, want %q", err, c.want)
					}
				}
			})
		})
	}
}

func TestAnotherNetworkIsRefused(t *testing.T) {
	n := newFakeNode(30 * time.Second)
	c := dialNode(t, n, func(c *chain.Config) { c.Network = "mainnet" })
	_, err := c.Network(t.Context())
	if err == nil || !strings.Contains(err.Error(), `follows the network "lt2k", but "mainnet" is expected: use a node of mainnet`) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Head(t.Context()); err == nil {
		t.Error("the refused node was asked all the same")
	}
}

func TestMainnetsOldNameIsMainnet(t *testing.T) {
	n := newFakeNode(30 * time.Second)
	n.answer("StateNetworkName", `"testnetnet"`)
	got, err := dialNode(t, n, func(c *chain.Config) { c.Network = "mainnet" }).Network(t.Context())
	if err != nil || got.Name != "mainnet" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestANodeThatDoesNotSayItsGenesisIsAskedForTheBlock(t *testing.T) {
	n := newFakeNode(30 * time.Second)
	n.answer("StateGetNetworkParams", `{"BlockDelaySecs":30}`)
	n.answer("ChainGetGenesis", string(tipset(0)))
	got, err := dialNode(t, n).Network(t.Context())
	if err != nil || got.Genesis.Unix() != 1795462726 || got.BlockDelay != 30*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNonsenseAboutTheNetworkIsRefused(t *testing.T) {
	for _, c := range []struct{ method, raw, want string }{
		{"StateNetworkName", `""`, "the name is empty"},
		{"StateNetworkName", `null`, "null"},
		{"StateGetNetworkParams", `{}`, "epochs of 0s"},
		{"StateGetNetworkParams", `{"BlockDelaySecs":18446744073709551615}`, "epochs of"},
		{"StateGetNetworkParams", `null`, "null"},
		{"ChainHead", `{}`, "a tipset without a height"},
	} {
		t.Run(c.method+c.raw, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNode(30 * time.Second)
				n.answer(c.method, c.raw)
				_, err := dialNode(t, n).Network(t.Context())
				if err == nil || !strings.Contains(err.Error(), c.method+": the node's answer is unusable: ") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A load balancer, or an address that was given to another machine: the node
// behind it is suddenly one of another network.
func TestANetworkThatChangesIsRefusedUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.answer("StateNetworkName", `"calibrationnet"`)
		r.proxy.cut()
		r.pass(1.5)
		_, err := r.client.Head(t.Context())
		if err == nil || !strings.Contains(err.Error(), "now follows another network: calibrationnet") {
			t.Errorf("got %v", err)
		}
		if !strings.Contains(r.log.String(), "level=ERROR") {
			t.Errorf("nobody is told:\n%s", r.log)
		}
		r.node.answer("StateNetworkName", `"lt2k"`)
		r.caughtUpWithNew(60 * time.Second)
	})
}

func TestAnUpgradeToAnUnknownVersionIsSaidAndSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.answer("StateNetworkVersion", `99`)
		for range 2 {
			r.proxy.cut()
			r.pass(1.5)
			r.caughtUpWithNew(60 * time.Second)
		}
		if n := strings.Count(r.log.String(), "the network is at version 99 and this Vigil knows them up to 28"); n != 1 {
			t.Errorf("said %d times:\n%s", n, r.log)
		}
	})
}

func TestTheNonceCountsTheTipsetsOwnMessages(t *testing.T) {
	list := func(from string, nonces ...int) string {
		var all []string
		for _, n := range nonces {
			all = append(all, fmt.Sprintf(`{"Cid":{"/":%q},"Message":{"From":%q,"To":"t01000","Nonce":%d,"Value":"0","GasLimit":1,"GasFeeCap":"2","GasPremium":"1"}}`, blockCID(n), from, n))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for _, c := range []struct {
		sentence, messages string
		want               uint64
	}{
		{"none of them is the account's", list("t0999", 7, 8), 7},
		{"two are, by the key", list(workerKey, 7, 8), 9},
		{"one is, by the ID", list("t0100", 7), 8},
		{"the same one is in two blocks", list(workerKey, 7, 7), 8},
		{"there are none", `null`, 7},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			n := soundNode()
			n.answer("StateAccountKey", fmt.Sprintf("%q", workerKey))
			n.answer("ChainGetMessagesInTipset", c.messages)
			client := dialNode(t, n)
			for _, account := range []string{workerKey, "t0100"} {
				nonce, balance, err := client.Account(t.Context(), addr(t, account), someKey())
				if err != nil || nonce != c.want || !balance.Equals(big.NewInt(5)) {
					t.Errorf("%s: %d, %v, %v", account, nonce, balance, err)
				}
			}
		})
	}
}

func TestAnAccountThatIsNotOnChainIsNotFound(t *testing.T) {
	n := soundNode()
	n.handle("StateGetActor", func([]json.RawMessage) (any, error) {
		return nil, &answerError{1, "load state tree: actor not found"}
	})
	if _, _, err := dialNode(t, n).Account(t.Context(), addr(t, workerKey), someKey()); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// The words of Lotus, Venus and Forest, from their sources.
func TestWhatAPoolSaysIsUnderstood(t *testing.T) {
	for text, want := range map[string]error{
		"Message with sequence already in mempool":                                          nil,
		"minimum expected nonce is 12, got 3: message nonce too low":                        vigil.ErrNonceTooLow,
		"Message sequence too low":                                                          vigil.ErrNonceTooLow,
		"gas price is lower than min gas price":                                             vigil.ErrPremiumTooLow,
		"message nonce has too big a gap from expected nonce: unfulfilled nonce gap":        vigil.ErrNonceGap,
		"too many pending messages for actor t0100":                                         vigil.ErrPoolFull,
		"Too many pending messages from actor":                                              vigil.ErrPoolFull,
		"not enough funds including pending messages (required: 2, balance: 1): validation": vigil.ErrNotEnoughFunds,
		"gas fee cap too low":                                                               vigil.ErrFeeTooLow,
		"Gas fee cap is too low":                                                            vigil.ErrFeeTooLow,
		"GasFeeCap doesn't meet base fee lower bound for inclusion in the next 20 blocks":   vigil.ErrFeeTooLow,
		"Message is too big":                                                                vigil.ErrMessageInvalid,
	} {
		t.Run(text, func(t *testing.T) {
			n := soundNode()
			n.handle("MpoolPush", func([]json.RawMessage) (any, error) { return nil, &answerError{1, text} })
			_, err := dialNode(t, n).PushMessage(t.Context(), someMessage(t))
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("got %v, want %v", err, want)
			}
			if want != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("the pool's words are lost: %v", err)
			}
		})
	}
}

// The CIDs are those other implementations gave the messages.
func TestAMessageHasTheCIDItHasOnChain(t *testing.T) {
	var vectors []struct {
		Unsigned json.RawMessage
		Cid      string
	}
	if err := json.Unmarshal(fixture(t, "messages/message_signing.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		var m recordedMessage
		if err := json.Unmarshal(v.Unsigned, &m.Message); err != nil {
			t.Fatal(err)
		}
		signed := m.signed(t)
		signed.Signature = crypto.Signature{Type: crypto.SigTypeBLS, Data: make([]byte, 96)}
		n := soundNode()
		n.handle("MpoolPush", func([]json.RawMessage) (any, error) {
			return nil, &answerError{1, "message with nonce already exists"} // the client's own CID is the answer
		})
		c, err := dialNode(t, n).PushMessage(t.Context(), signed)
		if err != nil || c.String() != v.Cid {
			t.Errorf("got %s, %v; want %s", c, err, v.Cid)
		}
	}
}

// secp256k1: the signed message is named. The answer is from an experiment
// with Lotus's own encoding, with the key of 32 sevens.
func TestASecp256k1MessageIsNamedWithItsSignature(t *testing.T) {
	key := secp256k1.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	from, err := address.NewSecp256k1Address(key.PubKey().SerializeUncompressed())
	if err != nil {
		t.Fatal(err)
	}
	m := vigil.SignedMessage{
		Call:  vigil.Call{From: from, To: vigil.MinerAddress(1000), Method: 5, Value: big.Zero(), Params: []byte{1, 2}},
		Nonce: 3,
		Gas:   vigil.Gas{Limit: 1000000, FeeCap: big.NewInt(200), Premium: big.NewInt(100)},
	}
	name := cid.MustParse("bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk") // of the unsigned message
	hash := blake2b.Sum256(name.Bytes())
	compact := ecdsa.SignCompact(key, hash[:], false)
	m.Signature = crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: append(compact[1:], compact[0]-27)}
	n := soundNode()
	n.handle("MpoolPush", func([]json.RawMessage) (any, error) {
		return json.RawMessage(`{"/":"bafy2bzacebqx5gct4hjyvdaofyzlap5o4fpifigdk2uqdr4owv57tggehgdea"}`), nil
	})
	if _, err := dialNode(t, n).PushMessage(t.Context(), m); err != nil {
		t.Error(err)
	}
}
