package templates

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	archive := "-- Chart.yaml --\na\n-- templates/x.yaml --\nb\n-- templates/x.yaml~ --\neditor\n-- .git/config --\nc\n-- notes/n.txt --\nn\n-- .helmignore --\nnotes/\n"
	names := func(t *testing.T, source []byte) []string {
		files, err := unpack(source)
		if err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, f := range files {
			list = append(list, f.name)
		}
		return list
	}
	t.Run("what is ignored is left out", func(t *testing.T) {
		same(t, names(t, pack(t, archive)), []string{".helmignore", "Chart.yaml", "templates/x.yaml"}, "names")
	})
	t.Run("equal folders give equal bytes", func(t *testing.T) {
		one, two := folder(t, archive), folder(t, archive)
		if err := os.Chmod(filepath.Join(two, "Chart.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Pack(one)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Pack(two)
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Error("times, owners or modes show in the bytes")
		}
		if err := os.Chmod(filepath.Join(two, "Chart.yaml"), 0o700); err != nil {
			t.Fatal(err)
		}
		if b, err = Pack(two); err != nil || string(a) == string(b) {
			t.Errorf("the executable bit is part of a file (%v)", err)
		}
	})
	t.Run("a link inside the folder is a file", func(t *testing.T) {
		dir := folder(t, archive)
		if err := os.Symlink("Chart.yaml", filepath.Join(dir, "link.yaml")); err != nil {
			t.Fatal(err)
		}
		source, err := Pack(dir)
		if err != nil {
			t.Fatal(err)
		}
		same(t, names(t, source), []string{".helmignore", "Chart.yaml", "link.yaml", "templates/x.yaml"}, "names")
	})
	refused := map[string]struct {
		reason string
		change func(dir string) error
		want   string
	}{
		"a link that leaves the folder": {
			"it would pack the machine's files",
			func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "templates", "p.yaml")) },
			"templates/p.yaml: cannot read (a link has to stay inside the folder)",
		},
		"a link to a folder": {
			"it may go in circles",
			func(dir string) error { return os.Symlink(".", filepath.Join(dir, "templates", "loop")) },
			"templates/loop: is neither a file nor a link to one",
		},
		"too many bytes": {
			"the ledger keeps every version",
			func(dir string) error { return os.Truncate(filepath.Join(dir, "Chart.yaml"), MaxPackedBytes+1) },
			"folder has more than 8388608 bytes",
		},
		"too many files": {
			"a wrong folder, most likely",
			func(dir string) error {
				for i := range MaxPackedFiles {
					if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
						return err
					}
				}
				return nil
			},
			"folder has more than 2000 files",
		},
		"a folder that is not there": {"a typo", os.RemoveAll, "cannot open folder"},
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, archive)
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Pack(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %s", c.reason, err, c.want)
			}
		})
	}
}
