package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

// What was probably meant by a word that a command does not know.

// noSuchCommand says that there is no command of a name, and which one was meant.
func noSuchCommand(c *cli.Command, name string) error {
	var names []string
	for _, below := range c.Commands {
		if !below.Hidden {
			names = append(names, below.Names()...)
		}
	}
	return &usageError{fmt.Sprintf("%s has no command %q%s", c.FullName(), name, didYouMean(c.FullName()+" ", app.Closest(name, names)))}
}

func didYouMean(before, word string) string {
	if word == "" {
		return ""
	}
	return "; did you mean " + before + word + "?"
}

// undefined begins what the library says of a flag that there is not.
const undefined = "flag provided but not defined: -"

// onUsageError leaves it to run to say what is wrong with a command line: the
// library's own answer buries it under a page of help.
func onUsageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	name, unknown := strings.CutPrefix(err.Error(), undefined)
	if !unknown {
		return err
	}
	name = strings.TrimLeft(name, "-")
	var names []string
	for _, flag := range c.Flags {
		for _, known := range flag.Names() {
			if len(known) > 1 {
				names = append(names, known)
			}
		}
	}
	return &usageError{fmt.Sprintf("%s has no flag --%s%s", c.FullName(), name, didYouMean("--", app.Closest(name, names)))}
}
