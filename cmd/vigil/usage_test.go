package main

import (
	"strings"
	"testing"
)

// A command line that is wrong is told so in a sentence, not under a page of help.
func TestWhatIsWrongWithACommandLineIsSaidInASentence(t *testing.T) {
	for _, args := range [][]string{
		{"run"}, {"run", "--config"}, {"run", "--config="}, {"version", "--loud"}, {"devnet", "--loud"}, {"proof", "verify", "--loud"},
		{"wallet", "new"}, {"wallet", "list", "--keystore"}, {"devnet", "--sectors", "-1"}, {"devnet", "--onboard", "-1"},
		{"devnet", "--block-time", "0s"}, {"devnet", "--block-time", "5"}, {"devnet", "--miners", "x"}, {"devnet", "--periods", "1.5"},
		{"plan", "--config", "x", "--hours", "25"}, {"plan", "--url", "x", "--workers", "0"}, {"plan", "--url", "x", "--miner", "me"},
		{"rehearse"}, {"rehearse", "--config", "x", "--partition", "7"}, {"rehearse", "--config", "x", "--at-once", "0"}, {"rehearse", "--config", "x", "y"},
		{"plan", "--url", "x", "y"}, {"devnet", "--sectors", "99999999999999999999"},
	} {
		code, stdout, stderr := invoke(t, args...)
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "vigil: ") || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

// The help that is pointed to is that of the command, not the program's.
func TestTheHelpOfTheCommandIsPointedTo(t *testing.T) {
	for words, args := range map[string][]string{
		"vigil shadow report": {"shadow", "report", "--loud"}, "vigil why": {"why", "t01000"}, "vigil": {"--loud"}, "vigil plan": {"plan", "--workers", "0", "status"},
	} {
		if _, _, stderr := invoke(t, args...); !strings.HasSuffix(stderr, "\n"+words+" --help says how it is used\n") {
			t.Errorf("%v: %s", args, stderr)
		}
	}
}
