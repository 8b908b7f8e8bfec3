package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/memory"

	"sluice.dev/sluice/internal/fault"
)

// Of a path in a tree.
const (
	maxName  = 1024 // bytes
	maxDepth = 32   // folders
	maxLinks = 40   // that lead to one another
	maxLead  = 4096 // bytes of where a link leads: no system follows more, and the work grows with their square
)

// Commit is one commit of a repository, with its files.
type Commit struct {
	Hash    string
	Author  string // as it says of itself: anybody may write any name here
	Email   string
	Message string // its first line, at most 200 bytes
	At      time.Time
	Parents []string
	Files   []File // by path

	encoded []byte // as it is stored
}

// File is a file of a commit, or a link where Link is where that leads.
type File struct {
	Path       string // with / between its parts
	Data       []byte
	Executable bool
	Link       string
}

// Read fetches one commit, with the files below the paths of the repository and nothing of its history. It is fault.NotFound where the
// commit or a path is not there, and fault.Invalid where there is more than may be, a submodule, or a link that leads out of the tree.
func (r *Remote) Read(ctx context.Context, commit string) (*Commit, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	req, err := s.askingFor(commit)
	if err != nil {
		return nil, err
	}
	if err := s.shallow(req); err != nil {
		return nil, err
	}
	later := false // the contents of files, once it is known of which
	if len(r.at.Paths) > 0 && s.anything() {
		if later, err = s.filter(req, packp.FilterBlobNone()); err != nil {
			return nil, err
		}
	}
	store := memory.NewStorage()
	if err := s.fetch(ctx, req, store); err != nil {
		return nil, err
	}
	raw, err := object.GetCommit(store, plumbing.NewHash(commit))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read commit %.12s of %s", commit, r.at.URL)
	}
	walk := &walk{remote: r, store: store, commit: commit}
	if err := walk.all(raw.TreeHash); err != nil {
		return nil, err
	}
	if later {
		if err := walk.fetch(ctx); err != nil {
			return nil, err
		}
	}
	files, err := walk.files()
	if err != nil {
		return nil, err
	}
	return commitOf(store, raw, files)
}

func commitOf(store *memory.Storage, raw *object.Commit, files []File) (*Commit, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(raw.Message), "\n")
	c := &Commit{
		Hash: raw.Hash.String(), Author: raw.Author.Name, Email: raw.Author.Email, At: raw.Committer.When.UTC(), Files: files,
		Message: strings.ToValidUTF8(fmt.Sprintf("%.200s", line), "?"),
	}
	for _, p := range raw.ParentHashes {
		c.Parents = append(c.Parents, p.String())
	}
	object, err := store.EncodedObject(plumbing.CommitObject, raw.Hash)
	if err != nil {
		return nil, err
	}
	from, err := object.Reader()
	if err != nil {
		return nil, err
	}
	c.encoded, err = stored(from)
	return c, err
}

// walk finds the files of a tree.
type walk struct {
	remote *Remote
	store  *memory.Storage
	commit string
	found  []entry
	seen   int // entries of trees that were looked at
}

type entry struct {
	path string
	hash plumbing.Hash
	mode filemode.FileMode
}

// wrong is fault.Invalid for something at a path.
func (w *walk) wrong(at, format string, args ...any) error {
	return fault.New(fault.Invalid, "cannot read %.200q of %s at %.12s: %s", at, w.remote.at.URL, w.commit, fmt.Sprintf(format, args...))
}

func (w *walk) all(root plumbing.Hash) error {
	paths := w.remote.at.Paths
	defer func() { slices.SortFunc(w.found, func(a, b entry) int { return strings.Compare(a.path, b.path) }) }()
	if len(paths) == 0 {
		return w.folder("", root, 0)
	}
	given := map[string]bool{}
	for _, p := range paths {
		at := path.Clean(p)
		if at == "." {
			return w.folder("", root, 0)
		}
		given[at] = true
	}
	for at := range given {
		for above := path.Dir(at); above != "."; above = path.Dir(above) {
			if given[above] {
				delete(given, at) // it comes with that
			}
		}
	}
	for at := range given {
		if err := w.below(root, at); err != nil {
			return err
		}
	}
	return nil
}

// below walks what is at a path.
func (w *walk) below(root plumbing.Hash, at string) error {
	parts := strings.Split(at, "/")
	in := root
	for i, part := range parts {
		tree, err := w.tree(in, strings.Join(parts[:i], "/"))
		if err != nil {
			return err
		}
		n := slices.IndexFunc(tree.Entries, func(e object.TreeEntry) bool { return e.Name == part })
		if n < 0 {
			return fault.New(fault.NotFound, "cannot read %s of %s at %.12s: it is not there", at, w.remote.at.URL, w.commit)
		}
		if e := tree.Entries[n]; i == len(parts)-1 || e.Mode != filemode.Dir {
			return w.entry(strings.Join(parts[:i+1], "/"), e, i)
		}
		in = tree.Entries[n].Hash
	}
	return nil
}

func (w *walk) tree(hash plumbing.Hash, at string) (*object.Tree, error) {
	tree, err := object.GetTree(w.store, hash)
	if err != nil {
		return nil, w.wrong(at, "%v", err)
	}
	// A few trees that hold each other a hundred times over would be walked for ever.
	if w.seen += len(tree.Entries); w.seen > 10*w.remote.limits.Files {
		return nil, w.wrong(at, "there are more than %d files and folders", 10*w.remote.limits.Files)
	}
	return tree, nil
}

func (w *walk) folder(at string, hash plumbing.Hash, depth int) error {
	if depth > maxDepth {
		return w.wrong(at, "it is more than %d folders deep", maxDepth)
	}
	tree, err := w.tree(hash, at)
	if err != nil {
		return err
	}
	for _, e := range tree.Entries {
		if err := w.entry(path.Join(at, e.Name), e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(at string, e object.TreeEntry, depth int) error {
	switch {
	case !usable(e.Name):
		return w.wrong(at, "it has no name that a file may have")
	case len(at) > maxName:
		return w.wrong(at, "its path is longer than %d bytes", maxName)
	}
	switch e.Mode {
	case filemode.Dir:
		return w.folder(at, e.Hash, depth+1)
	case filemode.Regular, filemode.Deprecated, filemode.Executable, filemode.Symlink:
		if w.found = append(w.found, entry{at, e.Hash, e.Mode}); len(w.found) > w.remote.limits.Files {
			return w.wrong(at, "there are more than %d files", w.remote.limits.Files)
		}
		return nil
	case filemode.Submodule:
		return w.wrong(at, "it is a submodule, and those are not followed: have what is needed in the repository itself, or leave its path out")
	}
	return w.wrong(at, "it is neither a file nor a folder nor a link")
}

// usable reports whether a file may have a name. What git itself would not check out is no file.
func usable(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.EqualFold(name, ".git") && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == '/' || c == '\\' || c == 0x7f })
}

// fetch has what is in the files that were found come after them.
func (w *walk) fetch(ctx context.Context) error {
	missing := map[plumbing.Hash]bool{}
	for _, e := range w.found {
		if w.store.HasEncodedObject(e.hash) != nil {
			missing[e.hash] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	s, err := w.remote.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	wants := make([]plumbing.Hash, 0, len(missing))
	for hash := range missing {
		wants = append(wants, hash)
	}
	req, err := s.asking(wants...)
	if err != nil {
		return err
	}
	return s.fetch(ctx, req, w.store)
}

// files reads what was found.
func (w *walk) files() ([]File, error) {
	files := make([]File, 0, len(w.found))
	links := map[string]string{}
	var all int64
	for i, e := range w.found {
		if i > 0 && w.found[i-1].path == e.path {
			return nil, w.wrong(e.path, "it is there twice")
		}
		blob, err := object.GetBlob(w.store, e.hash)
		if err != nil {
			return nil, w.wrong(e.path, "%v", err)
		}
		if e.mode == filemode.Symlink && blob.Size > maxLead {
			return nil, w.wrong(e.path, "it is a link to something of %d bytes, and a path has at most %d", blob.Size, maxLead)
		}
		// One object may stand at ten thousand paths.
		if all += blob.Size; all > w.remote.limits.Bytes {
			return nil, w.wrong(e.path, "all files are larger than %d megabytes", w.remote.limits.Bytes>>20)
		}
		data, err := content(blob)
		if err != nil {
			return nil, w.wrong(e.path, "%v", err)
		}
		f := File{Path: e.path, Data: data, Executable: e.mode == filemode.Executable}
		if e.mode == filemode.Symlink {
			f.Link, f.Data = string(data), nil
			links[e.path] = f.Link
		}
		files = append(files, f)
	}
	for at := range links {
		if !staysIn(at, links) {
			return nil, w.wrong(at, "it is a link that leads out of the repository, or nowhere: %.200q", links[at])
		}
	}
	return files, nil
}

func content(blob *object.Blob) ([]byte, error) {
	from, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	return stored(from)
}

// staysIn reports whether a link leads to somewhere in the tree, along all links that are on its way.
func staysIn(at string, links map[string]string) bool {
	todo := strings.Split(at, "/")
	var here []string
	for hops := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(here) == 0 {
				return false
			}
			here = here[:len(here)-1]
			continue
		}
		here = append(here, part)
		to, isLink := links[strings.Join(here, "/")]
		if !isLink {
			continue
		}
		if hops++; hops > maxLinks || path.IsAbs(to) || to == "" || strings.ContainsAny(to, "\x00\\") {
			return false
		}
		here = here[:len(here)-1]
		todo = append(strings.Split(to, "/"), todo...)
	}
	return true
}

// Write writes the files of a commit into an empty folder.
func (c *Commit) Write(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot write commit %.12s", c.Hash)
	}
	defer root.Close()
	made := map[string]bool{".": true}
	for _, f := range c.Files {
		if err := write(root, f, made); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot write %s of commit %.12s", f.Path, c.Hash)
		}
	}
	return nil
}

func write(root *os.Root, f File, made map[string]bool) error {
	name := filepath.FromSlash(f.Path)
	if dir := filepath.Dir(name); !made[dir] {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		made[dir] = true
	}
	if f.Link != "" {
		return root.Symlink(filepath.FromSlash(f.Link), name)
	}
	mode := os.FileMode(0o600)
	if f.Executable {
		mode = 0o700
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Data)
	return errors.Join(err, file.Close())
}
