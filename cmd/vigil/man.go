package main

import (
	"context"
	"fmt"

	docs "github.com/urfave/cli-docs/v3"
	"github.com/urfave/cli/v3"
)

// manCommand writes the manual page; packages install what it writes.
func manCommand() *cli.Command {
	return &cli.Command{
		Name:         "man",
		Usage:        "write the manual page: vigil man | man -l -",
		OnUsageError: onUsageError,
		Action: does(func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			page, err := docs.ToManWithSection(c.Root(), 1)
			if err != nil {
				return fmt.Errorf("write the manual page: %w", err)
			}
			_, err = fmt.Fprint(c.Root().Writer, page)
			return err
		}),
	}
}
