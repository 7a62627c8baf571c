// Command vigil keeps Filecoin miners proven: it watches a chain node, works
// out what each miner owes at each proving deadline, proves it, and gets the
// proof on chain in time.
//
//	vigil devnet             a chain, a miner and the daemon on this machine, to watch
//	vigil run                the daemon, against any Filecoin node
//	vigil status             what the daemon sees and does; also deadlines, duties, faults, power, provers
//	vigil why …              what was done for a duty, and why it was late or missed; also logs
//	vigil can-restart        whether the daemon may be stopped now
//	vigil storage …          the folders that sectors are read from
//	vigil recover            how faulty sectors get their power back, and a dry run
//	vigil check              reads sectors and verifies them against the chain
//	vigil dispute            judges other miners' proofs, and disputes wrong ones
//	vigil shadow report      Vigil in shadow, beside what posts today
//	vigil plan               which deadlines of the next day will fit
//	vigil rehearse           reads what the next proofs will read, and may make them
//	vigil wallet …           the keys that send its messages
//	vigil message …          the messages, and what becomes of them
//	vigil notify test        tells everybody who is told of alarms of one that is none
//	vigil proof verify …     judges proofs as the network does
//	vigil proof prove …      proves sectors in a folder
//	vigil params …           the keys that proofs need
//	vigil selftest           proves and verifies with the keys that are here
//	vigil bench …            what proofs cost on this machine, beside bellperson
//
// It exits with 0 when all is well, 1 when something failed and 2 when the
// command line was wrong. The first SIGINT or SIGTERM ends it cleanly, the
// second at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// After the first signal the next one has its usual effect: it kills.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process: what it gives is the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	if completed(ctx, root, args, stdout) {
		return 0
	}
	err := root.Run(ctx, args)
	if err == nil {
		return 0
	}
	var failed *failure
	if errors.As(err, &failed) {
		if failed.err != nil {
			fmt.Fprintf(stderr, "vigil: %v\n", failed.err)
		}
		return exitFailure
	}
	fmt.Fprintf(stderr, "vigil: %v\n%s --help says how it is used\n", err, called(root, args))
	return exitUsage
}

// called is the command that was meant, as far as its words are known.
func called(root *cli.Command, args []string) string {
	words := root.Name
	for _, word := range args[1:] {
		if root = root.Command(word); root == nil {
			break
		}
		words += " " + root.Name
	}
	return words
}

// newRoot is the command above all others.
func newRoot(stdout, stderr io.Writer) *cli.Command {
	root := &cli.Command{
		Name:            "vigil",
		Usage:           "keep Filecoin miners proven",
		Writer:          stdout,
		ErrWriter:       stderr,
		HideVersion:     true,
		HideHelpCommand: true,

		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: showCompletion,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {},
		OnUsageError:                    onUsageError,
		Action:                          needsCommand,
		Commands: []*cli.Command{
			devnetCommand(),
			runCommand(),
			initCommand(),
			doctorCommand(),
			configCommand(),
			statusCommand(),
			deadlinesCommand(),
			dutiesCommand(),
			whyCommand(),
			faultsCommand(),
			powerCommand(),
			proversCommand(),
			canRestartCommand(),
			logsCommand(),
			planCommand(),
			rehearseCommand(),
			recoverCommand(),
			storageCommand(),
			checkCommand(),
			walletCommand(),
			messageCommand(),
			disputeCommand(),
			shadowCommand(),
			notifyCommand(),
			proofCommand(),
			paramsCommand(),
			selftestCommand(),
			benchCommand(),
			manCommand(),
			versionCommand(),
		},
	}
	withHelp(root, "")
	return root
}

// failure is an error of what a command does, as opposed to how it was called.
// Without an error inside, all has been said already.
type failure struct{ err error }

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// errReported says that what went wrong has been printed.
var errReported = errors.New("reported")

// usageError is a command line that cannot be meant.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// does makes an action whose errors are failures, unless they are about the command line.
func does(action cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		err := action(ctx, c)
		var usage *usageError
		switch {
		case err == nil, errors.As(err, &usage):
			return err
		case errors.Is(err, errReported):
			return &failure{}
		}
		return &failure{err}
	}
}

// needsCommand is the action of a command that only has others below it.
func needsCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return noSuchCommand(c, c.Args().First())
	}
	if err := cli.ShowSubcommandHelp(c); err != nil {
		return err
	}
	return &usageError{c.FullName() + " needs a command"}
}

// noArguments refuses what a command would not look at.
func noArguments(c *cli.Command) error {
	if c.Args().Present() {
		return &usageError{fmt.Sprintf("%s takes no argument %q", c.FullName(), c.Args().First())}
	}
	return nil
}
