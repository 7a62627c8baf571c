package app

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/jsonrpc"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/wallet"
)

// wallet checks where keys are and what they are used for. maxFee is what a
// message may cost: keys are not used for more, unless the file says so. With
// another messager no keys are needed here, and with every miner in shadow none
// are opened.
func (c *checker) wallet(all fileRest, live []abi.ActorID, maxFee abi.TokenAmount) Wallet {
	f := all.Wallet
	w := Wallet{Policy: c.policy(f.Policy, live, maxFee)}
	if len(live) == 0 && len(all.Miners) > 0 {
		return w
	}
	if most := w.Policy.MaxFee; all.Messager.Sophon.URL == "" && f.Policy.MaxFee != "" && most.Sign() > 0 && most.LessThan(maxFee) {
		c.wrong("wallet.policy.max_fee", "raise it, or lower the greatest fees of [messager]", "it is less than one message may cost by [messager], %s, so messages would not be signed", explain.FIL(maxFee))
	}
	for i, r := range f.Remotes {
		w.Remotes = append(w.Remotes, RemoteWallet(c.server(fmt.Sprintf("wallet.remote[%d]", i), r, walletServer)))
	}
	if f.Keystore != "" || len(w.Remotes) == 0 && all.Messager.Sophon.URL == "" {
		w.Keystore, w.Passphrase = c.keystore(f)
		if f.PassphraseFile != "" {
			w.PassphraseFile = c.path(f.PassphraseFile)
		}
	}
	return w
}

// exposed says which of the wallet's files others may read. What systemd hands over
// (LoadCredential) it keeps itself, with an access list that looks like a group's right.
func (w Wallet) exposed() (problems []string) {
	for _, file := range []string{w.Keystore, w.PassphraseFile} {
		if credentials := os.Getenv("CREDENTIALS_DIRECTORY"); credentials != "" && filepath.Dir(file) == filepath.Clean(credentials) {
			continue
		}
		if said := wallet.Exposed(file); said != "" {
			problems = append(problems, said)
		}
	}
	return problems
}

// sophon checks the messager that is used in place of ours, if there is one.
func (c *checker) sophon(f fileServer) Sophon {
	if f == (fileServer{}) {
		return Sophon{}
	}
	return Sophon(c.server("messager.sophon", f, messagerServer))
}

// server is where another program is, what opens it, and how long it may take.
type server struct {
	URL     string
	Token   Secret
	Timeout time.Duration
}

// What to do when one of them is not given as it should be.
const (
	walletServer   = `write the wallet's API as url = "http://127.0.0.1:1777", or as token:/ip4/127.0.0.1/tcp/1777/http`
	messagerServer = `write the messager's API as url = "http://127.0.0.1:39812", or as token:/ip4/127.0.0.1/tcp/39812/http`
)

func (c *checker) keystore(f fileWallet) (path string, passphrase Secret) {
	path = c.path(f.Keystore)
	switch info, err := os.Stat(path); {
	case f.Keystore == "":
		c.wrong("wallet.keystore", "name the keystore, which vigil wallet new --keystore FILE makes, or a [[wallet.remote]]", "no keystore is given, and no remote wallet")
	case err != nil:
		c.wrong("wallet.keystore", "vigil wallet new --keystore FILE makes one", "%s", fileProblem(err))
	case !info.Mode().IsRegular():
		c.wrong("wallet.keystore", "name the keystore's file", "%s is not a file", path)
	}
	if f.PassphraseFile != "" {
		passphrase = c.secretFile("wallet.passphrase_file", f.PassphraseFile, "put the keystore's passphrase there, readable by you alone")
	} else if passphrase = Secret(c.getenv(passphraseVariable)); passphrase == "" {
		c.wrong("wallet.passphrase_file", "name a file that has it, or set "+passphraseVariable, "the keystore's passphrase is not given")
	}
	return path, passphrase
}

func (c *checker) server(key string, f fileServer, advice string) server {
	s := server{URL: f.URL, Token: Secret(f.Token), Timeout: c.timeout(key+".timeout", f.Timeout)}
	if f.TokenFile != "" {
		if f.Token != "" {
			c.wrong(key+".token_file", "keep one of the two", "the token is given twice, in token and in token_file")
		}
		s.Token = c.secretFile(key+".token_file", f.TokenFile, "put the token there that the other program gives out")
	}
	if _, _, err := jsonrpc.ParseAddress(s.URL, string(s.Token), sophon.Path); err != nil {
		c.wrong(key+".url", advice, "%v", err)
	}
	return s
}

// postMethods are wallet.PostMethods as a file writes them.
func postMethods() []int64 {
	var methods []int64
	for _, m := range wallet.PostMethods {
		methods = append(methods, int64(m))
	}
	return methods
}

// policy lets pass what the miners need and what the file adds to it.
func (c *checker) policy(f filePolicy, miners []abi.ActorID, maxFee abi.TokenAmount) wallet.Policy {
	p := wallet.PostPolicy(miners, maxFee)
	p.Methods = nil
	if f.MaxFee != "" {
		p.MaxFee = c.amount("wallet.policy.max_fee", f.MaxFee)
	}
	for _, m := range f.Methods {
		if m < 0 {
			c.wrong("wallet.policy.methods", "write a method's number, such as 5 for SubmitWindowedPoSt", "%d is no method", m)
			continue
		}
		p.Methods = append(p.Methods, abi.MethodNum(m))
	}
	for _, text := range f.Receivers {
		receiver, err := address.NewFromString(text)
		if err != nil {
			c.wrong("wallet.policy.receivers", "write an address, as f01000", "%q is no Filecoin address: %v", text, err)
			continue
		}
		p.Receivers = append(p.Receivers, receiver)
	}
	if f.MaxValue != "" {
		p.MaxValue = c.anyAmount("wallet.policy.max_value", f.MaxValue)
	}
	return p
}
