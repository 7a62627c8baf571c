package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
)

// The test's own program plays every side: its first argument says which.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || serveSides[os.Args[1]] == nil {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serveSides[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var serveSides = map[string]func(context.Context, []string) error{
	"prover":      serveProverFlags,
	"bench-prove": serveProverFlags, // as the oracle would
	"kernels": func(ctx context.Context, args []string) error {
		flags := flag.NewFlagSet("kernels", flag.ContinueOnError)
		lengths := flags.String(FlagLengths, "", "")
		if err := flags.Parse(args); err != nil {
			return err
		}
		return ServeKernels(ctx, *lengths, os.Stdin, os.Stdout)
	},
}

func serveProverFlags(ctx context.Context, args []string) error {
	var a ProveArgs
	var warm string
	flags := flag.NewFlagSet("prover", flag.ContinueOnError)
	flags.StringVar(&a.Case, FlagCase, "", "")
	flags.StringVar(&a.Params, FlagParams, "", "")
	flags.IntVar(&a.Sectors, FlagSectors, 0, "")
	flags.StringVar(&warm, FlagWarm, "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	a.Warm = Warmth(warm)
	return ServeProver(ctx, a, os.Stdin, os.Stdout)
}

func selfCommand(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self}
}
