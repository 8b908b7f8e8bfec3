package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
)

func TestALedgerOnANetworkFileSystemIsRefused(t *testing.T) {
	for _, name := range []string{"nfs", "cifs", "smb", "ceph", "9p", "fuse.sshfs", "virtiofs"} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		_, err := openOn(t.Context(), path, func(string) (string, error) { return name, nil })
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "("+name+")") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v: the file system and the file are not named, or it is no fault of the input", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was made there all the same", name)
		}
	}
}

func TestALinkToANetworkFileSystemIsRefused(t *testing.T) {
	link := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere.db"), link); err != nil {
		t.Fatal(err)
	}
	_, err := openOn(t.Context(), link, func(path string) (string, error) {
		if path == link {
			return "nfs", nil
		}
		return "", nil
	})
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a link to a file on NFS: %v", err)
	}
}

func TestALedgerOnALocalDiskOpens(t *testing.T) {
	for reason, name := range map[string]string{
		"a disk": "", "a file system in user space that is of this machine": "fuse.fuse-overlayfs",
	} {
		l, err := openOn(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), func(string) (string, error) { return name, nil })
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		_ = l.Close()
	}
}

func TestALedgerWhoseFileSystemCannotBeToldDoesNotOpen(t *testing.T) {
	cause := errors.New("cannot tell")
	_, err := openOn(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), func(string) (string, error) { return "", cause })
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}
