package pipelines

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Bounds on what is read. Ten thousand clusters in one file are about three megabytes.
const (
	maxFileBytes  = 16 << 20
	maxTotalBytes = 256 << 20
	maxFiles      = 20_000
	maxDocuments  = 50_000 // in a file
	// Of what somebody has sent, at once: a value of two bytes takes 600 in memory. Ten thousand clusters have 300,000.
	maxSentMarks = 400_000
)

const chartFile = "Chart.yaml"

// files reads YAML files, each once, whatever paths lead to it.
type files struct {
	report *report
	root   string // paths are below it, and are called without it
	found  []*source
	seen   map[string]bool // absolute paths
	bytes  int
	marks  int
}

// read reads files and folders.
func read(r *report, root string, paths []string) []*source {
	f := &files{report: r, root: root, seen: map[string]bool{}}
	for _, path := range paths {
		f.path(path)
	}
	if len(paths) == 0 {
		r.add(Position{File: "."}, "there is nothing to load: no file or folder was given")
	}
	return f.found
}

// path reads a file, or all YAML files below a folder.
func (f *files) path(path string) {
	if f.root != "" && !filepath.IsLocal(path) {
		f.report.add(Position{File: path}, "cannot read file: it is outside of what was given")
		return
	}
	info, err := os.Stat(f.at(path))
	if err != nil {
		f.report.add(Position{File: path}, "cannot read file: %v", cause(err))
		return
	}
	if !info.IsDir() {
		f.file(path, info, true)
		return
	}
	before := len(f.found)
	f.folder(path)
	if len(f.found) == before && f.report.count[path] == 0 {
		f.report.add(Position{File: path}, "cannot load folder: there is no *.yaml or *.yml file in it")
	}
}

// at is where a path is.
func (f *files) at(path string) string {
	if f.root == "" {
		return path
	}
	return filepath.Join(f.root, path)
}

// folder reads the YAML files of a folder and those below it. Hidden folders, Helm charts and linked folders are not
// looked into; the folder that was asked for is, even if it is hidden or linked.
func (f *files) folder(dir string) {
	if _, err := os.Stat(filepath.Join(f.at(dir), chartFile)); err == nil {
		return
	}
	entries, err := os.ReadDir(f.at(dir))
	if err != nil {
		f.report.add(Position{File: dir}, "cannot read folder: %v", cause(err))
		return
	}
	for _, entry := range entries {
		name := entry.Name()
		path := strings.TrimSuffix(dir, string(filepath.Separator)) + string(filepath.Separator) + name
		if strings.HasPrefix(name, ".") {
			continue
		}
		if entry.IsDir() {
			f.folder(path)
			continue
		}
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		info, err := os.Stat(f.at(path))
		if err != nil {
			f.report.add(Position{File: path}, "cannot read file: %v", cause(err))
			continue
		}
		if info.Mode().IsRegular() {
			f.file(path, info, false)
		}
	}
}

func (f *files) file(path string, info fs.FileInfo, given bool) {
	absolute, err := filepath.Abs(f.at(path))
	if err != nil {
		f.report.add(Position{File: path}, "cannot read file: %v", cause(err))
		return
	}
	if f.seen[absolute] {
		return
	}
	f.seen[absolute] = true
	if !info.Mode().IsRegular() {
		f.report.add(Position{File: path}, "cannot read file: it is no regular file")
		return
	}
	if len(f.found) >= maxFiles || f.bytes+int(min(info.Size(), maxFileBytes)) > maxTotalBytes {
		f.report.add(Position{File: path}, "cannot read file: more than %d files or %d megabytes at once", maxFiles, maxTotalBytes>>20)
		return
	}
	data, err := readBounded(f.at(path))
	if err != nil {
		f.report.add(Position{File: path}, "cannot read file: %v", cause(err))
		return
	}
	f.bytes += len(data)
	if f.marks += marks(data); f.root != "" && f.marks > maxSentMarks {
		f.report.add(Position{File: path}, "cannot read file: %v", errTooManyValues)
		return
	}
	f.found = append(f.found, &source{
		Source: Source{Name: path, Data: data}, dir: filepath.Dir(f.at(path)), absolute: filepath.Dir(absolute), given: given,
	})
}

// readBounded reads a file of at most maxFileBytes, whatever its size was said to be a moment ago.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, errTooLarge
	}
	return data, nil
}

var (
	errTooLarge = errors.New("it is larger than 16 megabytes")
	errTooMany  = fmt.Errorf("more than %d files at once", maxFiles)

	errTooManyValues = fmt.Errorf("more than %d lines and values at once", maxSentMarks)
)

// marks counts what begins and separates values in YAML: there are at most twice as many of these.
func marks(data []byte) (n int) {
	for i, c := range data {
		switch c {
		case '\n', '\r', ',', '[', '{', ':', '?':
			n++
		case '-':
			if i+1 < len(data) && data[i+1] <= ' ' {
				n++
			}
		}
	}
	return n
}

// cause drops the path that the os package puts before its errors: the diagnostic has it already.
func cause(err error) error {
	var withPath *fs.PathError
	if errors.As(err, &withPath) {
		return withPath.Err
	}
	return err
}
