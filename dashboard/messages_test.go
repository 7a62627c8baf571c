package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// told are messages of three states, oldest first, as a messager finds them.
func told(t *testing.T) []explain.Message {
	t.Helper()
	from, err := address.NewSecp256k1Address([]byte("a key"))
	if err != nil {
		t.Fatal(err)
	}
	var list []explain.Message
	for i, state := range []vigil.MessageState{vigil.MessageConfirmed, vigil.MessagePublished, vigil.MessageQueued} {
		m := vigil.Message{
			MessageRequest: vigil.MessageRequest{
				ID: "f01000/" + string(rune('1'+i)) + "00/0#0 partitions=[0]", Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: abi.ChainEpoch(100 * (i + 1))},
				Expires: abi.ChainEpoch(100*(i+1) + 60), Call: vigil.Call{To: vigil.MinerAddress(1000), Method: 5},
			},
			State: state, Problem: evil,
		}
		if state != vigil.MessageQueued {
			m.Call.From, m.Nonce = from, uint64(i)
			m.Attempts = []vigil.Attempt{{
				Number: 1, CID: cid.MustParse("bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk"), Published: true,
				Signed: vigil.SignedMessage{Call: m.Call, Nonce: m.Nonce, Gas: vigil.Gas{Limit: 1000, FeeCap: big.NewInt(2_000_000), Premium: big.NewInt(100)}},
			}}
		}
		list = append(list, explain.Tell(m, explain.At{Head: 250}))
	}
	return list
}

// asked is a dashboard's answer, with the query that its source got.
func asked(t *testing.T, path string, found func(vigil.MessageQuery) ([]explain.Message, error)) (*http.Response, string, vigil.MessageQuery) {
	t.Helper()
	var got vigil.MessageQuery
	h := New(Config{Status: newFake(network(250)), Messages: func(_ context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
		got = q
		return found(q)
	}})
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), w.Body.String(), got
}

func TestThePageOfMessagesShowsEachAndEscapesAll(t *testing.T) {
	all := told(t)
	_, page, q := asked(t, "/messages", func(vigil.MessageQuery) ([]explain.Message, error) { return all, nil })
	for _, words := range []string{"SubmitWindowedPoSt to", "confirmed", "published", "queued", "f01000/300/0", "10 epochs left", "0.002 nanoFIL", "newest 100"} {
		if !strings.Contains(strings.ReplaceAll(page, "t01000", "f01000"), words) {
			t.Errorf("the page does not show %q", words)
		}
	}
	if strings.Contains(page, evil) || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("a problem is not escaped")
	}
	if q.Limit != mostOnPage || strings.Index(page, "300/0") > strings.Index(page, "200/0") {
		t.Errorf("asked for %+v; the newest is not first", q)
	}
	if strings.Contains(page, "What to do") {
		t.Error("the list tells of one in whole")
	}
}

func TestOneMessageIsToldOfInWhole(t *testing.T) {
	all := told(t)
	_, page, _ := asked(t, "/messages?of="+url.QueryEscape(all[1].ID), func(vigil.MessageQuery) ([]explain.Message, error) { return all, nil })
	for _, words := range []string{"Attempt 1", "in the nodes&#39; pools", "What to do", "all messages"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q:\n%s", words, page)
		}
	}
	if strings.Contains(page, "/300/0") {
		t.Error("another message is shown")
	}
	_, page, _ = asked(t, "/messages?of=nothing", func(vigil.MessageQuery) ([]explain.Message, error) { return all, nil })
	if !strings.Contains(page, "No message is meant") {
		t.Error("it does not say that nothing is meant")
	}
}

func TestTheSameAsJSON(t *testing.T) {
	all := told(t)
	found := func(vigil.MessageQuery) ([]explain.Message, error) { return told(t), nil }
	_, body, q := asked(t, "/api/messages?state=queued&state=published&limit=2", found)
	var got []explain.Message
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].ID != all[2].ID || len(got[1].Story) != len(all[1].Story) || len(q.States) != 2 || q.Limit != 2 {
		t.Errorf("asked for %+v, got %s", q, body)
	}
	if _, body, _ := asked(t, "/api/messages", func(vigil.MessageQuery) ([]explain.Message, error) { return nil, nil }); strings.TrimSpace(body) != "[]" {
		t.Errorf("none: %q", body)
	}
	for _, bad := range []string{"state=lost", "limit=0", "limit=many", "limit=1001"} {
		if r, body, _ := asked(t, "/api/messages?"+bad, found); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, r.StatusCode, body)
		}
	}
	if r, _, _ := asked(t, "/api/messages", func(vigil.MessageQuery) ([]explain.Message, error) { return nil, errors.New("disk on fire") }); r.StatusCode != http.StatusInternalServerError {
		t.Errorf("a source that fails: %d", r.StatusCode)
	}
}

func TestTheListIsTurnedPageByPage(t *testing.T) {
	all := told(t) // oldest first
	found := func(q vigil.MessageQuery) ([]explain.Message, error) {
		if q.Before == "gone" {
			return nil, vigil.ErrNotFound
		}
		upTo := len(all)
		if i := slices.IndexFunc(all, func(m explain.Message) bool { return m.ID == q.Before }); i >= 0 {
			upTo = i
		}
		return slices.Clone(all[max(0, upTo-q.Limit):upTo]), nil
	}
	var ids []string
	for path := "/api/messages?limit=2&state=queued"; path != ""; {
		r, body, q := asked(t, path, found)
		var got []explain.Message
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(q.States) != 1 || len(got) > 2 {
			t.Fatalf("%s: %v, asked for %+v, got %s", path, err, q, body)
		}
		for _, m := range got {
			ids = append(ids, m.ID)
		}
		path = ""
		if link := r.Header.Get("Link"); link != "" {
			next, ok := strings.CutSuffix(link, `>; rel="next"`)
			if path = strings.TrimPrefix(next, "<"); !ok || path == next {
				t.Fatalf("the link is %q", link)
			}
		}
	}
	if want := []string{all[2].ID, all[1].ID, all[0].ID}; !slices.Equal(ids, want) {
		t.Errorf("page by page they are %q, want %q", ids, want)
	}
	if _, page, _ := asked(t, "/messages?limit=1", found); !strings.Contains(page, "Older messages") || !strings.Contains(html.UnescapeString(page), "before="+url.QueryEscape(all[2].ID)) {
		t.Errorf("the page does not lead to the next one:\n%s", page)
	}
	if _, page, _ := asked(t, "/messages", found); strings.Contains(page, "Older messages") {
		t.Error("the page leads to messages that do not exist")
	}
	if r, body, _ := asked(t, "/api/messages?before=gone", found); r.StatusCode != http.StatusNotFound || !strings.Contains(body, "begin again") {
		t.Errorf("behind a message that was deleted: %d %s", r.StatusCode, body)
	}
}

// What a text means is looked for by the store, which reads no more than what it may mean.
func TestATextIsHeldAgainstNoMoreMessagesThanItMayMean(t *testing.T) {
	all := told(t)
	_, body, q := asked(t, "/api/messages?of="+url.QueryEscape("f01000/1")+"&limit=1", func(vigil.MessageQuery) ([]explain.Message, error) { return told(t), nil })
	if q.Of != "f01000/1" || q.Limit != 1 || !strings.Contains(body, "f01000/100/0#0") || strings.Contains(body, "/200/0") {
		t.Errorf("asked for %+v, got %s; of %d messages", q, body, len(all))
	}
}

func TestWithoutAMessagerThereAreNoMessages(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/messages", nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	New(Config{Status: newFake(network(1))}).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "No message was ever asked for") {
		t.Error(w.Body.String())
	}
}
