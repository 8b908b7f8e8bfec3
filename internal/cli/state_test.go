package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLocalActsInItsFolder(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		args   []string
		want   func(root string) []string
		ledger string // that is there afterwards, from the root
	}{
		"up makes a folder here": {
			reason: "git init does not look above either", args: []string{"up", "--detach"},
			want: func(string) []string { return []string{"up", "--detach"} }, ledger: "deep/down/.sluice/ledger.db",
		},
		"up where it is told": {
			reason: "the ledger is where the stack is", args: []string{"up", "--dir", "there"},
			want: func(string) []string { return []string{"up", "--dir", "there"} }, ledger: "deep/down/there/ledger.db",
		},
		"kubectl finds the folder above": {
			reason: "what follows is for kubectl", args: []string{"kubectl", "--cluster", "a", "get", "pods"},
			want: func(root string) []string {
				return []string{"--dir", filepath.Join(root, ".sluice"), "kubectl", "--cluster", "a", "get", "pods"}
			},
		},
		"down where it is told": {
			reason: "a named folder is not looked for", args: []string{"down", "--dir=there", "--purge"},
			want: func(string) []string { return []string{"down", "--dir=there", "--purge"} },
		},
		"help": {
			reason: "it touches nothing", args: []string{"up", "--help"}, want: func(string) []string { return []string{"up", "--help"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{".sluice", "deep/down"} {
				if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(filepath.Join(root, "deep", "down"))
			f := &Factory{Getenv: func(string) string { return "" }}
			got, err := (&LocalOptions{Factory: f, Args: c.args}).inState(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := c.want(root); !slices.Equal(got, want) {
				t.Errorf("arguments are %q, want %q: %s", got, want, c.reason)
			}
			var made []string
			err = filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
				if rel, _ := filepath.Rel(root, path); filepath.Base(path) == ledgerFile {
					made = append(made, rel)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.DeleteFunc([]string{c.ledger}, func(s string) bool { return s == "" }); !slices.Equal(made, want) {
				t.Errorf("ledgers are %q, want %q: %s", made, want, c.reason)
			}
		})
	}
}

func TestAFolderOfSomebodyElseIsNotOurs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may give a folder away")
	}
	root := t.TempDir()
	theirs, below := filepath.Join(root, stateFolder), filepath.Join(root, "below")
	for _, dir := range []string{theirs, below} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(below)
	if _, found := findAbove(stateFolder); !found {
		t.Fatal("our own folder above is not found")
	}
	if err := os.Chown(theirs, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if path, found := findAbove(stateFolder); found {
		t.Errorf("it finds %s, which another user can fill", path)
	}
	t.Chdir(root)
	if _, found := findAbove(stateFolder); !found {
		t.Error("the folder in which somebody stands is not found")
	}
}

func TestAHintSaysNoPassword(t *testing.T) {
	f := &Factory{Ledger: "postgres://ann:s3cr3t@db.example/sluice?sslmode=require&password=s3cr3t"}
	if got, want := f.program(), "sluice --ledger 'postgres://ann@db.example/sluice?sslmode=require'"; got != want {
		t.Errorf("the hint begins with %s, want %s", got, want)
	}
}

func TestAStackHasItsLedgerWhereTheFlagSays(t *testing.T) {
	t.Chdir(t.TempDir())
	f := &Factory{Ledger: "postgres://ann:s3cr3t@127.0.0.1:1/sluice", Getenv: func(string) string { return "" }}
	_, err := (&LocalOptions{Factory: f, Args: []string{"up"}}).inState(t.Context())
	if err == nil || !strings.Contains(err.Error(), "postgres://127.0.0.1:1/sluice does not answer") {
		t.Errorf("the database was not asked: %v", err)
	}
}
