package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sluice.dev/sluice/internal/fault"
)

const (
	stateFolder = ".sluice"
	ledgerFile  = "ledger.db"
)

// state is the state folder: the one that is named, else the first .sluice here or in a folder above, as git looks for its
// own; where there is none, the one that would be here.
func (f *Factory) state() string {
	if f.Dir != "" {
		return f.Dir
	}
	if above, found := findAbove(stateFolder); found {
		return above
	}
	return stateFolder
}

// findAbove looks for a folder here and in the folders above. One above that belongs to somebody else is passed by: whoever
// can write to it must not decide which clusters this command speaks of.
func findAbove(name string) (string, bool) {
	here, err := os.Getwd()
	if err != nil {
		return "", false
	}
	if isFolder(name) {
		return name, true
	}
	for dir := filepath.Dir(here); ; dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, name); isFolder(path) && isOurs(path) {
			return path, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isOurs(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	return known && int(owner.Uid) == os.Getuid()
}

// ledgerPath is the file of the ledger, or the URL of its database.
func (f *Factory) ledgerPath() string {
	return cmp.Or(f.Ledger, f.Getenv("SLUICE_LEDGER"), filepath.Join(f.state(), ledgerFile))
}

// whoMakesOne is what to do where there is no ledger.
const whoMakesOne = "'sluice worker' and 'sluice local up' make one, and so does --init"

// ledgerThere returns an error where there is no file of a ledger: it names where one was looked for.
func (f *Factory) ledgerThere() error {
	path := f.ledgerPath()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong with it is said when it is opened
	}
	switch {
	case f.Ledger != "":
		return fault.New(fault.NotFound, "cannot find ledger %s, which --ledger names; %s", path, whoMakesOne)
	case f.Getenv("SLUICE_LEDGER") != "":
		return fault.New(fault.NotFound, "cannot find ledger %s, which SLUICE_LEDGER names; %s", path, whoMakesOne)
	case f.Dir != "":
		return fault.New(fault.NotFound, "cannot find a ledger: state folder %s, which --dir names, has no %s; %s",
			f.Dir, ledgerFile, whoMakesOne)
	}
	here, err := os.Getwd()
	if err != nil {
		here = "this folder"
	}
	if isFolder(filepath.Dir(path)) {
		return fault.New(fault.NotFound, "cannot find a ledger: the state folder %s has no %s; %s",
			absolute(filepath.Dir(path)), ledgerFile, whoMakesOne)
	}
	return fault.New(fault.NotFound, "cannot find a ledger: there is no %s in %s or in a folder above it; "+
		"%s, or name yours with --ledger or SLUICE_LEDGER",
		filepath.Join(stateFolder, ledgerFile), here, whoMakesOne)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
