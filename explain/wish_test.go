package explain

import (
	"slices"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

func TestWhatCanBeWishedOfAMessage(t *testing.T) {
	nonce := uint64(7)
	for _, c := range []struct {
		sentence string
		m        Message
		want     []vigil.WishVerb
	}{
		{"what has no nonce can only be cancelled", Message{State: vigil.MessageQueued}, []vigil.WishVerb{vigil.WishCancel}},
		{"what is in flight, anything", Message{State: vigil.MessagePublished, Nonce: &nonce}, Wishes},
		{"what is on chain, nothing", Message{State: vigil.MessageIncluded, Nonce: &nonce, Receipt: &vigil.Receipt{}}, nil},
		{"what is done, nothing", Message{State: vigil.MessageExpired, Nonce: &nonce, Done: true}, nil},
		{"what is being cancelled, nothing", Message{State: vigil.MessagePublished, Nonce: &nonce, Wish: vigil.WishCancel}, nil},
	} {
		if got := c.m.Possible(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.sentence, got)
		}
	}
}

func TestWhatAWishMeansIsSaidBefore(t *testing.T) {
	nonce := uint64(7)
	post := Message{Duty: "f01000/100/0", Name: "SubmitWindowedPoSt", Nonce: &nonce}
	for _, c := range []struct {
		verb vigil.WishVerb
		m    Message
		want []string
	}{
		{vigil.WishCancel, post, []string{"nonce 7", "race", "f01000/100/0, which stays owed", "become faulty"}},
		{vigil.WishCancel, Message{Duty: "f01000/100/recover/0", Name: "DeclareFaultsRecovered"}, []string{"no nonce yet", "stay faulty"}},
		{vigil.WishCancel, Message{Nonce: &nonce}, []string{"Whoever asked for it"}},
		{vigil.WishReplace, post, []string{"nonce 7", "executed once", "within the budget"}},
		{vigil.WishRepublish, post, []string{"no harm"}},
	} {
		text := strings.Join(Means(c.verb, c.m), " ")
		for _, words := range c.want {
			if !strings.Contains(text, words) {
				t.Errorf("%s of %+v does not say %q: %s", c.verb, c.m, words, text)
			}
		}
	}
}
