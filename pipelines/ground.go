package pipelines

import (
	"io/fs"
	"os"
	"path/filepath"
)

// ground is a set of folders, without links in their paths, out of which nothing that a document names may lead.
type ground []string

// grounds are those of paths: of each the git repository that it is in, and where it is in none, the folder itself or the one of the
// file. Which repository that is, the folders above the path say as it is written: a link in a repository does not lead to another.
func grounds(paths []string) (all ground) {
	for _, path := range paths {
		at, err := filepath.Abs(path)
		if err != nil {
			continue
		}
		own := at
		if info, err := os.Stat(at); err != nil || !info.IsDir() {
			own = filepath.Dir(at)
		}
		from := own
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			from = filepath.Dir(at)
		}
		if top, ok := repository(from); ok {
			own = top
		}
		all = append(all, resolved(own))
	}
	return all
}

// repository is the nearest folder, from one upwards, that git has.
func repository(from string) (string, bool) {
	for at := from; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at, true
		}
		if at == filepath.Dir(at) {
			return "", false
		}
	}
}

// hold reports whether a path leads below one of the folders, by whatever links.
func (g ground) hold(path string) bool {
	at := resolved(path)
	for _, folder := range g {
		if at != "" && folder != "" && within(folder, at) {
			return true
		}
	}
	return false
}

// resolved is a path from the root without links; "" where it leads nowhere.
func resolved(path string) string {
	at, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if at, err = filepath.EvalSymlinks(at); err != nil {
		return ""
	}
	return at
}
