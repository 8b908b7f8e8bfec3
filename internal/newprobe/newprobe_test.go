package newprobe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/newprobe"
	"sluice.dev/sluice/internal/probing"
)

// one is a run, and what it reported.
type one struct {
	mu    sync.Mutex
	taken []probing.Result
}

const run = "2f1d0c5e-0000-4000-8000-000000000001"

func (o *one) Known(_ context.Context, uuid string) (kuberhealthy.Known, error) {
	if uuid != run {
		return kuberhealthy.Known{}, fault.New(fault.NotFound, "there is no run %s", uuid)
	}
	return kuberhealthy.Known{}, nil
}

func (o *one) Owner(context.Context, netip.Addr) (string, error) { return run, nil }

func (o *one) Take(_ context.Context, _ string, r probing.Result, _ kuberhealthy.Report) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken = append(o.taken, r)
	return nil
}

// program is a command in a folder that asks no proxy for anything.
func program(t *testing.T, folder, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
	return cmd
}

// TestWhatIsMadeWorks builds what is made, runs its test, and has it report to where agents take reports, by both paths.
func TestWhatIsMadeWorks(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "shop-front")
	made, err := newprobe.Make(newprobe.Options{Name: "shop-front", Folder: folder, Library: "../../probe"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Dockerfile", "Makefile", "component.yaml", "documents/probe.yaml", "go.mod", "main.go", "main_test.go", "pipeline.yaml"}; !slices.Equal(slices.Sorted(slices.Values(made.Files)), want) {
		t.Errorf("it made %v", made.Files)
	}
	if out, err := exec.CommandContext(t.Context(), "gofmt", "-l", folder).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("not formatted: %v %s", err, out)
	}
	for _, target := range []string{"test", "build"} { // vet and test; the program of the image
		if out, err := program(t, folder, "make", target).CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	for _, path := range []string{kuberhealthy.PathV2, kuberhealthy.PathV3} {
		o := &one{}
		s := httptest.NewServer(kuberhealthy.Handler(o))
		cmd := program(t, folder, filepath.Join(folder, "shop-front"))
		cmd.Env = append(cmd.Env, "URL="+page.URL, kuberhealthy.EnvURL+"="+s.URL+path, kuberhealthy.EnvRun+"="+run,
			kuberhealthy.EnvDeadline+"="+strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
		out, err := cmd.CombinedOutput()
		s.Close()
		if cmd.ProcessState.ExitCode() != 1 || len(o.taken) != 1 {
			t.Fatalf("%s: %v, %d reports: %s", path, err, len(o.taken), out)
		}
		r := o.taken[0]
		if r.Verdict != api.Failed || r.Code != "BadStatus" || string(r.Observations["status"]) != "404" || len(r.Parts) != 1 || r.Parts[0].Name != "get" {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

func TestWhatIsThereStays(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a")
	if _, err := newprobe.Make(newprobe.Options{Name: "a", Folder: folder}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(folder, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = newprobe.Make(newprobe.Options{Name: "b", Folder: folder})
	after, _ := os.ReadFile(filepath.Join(folder, "main.go"))
	if fault.CodeOf(err) != fault.Refused || string(after) != string(before) {
		t.Errorf("%v", err)
	}
}

func TestAFolderOfOthersStaysAsItIs(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newprobe.Make(newprobe.Options{Name: "a", Folder: folder})
	if there, _ := os.ReadDir(folder); fault.CodeOf(err) != fault.Refused || len(there) != 1 {
		t.Errorf("%v: %v", err, there)
	}
}

func TestTheLibraryOfACheckout(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "probe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "probe", "go.mod"), []byte("module sluice.dev/sluice/probe\n\ngo 1.26.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{
		filepath.Join(root, "cases", "a"): "\nreplace sluice.dev/sluice/probe => ../../probe\n",
		filepath.Join(t.TempDir(), "a"):   "\nrequire sluice.dev/sluice/probe v0.1.0\n",
	} {
		if _, err := newprobe.Make(newprobe.Options{Name: "a", Folder: folder}); err != nil {
			t.Fatal(err)
		}
		mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err != nil || !strings.HasSuffix(string(mod), want) {
			t.Errorf("%s: %v\n%s", folder, err, mod)
		}
	}
}

func TestWrongNames(t *testing.T) {
	for _, c := range []struct {
		reason string
		o      newprobe.Options
	}{
		{"a name is not empty", newprobe.Options{}},
		{"a name has no capitals", newprobe.Options{Name: "DNS"}},
		{"a name leads nowhere else", newprobe.Options{Name: "../a"}},
		{"a name ends with no dash", newprobe.Options{Name: "a-"}},
		{"a name is short enough for those of its runs", newprobe.Options{Name: strings.Repeat("a", 41)}},
		{"a module is a path", newprobe.Options{Name: "a", Module: "a b"}},
		{"an image has a name", newprobe.Options{Name: "a", Image: "a b"}},
		{"a library is the library", newprobe.Options{Name: "a", Library: "."}},
	} {
		folder := filepath.Join(t.TempDir(), "a")
		c.o.Folder = folder
		_, err := newprobe.Make(c.o)
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", c.reason, err)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%s: it made the folder", c.reason)
		}
	}
}
