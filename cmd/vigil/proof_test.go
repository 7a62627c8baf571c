package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// invoke runs the program and gives its exit code and what it wrote.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"vigil"}, args...), &out, &err)
	return code, out.String(), err.String()
}

// fixtures is the folder of data that other implementations made.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(filepath.Join(dir, "oracle")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures: %v", err)
		}
		t.Skipf("no fixtures: %v; set VIGIL_FIXTURES", err)
	}
	return dir
}

func verdicts(t *testing.T, stdout string) []verdictLine {
	t.Helper()
	var lines []verdictLine
	for text := range strings.Lines(stdout) {
		var line verdictLine
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// Every case gets the verdict of filecoin-proofs itself, to the word.
func TestEveryCaseGetsTheVerdictOfFilecoinProofs(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	var files []string
	for _, folder := range []string{"cases", "mutated"} {
		found, err := filepath.Glob(filepath.Join(dir, folder, "*.json"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no files in %s: %v", folder, err)
		}
		files = append(files, found...)
	}
	code, stdout, stderr := invoke(t, append([]string{"proof", "verify", "--params", filepath.Join(dir, "params")}, files...)...)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	got := verdicts(t, stdout)
	for _, file := range files {
		for i, want := range wanted(t, file) {
			if len(got) == 0 {
				t.Fatal("too few lines")
			}
			line := got[0]
			got = got[1:]
			if line.File != file || line.Index != i || line.Verdict != want || (line.Error != "") != (want == "error") {
				t.Errorf("%s %d: %+v, want %s", filepath.Base(file), i, line, want)
			}
		}
	}
	if len(got) > 0 {
		t.Errorf("%d lines too many", len(got))
	}
}

// wanted reads what filecoin-proofs said of a file's cases: of mutated ones it ends the note.
func wanted(t *testing.T, file string) []string {
	t.Helper()
	cases, err := readCases(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, raw := range cases {
		var c struct {
			Valid bool
			Note  string
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		verdict := "true"
		if i := strings.LastIndex(c.Note, ": "); i >= 0 && filepath.Base(filepath.Dir(file)) == "mutated" {
			verdict = c.Note[i+2:]
		}
		if c.Valid != (verdict == "true") {
			t.Fatalf("%s: note and valid differ", file)
		}
		out = append(out, verdict)
	}
	return out
}

func TestWhatIsNoCaseIsAnErrorAndNeverAPanic(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		sentence, text string
		lines, code    int
		says           string
	}{
		{"an empty file", ``, 1, 1, "no JSON"},
		{"a text", `hello`, 1, 1, "no JSON"},
		{"a list cut off", `[{"typ":"window"`, 1, 1, "cut off"},
		{"an empty list", `[]`, 1, 1, "no case"},
		{"null", `null`, 1, 1, "valid"},
		{"a number", `7`, 1, 1, "no case"},
		{"two objects", `{"valid":true}{"valid":true}`, 1, 1, "no JSON"},
		{"a list of nonsense", `[null, 3, "x", [], {}, {"valid":"yes"}]`, 6, 1, "no case"},
		{"a case that says nothing", `{"valid":true}`, 1, 1, "API"},
		{"an unknown type that is not to be valid", `{"valid":false,"typ":"seal","api":"1.2.0","sector_size":2048}`, 1, 0, "seal"},
		{"an unknown size", `{"valid":false,"typ":"window","api":"1.2.0","sector_size":3}`, 1, 0, ""},
		{"hexadecimal with a hole", `{"valid":false,"typ":"window","api":"1.2.0","sector_size":2048,"proof":"0g"}`, 1, 0, "hex"},
		{"a negative sector", `{"valid":false,"typ":"window","api":"1.2.0","sector_size":2048,"sectors":[{"number":-1}]}`, 1, 0, ""},
		{"short randomness", `{"valid":false,"typ":"window","api":"1.2.0","sector_size":2048,"randomness":"00"}`, 1, 0, "randomness has 1 bytes"},
		{"a missing key is not a refused proof", `{"valid":false,"typ":"window","api":"1.2.0","sector_size":2048,"randomness":"` + strings.Repeat("00", 32) + `"}`, 1, 1, "--params"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			file := filepath.Join(dir, "case.json")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, _ := invoke(t, "proof", "verify", "--params", dir, file)
			lines := verdicts(t, stdout)
			if code != c.code || len(lines) != c.lines {
				t.Fatalf("exit code %d, %d lines: %s", code, len(lines), stdout)
			}
			for i, line := range lines {
				if line.Verdict != "error" || line.Error == "" || line.Index != i || line.File != file {
					t.Errorf("%+v", line)
				}
			}
			if !strings.Contains(stdout, c.says) {
				t.Errorf("it does not say %q: %s", c.says, stdout)
			}
		})
	}
}

func TestAFileThatCannotBeReadDoesNotHideTheOthers(t *testing.T) {
	dir := t.TempDir()
	code, stdout, _ := invoke(t, "proof", "verify", "--params", dir, filepath.Join(dir, "gone"), dir)
	if lines := verdicts(t, stdout); code != 1 || len(lines) != 2 {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

// What is no JSON is not read to its end: /dev/zero has none.
func TestAnEndlessFileIsNoCase(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip(err)
	}
	code, stdout, _ := invoke(t, "proof", "verify", "--params", t.TempDir(), "/dev/zero")
	if code != 1 || !strings.Contains(stdout, "no JSON") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

func FuzzCase(f *testing.F) {
	f.Add([]byte(`[{"valid":false,"typ":"window","api":"1.2.0","sector_size":2048,"randomness":"00","sectors":[{"number":1,"comm_r":"00"}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "case.json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		run(context.Background(), []string{"vigil", "proof", "verify", "--params", t.TempDir(), file}, &out, &out)
		if len(verdicts(t, out.String())) == 0 {
			t.Error("nothing was said")
		}
	})
}
