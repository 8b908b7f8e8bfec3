package templates

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/ignore"
)

// helmIgnore is the file that says what a chart leaves out, in Helm's own syntax. A manifests folder may have one too.
const helmIgnore = ".helmignore"

// editorFiles are left out of every folder: they change what is packed without changing what is meant.
const editorFiles = ".git\n.gitignore\n.hg\n.svn\n.idea\n.vscode\n.DS_Store\n*~\n*.swp\n*.swo\n*.bak\n*.orig\n*.rej\n\\#*\\#\n.\\#*\n"

type file struct {
	name       string // slash-separated, relative
	data       []byte
	executable bool
}

// Pack returns the files of a chart or a manifests folder as a tar whose bytes depend on nothing but their names, bytes
// and executable bits. A link to a file inside the folder is packed as that file; other links are errors.
func Pack(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &RenderError{Message: "cannot open folder", Cause: err}
	}
	defer func() { _ = root.Close() }()
	files, err := readFolder(root)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &RenderError{Message: fmt.Sprintf("folder %s has no files", dir)}
	}
	return writeTar(files)
}

func readFolder(root *os.Root) ([]file, error) {
	rules, err := ignoreRules(root)
	if err != nil {
		return nil, err
	}
	_, missing := root.Stat(chartutil.ChartfileName)
	chart := missing == nil
	var files []file
	total := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return &RenderError{File: name, Message: "cannot read", Cause: err}
		}
		if name == "." {
			return nil
		}
		info, err := root.Stat(name)
		if err != nil {
			return &RenderError{File: name, Message: "cannot read (a link has to stay inside the folder)", Cause: err}
		}
		if rules.Ignore(name, info) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		if !chart && !isRead(name) {
			return nil // what nothing is rendered from makes no other template
		}
		if !info.Mode().IsRegular() {
			return &RenderError{File: name, Message: "is neither a file nor a link to one"}
		}
		if len(files) == MaxPackedFiles {
			return &RenderError{Message: fmt.Sprintf("folder has more than %d files", MaxPackedFiles)}
		}
		if total += int(min(info.Size(), MaxPackedBytes+1)); total > MaxPackedBytes {
			return &RenderError{File: name, Message: fmt.Sprintf("folder has more than %d bytes", MaxPackedBytes)}
		}
		data, err := root.ReadFile(name)
		if err != nil {
			return &RenderError{File: name, Message: "cannot read", Cause: err}
		}
		files = append(files, file{name: name, data: data, executable: info.Mode().Perm()&0o111 != 0})
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	return files, err
}

func ignoreRules(root *os.Root) (*ignore.Rules, error) {
	text := editorFiles
	own, err := root.ReadFile(helmIgnore)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &RenderError{File: helmIgnore, Message: "cannot read", Cause: err}
	}
	rules, err := ignore.Parse(strings.NewReader(text + string(own)))
	if err != nil {
		return nil, &RenderError{File: helmIgnore, Message: "cannot parse", Cause: err}
	}
	rules.AddDefaults()
	return rules, nil
}

func writeTar(files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		mode := int64(0o644)
		if f.executable {
			mode = 0o755
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: mode, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return nil, &RenderError{File: f.name, Message: "cannot pack", Cause: err}
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, &RenderError{File: f.name, Message: "cannot pack", Cause: err}
		}
	}
	if err := w.Close(); err != nil {
		return nil, &RenderError{Message: "cannot pack folder", Cause: err}
	}
	return out.Bytes(), nil
}

// unpack reads what Pack wrote. The bytes come from a store: they are bounded and checked again.
func unpack(source []byte) ([]file, error) {
	var files []file
	total := int64(0)
	r := tar.NewReader(bytes.NewReader(source))
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, &RenderError{Message: "cannot unpack template", Cause: err}
		}
		if header.Typeflag != tar.TypeReg || !fs.ValidPath(header.Name) || path.Clean(header.Name) != header.Name {
			return nil, &RenderError{File: header.Name, Message: "cannot unpack template: no file of the folder can have this name or type"}
		}
		total += header.Size
		if len(files) == MaxPackedFiles || total > MaxPackedBytes {
			return nil, &RenderError{Message: fmt.Sprintf("cannot unpack template: over %d files or %d bytes", MaxPackedFiles, MaxPackedBytes)}
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, &RenderError{File: header.Name, Message: "cannot unpack template", Cause: err}
		}
		files = append(files, file{name: header.Name, data: data})
	}
}
