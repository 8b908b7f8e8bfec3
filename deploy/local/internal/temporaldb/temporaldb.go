// Package temporaldb knows which Temporal server may open a SQLite file. Such
// files have no migrations, so each carries the version that made it, and no
// other version may touch it.
package temporaldb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/headers"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Version is the version of the Temporal server in this program.
const Version = headers.ServerVersion

// File is the SQLite file in the Temporal server's folder.
func File(dir string) string { return filepath.Join(dir, "temporal.db") }

func marker(dir string) string { return filepath.Join(dir, "VERSION") }

// Check returns an error if the folder holds a file of another version. A
// folder without a file is fine.
func Check(dir string) error {
	if _, err := os.Stat(File(dir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	found := "an unknown version"
	data, err := os.ReadFile(marker(dir))
	switch {
	case err == nil:
		found = "version " + strings.TrimSpace(string(data))
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot read version of Temporal's file: %w", err)
	}
	if found == "version "+Version {
		return nil
	}
	return fmt.Errorf("cannot open %s: it was made by %s of the Temporal server and this is %s; "+
		"there are no migrations between them: finish your runs with the program that made it, "+
		"then remove the folder %s or start with another --dir", File(dir), found, Version, dir)
}

// Mark notes that the folder's file is made by this version. Call it before
// the file appears.
func Mark(dir string) error {
	return stack.WriteFile(marker(dir), []byte(Version+"\n"))
}
