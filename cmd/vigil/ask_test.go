package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
)

// A daemon gives a page at once; who asks for more is given it all the same.
func TestALongListIsAskedForPageByPage(t *testing.T) {
	const many = 2*pageSize + 50
	asked := 0
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > pageSize {
			t.Errorf("it is asked for %q messages", r.FormValue("limit"))
		}
		next := many - 1
		if before := r.FormValue("before"); before != "" {
			if next, err = strconv.Atoi(before); err != nil {
				t.Errorf("it is asked for those before %q", before)
			}
			next--
		}
		page := []explain.Message{}
		for n := next; n >= 0 && len(page) < limit; n-- {
			page = append(page, explain.Message{ID: fmt.Sprint(n)})
		}
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	}))
	defer daemon.Close()
	a := asker{place: app.Place{URL: daemon.URL}}
	for _, c := range []struct{ limit, want, pages int }{{1, 1, 1}, {pageSize, pageSize, 1}, {pageSize + 1, pageSize + 1, 2}, {10 * pageSize, many, 3}} {
		asked = 0
		found, err := a.list(t.Context(), nil, c.limit)
		if err != nil || len(found) != c.want || asked != c.pages {
			t.Fatalf("of a limit of %d there are %d in %d pages, %v, want %d in %d", c.limit, len(found), asked, err, c.want, c.pages)
		}
		for i, m := range found {
			if m.ID != fmt.Sprint(many-1-i) {
				t.Fatalf("message %d of the list is %s", i, m.ID)
			}
		}
	}
}
