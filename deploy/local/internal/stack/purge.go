package stack

import (
	"fmt"
	"os"
	"path/filepath"
)

// Purge removes the folder with everything in it, but only a folder that is
// recognisably a stack's: named .sluice, or holding a stack file that was written there. It
// returns false if there was nothing to remove.
func (f Folder) Purge() (bool, error) {
	if _, err := os.Stat(f.root); os.IsNotExist(err) {
		return false, nil
	}
	if d, err := f.ReadDescription(); filepath.Base(f.root) != DefaultFolder && (err != nil || d.Kubeconfig != f.Kubeconfig()) {
		return false, fmt.Errorf("cannot purge %s: it is not named %s and holds no stack file of its own", f.root, DefaultFolder)
	}
	if err := os.RemoveAll(f.root); err != nil {
		return false, fmt.Errorf("cannot purge %s: %w", f.root, err)
	}
	return true, nil
}
