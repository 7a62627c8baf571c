package explain

import (
	"fmt"
	"strings"

	"github.com/vigil-post/vigil"
)

// tellAudit is the sentence of a verdict on a post as it stands on chain: with the
// seed anybody can judge it again.
func tellAudit(e vigil.Event) string {
	whose := ""
	switch {
	case e.About != "":
		whose = " (our message " + e.About + ")"
	case e.Duty == vigil.DutyID{}:
		whose = " (of no duty of ours)"
	}
	text := fmt.Sprintf("The post of partitions %v that stands on chain%s was judged with the challenge seed %s of epoch %d: ", e.Partitions, whose, e.Seed, e.Since)
	if e.After != string(vigil.AuditDisputable) {
		return text + "its proof is right, and no dispute can succeed."
	}
	return text + fmt.Sprintf("%s; anybody can dispute it until epoch %d.", strings.TrimSuffix(e.Problem, "."), e.Until)
}
