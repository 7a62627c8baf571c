package app

import (
	"strings"
	"testing"
)

func TestAnswersMakeAFileThatIsRead(t *testing.T) {
	dir := place(t)
	for name, a := range map[string]Answers{
		"a keystore": {
			NodeURL: "ws://127.0.0.1:1234/rpc/v1", NodeTokenFile: "token", Miners: []string{"f01000", "f01001"}, Storages: []string{"sectors", "more"},
			Keystore: "keystore", PassphraseFile: "pass", Parameters: "params", Data: "data",
		},
		"a remote wallet, a node without a token": {
			NodeURL: "ws://127.0.0.1:1234/rpc/v1", Miners: []string{"f01000"}, Storages: []string{"sectors"},
			RemoteWallet: "http://127.0.0.1:1777", RemoteTokenFile: "token", Parameters: "params", Data: "it's here",
		},
		"in shadow": {
			NodeURL: "ws://127.0.0.1:1234/rpc/v1", Miners: []string{"f01000", "f01001"}, Shadow: true, Storages: []string{"sectors"}, Parameters: "params", Data: "data",
		},
	} {
		text := a.Text()
		c, err := parse("vigil.toml", dir, []byte(text), noEnv)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		if len(c.Miners) != len(a.Miners) || len(c.Shadow) > 0 != a.Shadow || a.Shadow && len(c.Shadow) != len(a.Miners) || len(c.Storages) != len(a.Storages) || c.Nodes[0].URL != a.NodeURL || (c.Wallet.Keystore != "") != (a.Keystore != "") ||
			len(c.Wallet.Remotes) > 0 != (a.RemoteWallet != "") || !strings.HasSuffix(c.Data, a.Data) || !strings.HasSuffix(c.Proofs.Parameters, "params") {
			t.Errorf("%s: %+v\n%s", name, c, text)
		}
		if strings.Count(text, "\n") < strings.Count(Example, "\n") {
			t.Errorf("%s: lines of the example are gone", name)
		}
	}
}
