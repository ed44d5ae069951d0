package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
)

func (c *console) snapshotCommand() *cobra.Command {
	var mask bool
	var out, from string
	cmd := &cobra.Command{
		Use: "snapshot", Short: "write everything that an audit needs into one file",
		Long: `Writes guild, members and what Auth says as one JSON file, so that any verdict can be computed again without network, Auth or Discord: with
` + "`gatecamp audit replay`" + `, or for a bug report. --mask replaces the names of people by pseudonyms that are the same throughout the file; ids,
and names of roles, groups and states stay.

Taking one from the guild itself asks Discord for every member, by id: names of people are not kept. --from takes an existing file
instead: it is checked, masked if asked, and written again.`,
		Example: "  gatecamp snapshot --from guild.json --mask --out guild-masked.json",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		var file *snapshot.File
		switch {
		case from != "":
			file, err = readSnapshot(from)
		case c.connected(cmd.Context()):
			file, err = c.takeSnapshot(cmd, args)
		default:
			err = needsLive("taking a snapshot of the guild", "give --from FILE to write an existing snapshot again")
		}
		if err != nil {
			return err
		}
		for _, note := range file.Notes {
			c.warn("%s: %s", from, note)
		}
		if mask {
			file = snapshot.Mask(file)
		}
		if out == "" {
			return snapshot.Write(c.out, file)
		}
		if err := writeNew(out, func(w io.Writer) error { return snapshot.Write(w, file) }); err != nil {
			return err
		}
		c.say("%s holds %d members.", out, len(file.Members))
		return nil
	}
	flags := cmd.Flags()
	flags.BoolVar(&mask, "mask", false, "replace names of people by pseudonyms")
	flags.StringVar(&out, "out", "", "write to this `FILE`, which must not exist yet; without it to standard output")
	flags.StringVar(&from, "from", "", "write this snapshot `FILE` again instead of looking at the guild")
	return noted(cmd, noteExits, "3 without --from where no bot token is set; 4 if Discord does not show every member, or Auth cannot be read")
}

// writeNew writes a file that only its owner can read, whole or not at all, and never over another.
func writeNew(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.Usage, path+" is there already, or cannot be looked at; nothing was written", "name another file").Because(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".gatecamp-*")
	if err != nil {
		return problem.New(problem.Usage, fmt.Sprintf("%s cannot be written; nothing was", path), "check that the folder exists and that you may write there").Because(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
