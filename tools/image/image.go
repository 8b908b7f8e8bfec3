package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// About is what is said of an image.
type About struct {
	Name         string
	Release      string
	Revision     string
	Architecture string
	Created      time.Time
}

// nobody is who the program runs as where the pod does not say: nobody that a system gives files to.
const nobody = 65532

// source is where the program comes from.
const source = "https://sluice.dev/sluice"

// Build makes the image of a program: the program, the authorities of the web and names for its user, and nothing that could be run
// besides. A program that needs a loader is refused: there is none.
func Build(program string, about About) (v1.Image, error) {
	if err := static(program, about.Architecture); err != nil {
		return nil, err
	}
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	base, err := layer(append(system(),
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities()}))
	if err != nil {
		return nil, err
	}
	own, err := layer([]entry{{name: "usr/"}, {name: "usr/bin/"}, {name: "usr/bin/" + about.Name, mode: 0o755, data: code}})
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	at := v1.Time{Time: about.Created}
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: v1.History{Created: at, CreatedBy: "authorities and users"}},
		mutate.Addendum{Layer: own, History: v1.History{Created: at, CreatedBy: about.Name + " " + about.Release}},
	)
	if err != nil {
		return nil, fmt.Errorf("cannot add layers: %w", err)
	}
	made, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration of the image: %w", err)
	}
	if image, err = mutate.ConfigFile(image, configured(made, about)); err != nil {
		return nil, fmt.Errorf("cannot write the configuration of the image: %w", err)
	}
	return image, nil
}

// configured is the configuration of an image with how its program is run. Its layers stay.
func configured(made *v1.ConfigFile, about About) *v1.ConfigFile {
	made = made.DeepCopy()
	made.OS, made.Architecture, made.Created = "linux", about.Architecture, v1.Time{Time: about.Created}
	made.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", nobody, nobody),
		Entrypoint: []string{"/usr/bin/" + about.Name},
		WorkingDir: "/home/nonroot",
		Env: []string{
			"PATH=/usr/bin", "HOME=/home/nonroot", "USER=nonroot", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
		},
		Labels: labels(about),
	}
	return made
}

func labels(about About) map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":       about.Name,
		"org.opencontainers.image.description": "Rolls changes to Kubernetes infrastructure through a fleet of clusters",
		"org.opencontainers.image.source":      source,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     about.Release,
		"org.opencontainers.image.created":     about.Created.Format(time.RFC3339),
	}
	if about.Revision != "" {
		all["org.opencontainers.image.revision"] = about.Revision
	}
	return all
}

// machines are what ELF calls the architectures of images.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// static refuses what is no program of the architecture, or does not run by itself.
func static(program, architecture string) error {
	machine, known := machines[architecture]
	if !known {
		return fmt.Errorf("cannot make an image for %q: those for amd64 and arm64 are known", architecture)
	}
	file, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("cannot read program %s: %w", program, err)
	}
	defer func() { _ = file.Close() }()
	if file.Machine != machine {
		return fmt.Errorf("cannot make an image for %s of %s: it is for %s", architecture, program, file.Machine)
	}
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("cannot make an image of %s: it is not static; build it with CGO_ENABLED=0", program)
	}
	return nil
}

// entry is a file of a layer, or a folder where the name ends with a slash. Everything is root's but what has an owner.
type entry struct {
	name  string
	mode  int64
	owner int
	data  []byte
}

func system() []entry {
	return []entry{
		{name: "etc/"},
		{name: "etc/passwd", mode: 0o644, data: []byte(
			"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")},
		{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		{name: "etc/ssl/"}, {name: "etc/ssl/certs/"},
		{name: "home/"}, {name: "home/nonroot/", owner: nobody},
		{name: "dev/"}, {name: "proc/"}, {name: "sys/"}, // where what runs it mounts its own
		{name: "tmp/", mode: 0o1777},
	}
}

// authorities are the roots that the pinned module has, in the form that programs read.
func authorities() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // a file cannot say that an authority counts for a part of the web only
		}
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
	}
	return text.Bytes()
}

// layer packs files. Nothing in it depends on when or where it is packed.
func layer(files []entry) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, f := range files {
		header := &tar.Header{
			Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.data)), Typeflag: tar.TypeReg,
			ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		if f.name[len(f.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
			if f.mode == 0 {
				header.Mode = 0o755
			}
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot pack: %w", err)
	}
	made, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("cannot make a layer: %w", err)
	}
	return made, nil
}
