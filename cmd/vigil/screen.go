package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/devnet"
)

// runOnScreen runs the devnet behind a terminal view. The log goes to a file
// in the devnet's folder and its end to the screen.
func runOnScreen(ctx context.Context, o devnetOptions, out *os.File) error {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	path := filepath.Join(o.data, "vigil.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	recent, news := &tail{keep: 200}, &tail{keep: 1000}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(file, recent), nil))
	slog.SetDefault(log)

	h, err := settle(ctx, o, log, func(sentence string) { fmt.Fprintln(out, sentence) })
	if err != nil {
		return err
	}
	err = runBoth(ctx, h, log, func(ctx context.Context, d *app.Daemon) error {
		return show(ctx, h.network, d, o.began, recent, news, out)
	})
	for _, sentence := range news.lines() {
		fmt.Fprintln(out, sentence)
	}
	fmt.Fprintf(out, "stopped; vigil devnet goes on from here. The log is in %s\n", path)
	return err
}

// show runs the view and the watcher until one of them ends.
func show(ctx context.Context, chain *devnet.Network, daemon *app.Daemon, began time.Time, log, news *tail, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		newWatcher(realMiners{chain}, daemon, began, func(s string) { fmt.Fprintln(news, s) }).watch(ctx, 0)
	})
	defer cancel()
	look := func() picture {
		return picture{status: daemon.Status(), stats: realMiners{chain}.Stats(), page: daemon.Page(), log: log.lines(), news: news.lines()}
	}
	_, err := tea.NewProgram(screen{look: look, now: look()}, tea.WithContext(ctx), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	if err == nil || errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return errDone
	}
	return fmt.Errorf("the terminal view: %w", err)
}

// picture is what the screen shows.
type picture struct {
	status vigil.Status
	stats  devnet.Stats
	page   string
	log    []string
	news   []string
}

// screen is the terminal view: it looks ten times a second and draws what it sees.
type screen struct {
	look          func() picture
	now           picture
	width, height int
}

type tick struct{}

func again() tea.Cmd {
	return tea.Tick(100*time.Millisecond, func(time.Time) tea.Msg { return tick{} })
}

// Init implements tea.Model.
func (s screen) Init() tea.Cmd { return again() }

// Update implements tea.Model.
func (s screen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case tea.KeyPressMsg:
		switch m.String() {
		case "q", "ctrl+c", "esc":
			return s, tea.Quit
		}
	case tick:
		s.now = s.look()
		return s, again()
	}
	return s, nil
}

// View implements tea.Model.
func (s screen) View() tea.View {
	v := tea.NewView(draw(s.now, s.width, s.height, time.Now()))
	v.AltScreen = true
	v.WindowTitle = "vigil devnet"
	return v
}

// tail is a writer that keeps the last lines written to it.
type tail struct {
	keep int

	mu   sync.Mutex // guards all below
	kept []string
	part string // a line that has no end yet
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.part+string(p), "\n")
	t.part = lines[len(lines)-1]
	t.kept = append(t.kept, lines[:len(lines)-1]...)
	if extra := len(t.kept) - t.keep; extra > 0 {
		t.kept = append([]string(nil), t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.kept...)
}
