// Package newprobe makes the folder of a new probe: a program that looks, its test, what makes an image of it, and the component by
// which clusters run it.
package newprobe

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"sluice.dev/sluice/internal/fault"
)

//go:embed template
var files embed.FS

// Library is the module that the program needs, and Version the one that is asked for where it is not at hand.
const (
	Library = "sluice.dev/sluice/probe"
	Version = "v0.1.0"
)

var (
	names   = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
	modules = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]{0,199}$`)
	images  = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._:/@-]{0,254}$`)
)

// Options say what is made.
type Options struct {
	Name    string
	Folder  string // default the name
	Module  string // default probes.example/NAME
	Image   string // default registry.example/NAME:1.0
	Library string // a folder with the library; default that of the checkout in which Folder is, else the module of Version
}

// Made is what was made.
type Made struct {
	Folder  string
	Files   []string
	Library string // the folder with the library; "" is the module
}

// Make makes the folder. Where there is something already it refuses, and changes nothing.
func Make(o Options) (Made, error) {
	if err := o.complete(); err != nil {
		return Made{}, err
	}
	what, err := rendered(o)
	if err != nil {
		return Made{}, err
	}
	switch there, err := os.ReadDir(o.Folder); {
	case err == nil && len(there) > 0:
		return Made{}, fault.New(fault.Refused, "cannot make %s: there is %s in it already", o.Folder, there[0].Name())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Made{}, fault.Wrap(fault.Invalid, err, "cannot make %s", o.Folder)
	}
	made := Made{Folder: o.Folder, Library: o.Library}
	for _, f := range what {
		if err := write(filepath.Join(o.Folder, filepath.FromSlash(f.name)), f.body); err != nil {
			return made, err
		}
		made.Files = append(made.Files, f.name)
	}
	return made, nil
}

// write makes a file that is not there yet.
func write(name string, body []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot make a folder")
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.Wrap(fault.Refused, err, "cannot make a file")
	}
	_, err = f.Write(body)
	return fault.Wrap(fault.Internal, errors.Join(err, f.Close()), "cannot write %s", name)
}

func (o *Options) complete() error {
	if !names.MatchString(o.Name) {
		return fault.New(fault.Invalid,
			"cannot make a probe %.60q: a name has small letters, digits and dashes, begins with a letter, and has at most 40 of them", o.Name)
	}
	for _, d := range []struct {
		to   *string
		what string
	}{{&o.Folder, o.Name}, {&o.Module, "probes.example/" + o.Name}, {&o.Image, "registry.example/" + o.Name + ":1.0"}} {
		if *d.to == "" {
			*d.to = d.what
		}
	}
	if !modules.MatchString(o.Module) {
		return fault.New(fault.Invalid, "cannot make a probe of module %.60q: it is no path of a Go module", o.Module)
	}
	if !images.MatchString(o.Image) {
		return fault.New(fault.Invalid, "cannot make a probe of image %.60q: it is no name of an image", o.Image)
	}
	if o.Library == "" {
		o.Library = near(o.Folder)
		return nil
	}
	if !isLibrary(o.Library) {
		return fault.New(fault.Invalid, "cannot use %s: it is not the module %s", o.Library, Library)
	}
	return nil
}

// near is the library of the checkout in which a folder is, "" where it is in none.
func near(folder string) string {
	at, err := filepath.Abs(folder)
	if err != nil {
		return ""
	}
	for {
		up := filepath.Dir(at)
		if up == at {
			return ""
		}
		if at = up; isLibrary(filepath.Join(at, "probe")) {
			return filepath.Join(at, "probe")
		}
	}
}

func isLibrary(folder string) bool {
	f, err := os.Open(filepath.Join(folder, "go.mod"))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	first := make([]byte, len("module ")+len(Library)+1)
	n, _ := f.Read(first)
	return strings.TrimSpace(string(first[:n])) == "module "+Library
}

type file struct {
	name string
	body []byte
}

func rendered(o Options) (out []file, err error) {
	library := o.Library
	if library != "" {
		if library, err = reach(o.Folder, library); err != nil {
			return nil, err
		}
	}
	given := map[string]string{
		"Name": o.Name, "Module": o.Module, "Image": o.Image, "Library": Library, "Version": Version, "Replace": library,
	}
	err = fs.WalkDir(files, "template", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		t, err := template.New(entry.Name()).Option("missingkey=error").ParseFS(files, path)
		if err != nil {
			return err
		}
		var body bytes.Buffer
		if err := t.Execute(&body, given); err != nil {
			return err
		}
		out = append(out, file{strings.TrimSuffix(strings.TrimPrefix(path, "template/"), ".tmpl"), body.Bytes()})
		return nil
	})
	return out, fault.Wrap(fault.Internal, err, "cannot read the template of a probe")
}

// reach is how a go.mod in a folder names another folder.
func reach(from, to string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot find %s", from)
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot find %s", to)
	}
	path, err := filepath.Rel(from, to)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot find %s from %s", to, from)
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "../") {
		path = "./" + path
	}
	if strings.ContainsAny(path, " \t\n\"'`\\") {
		return "", fault.New(fault.Invalid, "cannot use the library in %q: no go.mod can name it", path)
	}
	return path, nil
}
