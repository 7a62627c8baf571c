// Package deploy has what Vigil is installed with; its tests say that it fits the program.
package deploy

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const unit = "systemd/vigil.service"

// The unit is to be as closed as can be: 0 is a service that can do nothing, 10 one that can do all.
func TestTheUnitIsHardened(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here")
	}
	said, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestTheUnitAsksForWhatTheDaemonTells(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	has := func(line string) bool {
		for _, l := range lines {
			if l == line {
				return true
			}
		}
		return false
	}
	for _, line := range []string{
		"Type=notify", "Restart=always", "WatchdogSec=2min", "ExecStart=/usr/bin/vigil run --config /etc/vigil/vigil.toml",
		"LoadCredential=passphrase:/etc/vigil/passphrase", "StateDirectory=vigil",
		"BindReadOnlyPaths=-/var/tmp/filecoin-proof-parameters", // PrivateTmp hides what is in /var/tmp
	} {
		if !has(line) {
			t.Errorf("the unit has no line %q", line)
		}
	}
}

// The image is made from scratch: it has no folder for temporary files but this one.
func TestTheContainerHasAFolderForTemporaryFiles(t *testing.T) {
	text, err := os.ReadFile("container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, image, _ := strings.Cut(string(text), "FROM scratch")
	if !strings.Contains(image, "\nVOLUME /data\n") || !strings.Contains(image, "\nENV TMPDIR=/data\n") {
		t.Error("what SQLite cannot hold in memory has no place")
	}
}

func TestScriptsAreShell(t *testing.T) {
	for _, script := range []string{"debian/postinstall.sh", "debian/preremove.sh"} {
		if said, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, said)
		}
	}
}
