package app

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/filecoin-project/go-jsonrpc/auth"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/sophon"
)

// RecoverPath is where a daemon is asked, with POST, to read faulty sectors
// again at once: of all its miners, or of those given as miner=f01000.
const RecoverPath = "/api/recover"

// recoverWish answers at RecoverPath. It needs a token that permits to write:
// reading costs the storages something.
func (d *Daemon) recoverWish(w http.ResponseWriter, r *http.Request) {
	if !d.permits(r, "write") {
		http.Error(w, "a token that permits to write is needed: the file token in the daemon's data folder has one", http.StatusUnauthorized)
		return
	}
	miners := d.config.Miners
	if named := r.URL.Query()["miner"]; len(named) > 0 {
		miners = nil
		for _, text := range named {
			id, err := vigil.ParseMiner(text)
			if err != nil || !slices.Contains(d.config.Miners, id) {
				http.Error(w, fmt.Sprintf("this daemon has no miner %q", text), http.StatusNotFound)
				return
			}
			miners = append(miners, id)
		}
	}
	for _, id := range miners {
		d.log.Info("somebody wishes that faulty sectors are read now", "miner", vigil.MinerAddress(id).String())
		d.runner.Hurry(id)
	}
	w.WriteHeader(http.StatusAccepted)
}

// permits says whether a request comes with a token that permits it.
func (d *Daemon) permits(r *http.Request, what auth.Permission) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	tokens, err := sophon.OpenTokens(d.config.Data)
	if err != nil {
		return false
	}
	permitted, err := tokens.Permissions(token)
	return err == nil && slices.Contains(permitted, what)
}
