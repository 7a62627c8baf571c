package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/vigil-post/vigil/sophon"
)

// Who may write may wish that sectors are read, and of miners that are there.
func TestOnlyWhoMayWriteIsHeardWhenRecoveriesAreWished(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 2})
	tokens, err := sophon.OpenTokens(f.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	reads, _ := tokens.Issue("read")
	writes, _ := tokens.Issue("read", "write")
	for _, c := range []struct {
		sentence, authorization, query string
		want                           int
	}{
		{"no token", "", "", http.StatusUnauthorized},
		{"nonsense", "Bearer x.y.z", "", http.StatusUnauthorized},
		{"a token that reads", "Bearer " + reads, "", http.StatusUnauthorized},
		{"all miners", "Bearer " + writes, "", http.StatusAccepted},
		{"a miner", "Bearer " + writes, "?miner=t01000", http.StatusAccepted},
		{"a stranger", "Bearer " + writes, "?miner=t01000&miner=t01001", http.StatusNotFound},
		{"no address", "Bearer " + writes, "?miner=x", http.StatusNotFound},
	} {
		r := httptest.NewRequest(http.MethodPost, RecoverPath+c.query, nil)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		w := httptest.NewRecorder()
		f.daemon.recoverWish(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.sentence, w.Code, w.Body, c.want)
		}
	}
}
