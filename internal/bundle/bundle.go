// Package bundle is a set of documents, with the templates that they name, as one archive: how it is packed where the files are, and
// unpacked where they are not. It reads no document.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// The bounds of an archive.
const (
	MaxArchive = 16 << 20  // bytes, compressed
	MaxBytes   = 128 << 20 // of all files
	MaxFile    = 16 << 20  // of one
	MaxFiles   = 20_000    // and folders
	maxName    = 1024      // bytes
	maxDepth   = 32        // folders
)

// Bundle is an archive, a gzipped tar, and the paths in it that somebody has named.
type Bundle struct {
	Archive []byte
	Paths   []string
	given   []string // the same, as they were called where they were packed
}

// Given is what a file that is below one of the paths was called where it was packed.
func (b Bundle) Given(name string) string {
	for i, path := range b.Paths {
		if rest, below := strings.CutPrefix(name, path); below && (rest == "" || rest[0] == '/') {
			return strings.TrimSuffix(b.given[i], "/") + rest
		}
	}
	return name
}

// Pack packs files, and all that is below folders, but for hidden files below them. Their names are those that they were given by where
// all of them are below this folder, else those from the folder that holds them all; Paths are what the given paths are called. The
// same files make the same archive. Errors are fault.Invalid where a path cannot be read, or where it is more than may be.
func Pack(given []string, files []string) (Bundle, error) {
	root, err := common(slices.Concat(given, files))
	if err != nil {
		return Bundle{}, err
	}
	p := packer{root: root, seen: entries{}}
	zipped := gzip.NewWriter(&p.out)
	p.tar = tar.NewWriter(zipped)
	for _, path := range files {
		if err := p.add(path); err != nil {
			return Bundle{}, fault.Wrap(fault.Invalid, err, "cannot send %s", path)
		}
	}
	if err := errors.Join(p.tar.Close(), zipped.Close()); err != nil {
		return Bundle{}, fault.Wrap(fault.Internal, err, "cannot pack what is to be sent")
	}
	if p.out.Len() > MaxArchive {
		return Bundle{}, fault.New(fault.Invalid, "cannot send %d files: packed they have %d bytes, and may have %d",
			p.files, p.out.Len(), MaxArchive)
	}
	b := Bundle{Archive: p.out.Bytes(), given: given}
	for _, path := range given {
		name, err := p.name(path)
		if err != nil {
			return Bundle{}, err
		}
		b.Paths = append(b.Paths, name)
	}
	return b, nil
}

// common is the folder from which files are named.
func common(paths []string) (string, error) {
	here, err := filepath.Abs(".")
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot tell where this is")
	}
	root := here
	for _, path := range paths {
		full, err := filepath.Abs(path)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "cannot find %s", path)
		}
		for !inside(root, full) {
			root = filepath.Dir(root)
		}
	}
	return root, nil
}

func inside(root, path string) bool {
	name, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(name)
}

type packer struct {
	root  string
	out   bytes.Buffer
	tar   *tar.Writer
	seen  entries
	files int
	bytes int64
}

func (p *packer) name(of string) (string, error) {
	full, err := filepath.Abs(of)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot find %s", of)
	}
	name, err := filepath.Rel(p.root, full)
	return filepath.ToSlash(name), fault.Wrap(fault.Internal, err, "cannot name %s", of)
}

// add packs a file, or what is below a folder. A link below one is left out: what it leads to may be anywhere.
func (p *packer) add(given string) error {
	return filepath.WalkDir(given, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case at != given && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".helmignore":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir(), at != given && !entry.Type().IsRegular():
			return nil
		}
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fault.New(fault.Invalid, "it is no regular file")
		}
		return p.file(at)
	})
}

func (p *packer) file(at string) error {
	name, err := p.name(at)
	if err != nil || p.seen[name] {
		return err
	}
	p.files++
	data, err := readBounded(at)
	if err != nil {
		return err
	}
	p.bytes += int64(len(data))
	if !p.seen.add(name) || p.bytes > MaxBytes {
		return fault.New(fault.Invalid, "more than %d files and folders, or %d megabytes", MaxFiles, MaxBytes>>20)
	}
	info, err := os.Stat(at)
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600 | int64(info.Mode().Perm()&0o100)}
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err = p.tar.Write(data)
	return err
}

func readBounded(at string) ([]byte, error) {
	file, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fault.New(fault.Invalid, "%s is larger than %d megabytes", filepath.Base(at), MaxFile>>20)
	}
	return data, err
}

// Unpack writes an archive into an empty folder: regular files alone, none outside of it, no more and no larger than may be. Errors
// are fault.Invalid.
func Unpack(archive []byte, dir string) error {
	return fault.Wrap(fault.Invalid, unpack(archive, dir), "cannot unpack what was sent")
}

func unpack(archive []byte, dir string) error {
	if len(archive) > MaxArchive {
		return fault.New(fault.Invalid, "it has %d bytes, and may have %d", len(archive), MaxArchive)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// All that is not in a file counts too: headers, and what stands behind the end.
	bounded := &limited{r: zipped, left: MaxBytes + 2048*MaxFiles}
	from := tar.NewReader(bounded)
	seen := entries{}
	for size := int64(0); ; {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			return fault.New(fault.Invalid, "%.100q is no regular file", header.Name)
		}
		if err := checkName(header.Name); err != nil {
			return err
		}
		if !seen.add(header.Name) {
			return fault.New(fault.Invalid, "it has more than %d files and folders", MaxFiles)
		}
		if size += header.Size; header.Size > MaxFile || size > MaxBytes {
			return fault.New(fault.Invalid, "%.100q: more than %d megabytes, or all of it more than %d", header.Name, MaxFile>>20, MaxBytes>>20)
		}
		if err := write(root, header, from); err != nil {
			return err
		}
	}
}

// entries are the names of files, and of the folders that they are in.
type entries map[string]bool

// add adds a file, and reports whether there may be as many: each folder costs as much as a file to make, and a name has many.
func (e entries) add(name string) bool {
	for at := name; at != "." && !e[at]; at = path.Dir(at) {
		e[at] = true
	}
	return len(e) <= MaxFiles
}

func checkName(name string) error {
	if len(name) > maxName || name != path.Clean(name) || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) ||
		strings.ContainsAny(name, "\x00\\") || strings.Count(name, "/") > maxDepth {
		return fault.New(fault.Invalid, "%.100q is no name of a file in it", name)
	}
	return nil
}

// write writes a file. Whether it can be executed is part of a template, and nothing executes it here.
func write(root *os.Root, header *tar.Header, from io.Reader) error {
	name := header.Name
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600|header.FileInfo().Mode().Perm()&0o100)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// limited ends with an error where there is more to read than may be.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(into []byte) (int, error) {
	if l.left <= 0 {
		return 0, fault.New(fault.Invalid, "unpacked it has more than may be")
	}
	n, err := l.r.Read(into[:min(int64(len(into)), l.left)])
	l.left -= int64(n)
	return n, err
}
