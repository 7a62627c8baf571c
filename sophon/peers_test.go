package sophon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/jsonrpc"
)

// Mistakes of other messagers' APIs; docs/messager.md has the table.

// counting is a desk that counts what it is asked, and a change to wait for.
type counting struct {
	*desk
	mu      sync.Mutex // guards what follows
	asked   int
	changed chan struct{}
}

func (c *counting) Find(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	c.count()
	return c.desk.Find(ctx, q)
}

func (c *counting) epoch(ctx context.Context) (abi.ChainEpoch, error) {
	c.count()
	return c.desk.epoch(ctx)
}

func (c *counting) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
}

func (c *counting) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// change tells those who wait, and gives how often they have asked until then.
func (c *counting) change() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
	return c.asked
}

func TestWhoWaitsForAMessageAsksNothingWhileNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &counting{desk: &desk{t: t, head: 100}, changed: make(chan struct{})}
		a := &api{Server{Desk: d, Head: d.epoch, Changed: d.Changed}.withDefaults()}
		if _, err := d.Push(t.Context(), requestOf("post", callOf(vigil.SignedMessage{Call: request("post").Call}), nil)); err != nil {
			t.Fatal(err)
		}
		d.set("post", func(m *vigil.Message) { m.Senders = request("post").Senders[2:] })
		const many = 100
		answers := make(chan error, many)
		ctx := auth.WithPerm(t.Context(), []auth.Permission{"read"})
		for range many {
			go func() {
				m, err := a.WaitMessage(ctx, "post", 10)
				if err == nil && m.State != OnChainMsg {
					err = errors.New("it is not on chain")
				}
				answers <- err
			}()
		}
		time.Sleep(time.Hour)
		d.landed("post", 101, 0)
		d.to(112)
		if asked := d.change(); asked > 2*many {
			t.Errorf("%d who wait asked %d times in an hour in which nothing changed", many, asked)
		}
		for range many {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhoLeavesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble ends with all that was started in it, or fails
		d := &counting{desk: &desk{t: t, head: 100}, changed: make(chan struct{})}
		a := &api{Server{Desk: d, Head: d.epoch, Changed: d.Changed}.withDefaults()}
		if _, err := d.Push(t.Context(), request("post")); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(auth.WithPerm(t.Context(), AllPermissions))
		left := make(chan error, 2)
		go func() { _, err := a.WaitMessage(ctx, "post", 10); left <- err }()
		go func() { _, err := a.newAttempt(ctx, d.where(func(vigil.Message) bool { return true })[0]); left <- err }()
		synctest.Wait()
		leave()
		for range 2 {
			if err := <-left; err == nil {
				t.Error("somebody who left was answered")
			}
		}
	})
}

// Every method that is served needs a permission, whatever its arguments are.
func TestNoMethodIsServedWithoutAPermission(t *testing.T) {
	d := &desk{t: t, head: 100}
	a := reflect.ValueOf(&api{Server{
		Messager: d, Desk: d, Head: d.epoch,
		Has:   func(context.Context, address.Address) (bool, error) { t.Error("a key was asked for"); return true, nil },
		Allow: func(vigil.Call) error { return nil },
	}.withDefaults()})
	if a.NumMethod() < 15 {
		t.Fatalf("only %d methods are served", a.NumMethod())
	}
	for i := range a.NumMethod() {
		method, name := a.Method(i), a.Type().Method(i).Name
		in := []reflect.Value{reflect.ValueOf(t.Context())}
		for j := 1; j < method.Type().NumIn(); j++ {
			in = append(in, reflect.Zero(method.Type().In(j)))
		}
		out := method.Call(in)
		err, _ := out[len(out)-1].Interface().(error)
		if err == nil || !strings.Contains(err.Error(), "missing permission") {
			t.Errorf("%s without a permission: %v", name, err)
		}
	}
	if len(d.rows)+len(d.said) > 0 {
		t.Errorf("something was done: %v %v", d.rows, d.said)
	}
}

// A token is in the header of every call, and in nothing that people see: not
// when the server is gone, refuses it, or answers with it.
func TestNoTokenIsInErrorsAndLogs(t *testing.T) {
	const token = "eyJh.c2VjcmV0.aGlkZGVu"
	there := &desk{t: t, head: 100}
	s, _ := servedThrough(t, there, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "who has "+r.Header.Get("Authorization")+"?", http.StatusTeapot)
		})
	})
	for name, address := range map[string]string{
		"answers with it": token + ":" + s.URL, "is gone": token + ":/ip4/127.0.0.1/tcp/1/http",
		"has a key in its URL": s.URL + Path + "?key=c2VjcmV0", "is gone, with a key in its URL": "http://127.0.0.1:1" + Path + "?key=c2VjcmV0",
	} {
		client, err := jsonrpc.New(address, "", Path, 0)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		b := connect(t)
		b.c.Client, b.c.Log = client, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		b.push("post")
		m := b.at(100)
		if m.Problem == "" || said.Len() == 0 {
			t.Errorf("%s: nothing was said", name)
		}
		for _, text := range []string{m.Problem, said.String()} {
			if strings.Contains(text, "c2VjcmV0") || strings.Contains(text, "aGlkZGVu") {
				t.Errorf("%s: the token is in %s", name, text)
			}
		}
	}
}
