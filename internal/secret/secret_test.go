package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
)

func TestASecretIsReadFromWhereItWasPut(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "secrets")
	for name, body := range map[string]string{
		"secrets/..data/token": "abc\n", "secrets/empty": " \n", "secrets/large": strings.Repeat("x", 1<<20+1), "other": "not for Sluice",
	} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"token": "..data/token", "out": filepath.Join(top, "other")} {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	variables := map[string]string{"SLUICE_SECRET_A": " a ", "SLUICE_SECRET_EMPTY": "", "AWS_SECRET_ACCESS_KEY": "aws"}
	store := secret.Store{Folder: folder, Lookup: func(name string) (string, bool) { v, ok := variables[name]; return v, ok }}
	for _, c := range []struct {
		reason string
		store  secret.Store
		from   pipelines.WorkerSecret
		want   string
		code   fault.Code
	}{
		{"a variable", store, pipelines.WorkerSecret{Env: "SLUICE_SECRET_A"}, "a", ""},
		{"one that is not set", store, pipelines.WorkerSecret{Env: "SLUICE_SECRET_B"}, "", fault.NotFound},
		{"one that is empty", store, pipelines.WorkerSecret{Env: "SLUICE_SECRET_EMPTY"}, "", fault.NotFound},
		{"one that was not put there for Sluice", store, pipelines.WorkerSecret{Env: "AWS_SECRET_ACCESS_KEY"}, "", fault.Refused},
		{"a file, linked as Kubernetes mounts Secrets", store, pipelines.WorkerSecret{File: "token"}, "abc", ""},
		{"one that is not there", store, pipelines.WorkerSecret{File: "none"}, "", fault.NotFound},
		{"one that is empty", store, pipelines.WorkerSecret{File: "empty"}, "", fault.NotFound},
		{"one that is too large", store, pipelines.WorkerSecret{File: "large"}, "", fault.Invalid},
		{"one outside of the folder", store, pipelines.WorkerSecret{File: "../other"}, "", fault.Refused},
		{"a link that leads outside", store, pipelines.WorkerSecret{File: "out"}, "", fault.Refused},
		{"no folder", secret.Store{}, pipelines.WorkerSecret{File: "token"}, "", fault.NotFound},
		{"a folder that is not there", secret.Store{Folder: folder + "x"}, pipelines.WorkerSecret{File: "token"}, "", fault.NotFound},
		{"no environment", secret.Store{}, pipelines.WorkerSecret{Env: "SLUICE_SECRET_A"}, "", fault.NotFound},
	} {
		got, err := c.store.Read(c.from)
		if got != c.want || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %q, %v", c.reason, got, err)
		}
	}
}
