package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vigil-post/vigil/explain"
)

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printMessages is a table for people; programs take --json.
func printMessages(w io.Writer, list []explain.Message) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no messages")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATE\tMESSAGE\tMETHOD\tFROM\tNONCE\tTRIES\tEXPIRES\tUPDATED\tCID")
	for _, m := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", m.State, cmp.Or(m.Duty, m.ID), methodOf(m), shortAddress(m.From), nonceOf(m),
			len(m.Attempts), expiryOf(m), m.Updated.Local().Format(time.DateTime), cmp.Or(m.CID, "-"))
	}
	t.Flush()
	for _, m := range list {
		if m.Problem != "" && !m.Done {
			fmt.Fprintf(w, "%s: %s\n", cmp.Or(m.Duty, m.ID), m.Problem)
		}
	}
}

func methodOf(m explain.Message) string {
	return cmp.Or(m.Name, strconv.FormatUint(uint64(m.Method), 10))
}

func nonceOf(m explain.Message) string {
	if m.Nonce == nil {
		return "-"
	}
	return strconv.FormatUint(*m.Nonce, 10)
}

func expiryOf(m explain.Message) string {
	if m.Expires == 0 {
		return "-"
	}
	return strconv.FormatInt(int64(m.Expires), 10)
}

// shortAddress leaves what tells addresses apart.
func shortAddress(a string) string {
	const ends = 6
	if len(a) <= 2*ends+1 {
		return cmp.Or(a, "-")
	}
	return a[:ends] + "…" + a[len(a)-ends:]
}

// printMessage is everything of a message, a line for each thing.
func printMessage(w io.Writer, m explain.Message) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("id", m.ID)
	line("duty", m.Duty)
	line("state", string(m.State))
	line("wished for", string(m.Wish))
	line("from", m.From)
	line("to", m.To)
	line("method", strings.TrimSpace(fmt.Sprintf("%d %s", m.Method, m.Name)))
	line("value", explain.FIL(m.Value))
	line("parameters", fmt.Sprintf("%d bytes", len(m.Params)))
	line("nonce", nonceOf(m))
	line("expires", expiryOf(m))
	line("cid", m.CID)
	if r := m.Receipt; r != nil {
		line("receipt", fmt.Sprintf("exit code %d, %d gas, at epoch %d", r.ExitCode, r.GasUsed, r.Epoch))
	}
	line("problem", m.Problem)
	line("created", m.Created.Local().Format(time.DateTime))
	line("updated", m.Updated.Local().Format(time.DateTime))
	t.Flush()
	printAttempts(w, m.Attempts)
}

func printAttempts(w io.Writer, attempts []explain.Attempt) {
	if len(attempts) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nATTEMPT\tEPOCH\tNONCE\tGAS LIMIT\tFEE CAP\tPREMIUM\tNODES\tCID")
	for _, a := range attempts {
		number := strconv.Itoa(a.Number)
		if a.Cancel {
			number += " (cancels)"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", number, a.Epoch, a.Nonce, a.GasLimit, explain.FIL(a.FeeCap), explain.FIL(a.Premium), nodesOf(a), a.CID)
	}
	t.Flush()
}

func nodesOf(a explain.Attempt) string {
	took := 0
	for _, p := range a.Pushes {
		if p.Problem == "" {
			took++
		}
	}
	switch {
	case len(a.Pushes) > 0:
		return fmt.Sprintf("%d of %d", took, len(a.Pushes))
	case a.Published:
		return "taken"
	}
	return "none"
}

// printStory tells what happened, why it waits, and what to do.
func printStory(w io.Writer, m explain.Message) {
	fmt.Fprintf(w, "%s is %s.\n\n", m.ID, m.State)
	for _, sentence := range m.Story {
		fmt.Fprintf(w, "  • %s\n", sentence)
	}
	if m.Waits != "" {
		fmt.Fprintf(w, "\nNow: %s\n", m.Waits)
	}
	if m.Advice != "" {
		fmt.Fprintf(w, "What to do: %s\n", m.Advice)
	}
}
