package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// small builds a program that says who it is, with these variables of Go's build.
func small(t *testing.T, variables ...string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module small.example/small\n\ngo 1.26\n",
		"main.go": "package main\n\nimport \"os\"\n\nfunc main() { println(os.Args[0], os.Getuid(), os.Getenv(\"HOME\")) }\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "small")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, ".")
	build.Dir, build.Env = folder, append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"), variables...)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, said)
	}
	return program
}

var about = About{
	Name: "small", Release: "1.2.3", Revision: "0123456789ab", Architecture: "amd64", Created: time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC),
}

func TestTheSameProgramGivesTheSameBytes(t *testing.T) {
	var written [2]map[string]string
	for i := range written {
		program, out := small(t), t.TempDir()
		args := []string{"--program", program, "--out", out, "--name", "small", "--release", "1.2.3", "--epoch", "1790000000"}
		if err := run(args); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		written[i] = map[string]string{}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(out, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			written[i][f.Name()] = string(data)
		}
	}
	for _, name := range []string{"small-linux-amd64.oci.tar", "small-linux-amd64.cdx.json", "small-linux-amd64.digest"} {
		first, second := written[0][name], written[1][name]
		if first == "" || first != second {
			t.Errorf("%s has %d bytes and then %d, and they are not the same", name, len(first), len(second))
		}
	}
	if len(written[0]) != 3 {
		t.Errorf("%d files are left", len(written[0]))
	}
}

func TestAnotherProgramOrTimeIsAnotherImage(t *testing.T) {
	program := small(t)
	later, other := about, about
	later.Created = about.Created.Add(time.Second)
	other.Release = "1.2.4"
	seen := map[v1.Hash]string{}
	for why, a := range map[string]About{"the one": about, "built of a later commit": later, "another release": other} {
		image, err := Build(program, a)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if before, there := seen[digest]; there {
			t.Errorf("%s has the digest of %s", why, before)
		}
		seen[digest] = why
	}
}

func TestWhatIsInAnImage(t *testing.T) {
	image, err := Build(small(t), about)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/small"}) || len(c.Cmd) > 0 {
		t.Errorf("it runs %q %q as %q", c.Entrypoint, c.Cmd, c.User)
	}
	l := config.Config.Labels
	if l["org.opencontainers.image.version"] != "1.2.3" || l["org.opencontainers.image.revision"] != "0123456789ab" ||
		l["org.opencontainers.image.created"] != "2026-11-30T02:00:00Z" || l["org.opencontainers.image.source"] == "" {
		t.Errorf("its labels are %v", l)
	}
	flat := mutate.Extract(image)
	defer func() { _ = flat.Close() }()
	var names, programs []string
	authorities := 0
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 {
			programs = append(programs, h.Name)
		}
		if strings.HasSuffix(h.Name, "ca-certificates.crt") {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			authorities = strings.Count(string(text), "BEGIN CERTIFICATE")
		}
		if h.Uid != 0 && h.Name != "home/nonroot" {
			t.Errorf("%s is not root's", h.Name)
		}
	}
	if !slices.Equal(programs, []string{"usr/bin/small"}) {
		t.Errorf("it has programs %v: a shell is of use to nobody who should be there", programs)
	}
	if authorities < 50 {
		t.Errorf("it knows %d authorities", authorities)
	}
	if !slices.Contains(names, "etc/passwd") || !slices.Contains(names, "tmp") {
		t.Errorf("it has %v", names)
	}
}

func TestABillNamesModules(t *testing.T) {
	program, err := os.Executable() // this test, which is built of modules
	if err != nil {
		t.Fatal(err)
	}
	text, err := Bill(program, about)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version, Purl string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, c := range bill.Components {
		named[c.Name] = c.Purl
	}
	if bill.BOMFormat != "CycloneDX" || bill.Metadata.Component.Version != "1.2.3" {
		t.Errorf("it begins with %+v", bill.Metadata)
	}
	if !strings.HasPrefix(named["github.com/google/go-containerregistry"], "pkg:golang/github.com/google/go-containerregistry@v0.") {
		t.Errorf("it has no such module: %v", named)
	}
	if !strings.HasPrefix(named["std"], "pkg:golang/std@1.") {
		t.Errorf("it does not say which Go: %q", named["std"])
	}
}

func TestWhatIsNoStaticProgramIsRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	arm, riscv := about, about
	arm.Architecture, riscv.Architecture = "arm64", "riscv64"
	for _, c := range []struct {
		reason  string
		program string
		about   About
		want    string
	}{
		{"a script has no shell there", text, about, "cannot read program"},
		{"a program for another machine", small(t), arm, "it is for EM_X86_64"},
		{"an architecture that is not known", small(t), riscv, "those for amd64 and arm64 are known"},
		{"a program that needs a loader", "/bin/sh", about, "it is not static"},
	} {
		if _, err := Build(c.program, c.about); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}
