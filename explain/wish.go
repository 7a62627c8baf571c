package explain

import (
	"fmt"

	"github.com/vigil-post/vigil"
)

// Wishes are what can be wished of a message, in the order of their weight.
var Wishes = []vigil.WishVerb{vigil.WishReplace, vigil.WishRepublish, vigil.WishCancel}

// Possible says which wishes make sense for the message as it stands. The
// messager has the last word: the message may have come further since.
func (m Message) Possible() []vigil.WishVerb {
	switch {
	case m.Done || m.Receipt != nil || m.Wish == vigil.WishCancel:
		return nil
	case m.Nonce == nil:
		return []vigil.WishVerb{vigil.WishCancel}
	}
	return Wishes
}

// Means says what a wish for a message does, before somebody wishes it.
func Means(verb vigil.WishVerb, m Message) []string {
	switch verb {
	case vigil.WishCancel:
		return cancelMeans(m)
	case vigil.WishReplace:
		return []string{
			fmt.Sprintf("It is signed once more%s, and every node is handed that in place of the last attempt. Whichever of its attempts a block takes, the message is executed once.", nonceOf(m)),
			"Without gas of yours the daemon takes what it would have taken for its next attempt, within the budget. It replaces messages that wait too long by itself: this is for when you know better.",
		}
	case vigil.WishRepublish:
		return []string{"Every node is handed the signed message again, as it is. It does no harm, and the daemon does the same at every head."}
	}
	return nil
}

func cancelMeans(m Message) []string {
	said := []string{"It has no nonce yet: it ends at once, and nothing of it gets on chain."}
	if m.Nonce != nil {
		said = []string{
			fmt.Sprintf("A send of nothing from the sender to itself takes its place%s, at the cost of a little gas.", nonceOf(m)),
			"It is a race: a block may have the message before that, and then it counts. It cannot be taken back.",
		}
	}
	if m.Duty == "" {
		return append(said, "Whoever asked for it is told that it was given up.")
	}
	return append(said, fmt.Sprintf("It is for the duty %s, which stays owed: while there is time, the daemon sends another message for it. If none gets on chain in time, %s.", m.Duty, loss(m)))
}

// loss is what it costs that a duty is not done.
func loss(m Message) string {
	switch m.Name {
	case "SubmitWindowedPoSt":
		return "its partitions become faulty"
	case "DeclareFaultsRecovered":
		return "its sectors stay faulty until they are declared for another proving period"
	}
	return "it is not done"
}

func nonceOf(m Message) string {
	if m.Nonce == nil {
		return ""
	}
	return fmt.Sprintf(" with the nonce %d", *m.Nonce)
}
