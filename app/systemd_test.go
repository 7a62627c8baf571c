package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vigil-post/vigil"
)

// listening is systemd's end of the socket.
type listening struct {
	t *testing.T
	*net.UnixConn
}

func listenAsSystemd(t *testing.T) listening {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return listening{t, conn}
}

func (l listening) next() string {
	l.t.Helper()
	packet := make([]byte, 4096)
	n, err := l.Read(packet)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(packet[:n])
}

func TestSystemdIsToldWhatTheStartWaitsFor(t *testing.T) {
	systemd := listenAsSystemd(t)
	ctx, cancel := context.WithCancel(t.Context())
	log, tries := slog.New(slog.DiscardHandler), 0
	err := patiently(ctx, log, nobody, "no node answers", func() error {
		if tries++; tries == 2 {
			cancel()
		}
		return errors.New("refused")
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if said := systemd.next(); said != "READY=1\nSTATUS=the start waits: no node answers" {
		t.Errorf("%q", said)
	}
}

func TestTheWatchdogIsFedWhileAllLoopsComeRound(t *testing.T) {
	systemd := listenAsSystemd(t)
	t.Setenv("WATCHDOG_USEC", "3000") // a feed each millisecond
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan bool), make(chan struct{})
	go func() {
		feedWatchdog(ctx, func() bool { return <-asked })
		close(ended)
	}()
	asked <- true
	asked <- false
	asked <- false
	cancel()
	close(asked)
	<-ended
	tellSystemd("STATUS=the end")
	if said := systemd.next(); said != "WATCHDOG=1" {
		t.Errorf("%q", said)
	}
	if said := systemd.next(); said != "STATUS=the end" {
		t.Errorf("it was fed while a loop was stuck: %q", said)
	}
}

func TestSystemdShowsHowThingsStand(t *testing.T) {
	if said := standing(vigil.Status{}); said != "no head yet" {
		t.Errorf("%q", said)
	}
	deadlines := make([]vigil.DeadlineStatus, 48)
	deadlines[17].Posted, deadlines[17].Partitions = 1, 2
	s := vigil.Status{Network: "calibrationnet", Head: 1234, Problem: "no head from the node", Miners: []vigil.MinerStatus{
		{Miner: "t01000", Current: vigil.Deadline{Index: 17}, Deadlines: deadlines},
		{Miner: "t01001", Problem: "cannot be read"},
		{Miner: "t01002"}, // not read yet
	}}
	const want = "calibrationnet, epoch 1234; no head from the node; t01000: deadline 17 (1 of 2 posted); t01001: cannot be read; t01002: deadline 0"
	if said := standing(s); said != want || strings.Contains(said, "\n") {
		t.Errorf("%q", said)
	}
}

// What a node answers is in the line: it must not be taken for more lines, and a
// datagram that is too long would not be read at all, with the READY that is in it.
func TestWhatStandsForSystemdIsOneShortLine(t *testing.T) {
	systemd := listenAsSystemd(t)
	s := vigil.Status{Network: "mainnet", Head: 1234, Problem: "no head\nWATCHDOG=trigger\n\xff"}
	for range 100 {
		s.Miners = append(s.Miners, vigil.MinerStatus{Miner: "f01000", Problem: strings.Repeat("✕", 200)})
	}
	tellSystemd("STATUS=" + standing(s))
	said := systemd.next()
	if strings.Contains(said, "\n") || !utf8.ValidString(said) || len(said) > 2048 || !strings.Contains(said, "f01000: ✕") {
		t.Errorf("%d bytes: %q", len(said), said)
	}
}

// systemd's own files are its own to keep: chmod, which would be the advice, cannot be done there.
func TestAPassphraseFromSystemdIsWellKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(file, []byte("word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o440); err != nil {
		t.Fatal(err)
	}
	w := Wallet{Keystore: filepath.Join(dir, "none"), PassphraseFile: file}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if said := w.exposed(); len(said) != 1 {
		t.Errorf("a file that a group may read: %q", said)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir+"/")
	if said := w.exposed(); len(said) > 0 {
		t.Errorf("one of systemd's: %q", said)
	}
}
