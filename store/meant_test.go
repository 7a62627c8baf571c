package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/vigil-post/vigil"
)

func idsOf(messages []vigil.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// However many messages a text may mean, an answer has a page of them, and the
// next page begins where it ends.
func TestWhatATextMeansIsTurnedPageByPage(t *testing.T) {
	s, _ := restartable(t)
	for _, id := range []string{"f01000/100/0#1", "g", "f01000/100/0#0", "f01000/160/0#0", "f01000/100/0#0 cancelled", "f01001/100/0#0"} {
		m := message(t, id)
		m.Duty.Open = 7 // they are meant by their IDs alone
		add(t, s, m)
	}
	for _, c := range []struct {
		before string
		want   []string
	}{
		{"", []string{"f01000/100/0#1", "f01000/160/0#0"}},
		{"f01000/100/0#1", []string{"f01000/100/0#0", "f01000/100/0#0 cancelled"}},
		{"f01000/100/0#0", nil},
	} {
		found, err := s.FindMessages(t.Context(), vigil.MessageQuery{Of: "f01000/", Limit: 2, Before: c.before})
		if got := idsOf(found); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("before %q: %q, %v, want %q", c.before, got, err, c.want)
		}
	}
	if _, err := s.FindMessages(t.Context(), vigil.MessageQuery{Before: "deleted"}); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("before a message that is not there: %v", err)
	}
}
