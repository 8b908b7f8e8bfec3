package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/fault"
)

func TestWhatIsPackedIsUnpacked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"repo/app/a.yaml": "a", "repo/app/.hidden.yaml": "no", "repo/app/.git/config": "no", "repo/charts/x/Chart.yaml": "x",
		"repo/charts/x/.helmignore": "*.md", "repo/charts/x/templates/t.yaml": "t", "elsewhere/b.yaml": "b",
	})
	for _, c := range []struct {
		reason       string
		here         string
		given, files []string
		names, paths []string
	}{
		{"what is below this folder is called as it was typed", "repo", []string{"app"}, []string{"app", "charts/x"},
			[]string{"app/a.yaml", "charts/x/.helmignore", "charts/x/Chart.yaml", "charts/x/templates/t.yaml"}, []string{"app"}},
		{"this folder itself is a dot", "repo/app", []string{"."}, []string{"."}, []string{"a.yaml"}, []string{"."}},
		{"a template beside this folder has all of it named from above", "repo/app", []string{"a.yaml"}, []string{"a.yaml", "../charts/x"},
			[]string{"app/a.yaml", "charts/x/.helmignore", "charts/x/Chart.yaml", "charts/x/templates/t.yaml"}, []string{"app/a.yaml"}},
		{"a file that is named twice is sent once", "repo", []string{"app", "app/a.yaml"}, []string{"app", "app/a.yaml"},
			[]string{"app/a.yaml"}, []string{"app", "app/a.yaml"}},
		{"two folders far apart have the one above both in common", "repo", []string{"app", "../elsewhere/b.yaml"},
			[]string{"app", "../elsewhere/b.yaml"}, []string{"elsewhere/b.yaml", "repo/app/a.yaml"}, []string{"repo/app", "elsewhere/b.yaml"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Chdir(filepath.Join(dir, c.here))
			b, err := bundle.Pack(c.given, c.files)
			if err != nil {
				t.Fatal(err)
			}
			again, err := bundle.Pack(c.given, c.files)
			if err != nil || !bytes.Equal(b.Archive, again.Archive) {
				t.Errorf("packed again it is another: %v", err)
			}
			into := t.TempDir()
			if err := bundle.Unpack(b.Archive, into); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.names, slices.Sorted(maps.Keys(read(t, into)))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.paths, b.Paths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLinksBelowFoldersAreLeftOut packs a folder with links, and a link that is named.
func TestLinksBelowFoldersAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, map[string]string{"app/a.yaml": "a", "home/.kube/config": "secret", "home/x.yaml": "secret"})
	for at, to := range map[string]string{
		"app/config.yaml": "../home/.kube/config", "app/home": "../home", "app/self.yaml": "a.yaml", "app/gone.yaml": "nowhere",
	} {
		if err := os.Symlink(to, filepath.FromSlash(at)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		reason string
		file   string
		want   map[string]string // nil: it cannot be packed
	}{
		{"nothing in the folder leads out of it", "app", map[string]string{"app/a.yaml": "a"}},
		{"who names a link has looked where it leads", "app/self.yaml", map[string]string{"app/self.yaml": "a"}},
		{"a folder is named by what it is", "app/home", nil},
		{"a link that leads nowhere is no file", "app/gone.yaml", nil},
	} {
		b, err := bundle.Pack([]string{c.file}, []string{c.file})
		if c.want == nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		into := t.TempDir()
		if err := errors.Join(err, bundle.Unpack(b.Archive, into)); err != nil {
			t.Fatalf("%s: %v", c.reason, err)
		}
		if diff := cmp.Diff(c.want, read(t, into)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestFilesAreCalledAsTheyWereGiven(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, map[string]string{"a/b/x.yaml": "x", "c.yaml": "c"})
	given := []string{"./a/b/", filepath.Join(dir, "c.yaml"), "."}
	b, err := bundle.Pack(given, given)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a/b/x.yaml": "./a/b/x.yaml", "c.yaml": filepath.Join(dir, "c.yaml"), "./c.yaml": "./c.yaml", "a/bc.yaml": "a/bc.yaml", "": "",
	} {
		if got := b.Given(name); got != want {
			t.Errorf("%q was %q, want %q", name, got, want)
		}
	}
}

func TestWhatCannotBePacked(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, map[string]string{"big.yaml": strings.Repeat("a", bundle.MaxFile+1)})
	for name, says := range map[string]string{"gone.yaml": "no such file", "big.yaml": "larger than 16 megabytes"} {
		_, err := bundle.Pack([]string{name}, []string{name})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatCannotBeUnpacked(t *testing.T) {
	regular := func(name, data string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600}
	}
	for _, c := range []struct {
		reason  string
		archive []byte
		says    string
	}{
		{"it is no archive", []byte("this is no gzip at all"), "invalid header"},
		{"it is larger than may be", make([]byte, bundle.MaxArchive+1), "may have"},
		{"it is cut short", archive(t, []tar.Header{regular("a", "12345")}, "12345")[:20], "unexpected EOF"},
		{"a file is above it", archive(t, []tar.Header{regular("../a", "x")}, "x"), "no name of a file"},
		{"a file is at the root", archive(t, []tar.Header{regular("/etc/a", "x")}, "x"), "no name of a file"},
		{"a name goes up and down", archive(t, []tar.Header{regular("a/../../b", "x")}, "x"), "no name of a file"},
		{"a name is not clean", archive(t, []tar.Header{regular("a//b", "x")}, "x"), "no name of a file"},
		{"it has a link", archive(t, []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}}), "no regular file"},
		{"it has a device", archive(t, []tar.Header{{Typeflag: tar.TypeChar, Name: "a"}}), "no regular file"},
		{"a name comes twice", archive(t, []tar.Header{regular("a", "x"), regular("a", "y")}, "x", "y"), "exists"},
		{"a file is in the place of a folder", archive(t, []tar.Header{regular("a", "x"), regular("a/b", "y")}, "x", "y"), "cannot unpack what was sent: mkdirat a"},
		{"a folder is too deep", archive(t, []tar.Header{regular(strings.Repeat("d/", 40)+"a", "x")}, "x"), "no name of a file"},
		{"it grows without end", bomb(t), "more than"},
		{"it has more files than may be", many(t, bundle.MaxFiles+1, ""), "more than 20000 files and folders"},
		{"it has few files in more folders than may be", many(t, bundle.MaxFiles/32+1, strings.Repeat("/d", 31)),
			"more than 20000 files and folders"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			dir := t.TempDir()
			err := bundle.Unpack(c.archive, filepath.Join(dir, "."))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if _, err := os.Lstat(filepath.Join(filepath.Dir(dir), "a")); err == nil {
				t.Error("it wrote outside of its folder")
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, []tar.Header{{Typeflag: tar.TypeReg, Name: "a/b.yaml", Size: 1, Mode: 0o600}}, "x"))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = bundle.Unpack(data, dir)
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
			t.Errorf("beside the folder is %v, %v", entries, err)
		}
	})
}

func archive(t testing.TB, headers []tar.Header, data ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	into := tar.NewWriter(zipped)
	for i := range headers {
		if err := into.WriteHeader(&headers[i]); err != nil {
			t.Fatal(err)
		}
		if i < len(data) {
			if _, err := into.Write([]byte(data[i])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := into.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// many is an archive of empty files, each in a folder of its own where folders are said.
func many(t *testing.T, files int, below string) []byte {
	var headers []tar.Header
	for i := range files {
		headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: strconv.Itoa(i) + below, Mode: 0o600})
	}
	return archive(t, headers)
}

// TestAsMuchAsMayBeIsUnpacked has files and folders up to their bound.
func TestAsMuchAsMayBeIsUnpacked(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.Unpack(many(t, bundle.MaxFiles/32, strings.Repeat("/d", 31)), dir); err != nil {
		t.Fatal(err)
	}
	if files := read(t, dir); len(files) != bundle.MaxFiles/32 {
		t.Errorf("%d files are there", len(files))
	}
}

// bomb is small, and unpacks to more than may be.
func bomb(t *testing.T) []byte {
	var headers []tar.Header
	var data []string
	zeros := strings.Repeat("\x00", bundle.MaxFile)
	for i := range bundle.MaxBytes/bundle.MaxFile + 1 {
		headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: string(rune('a' + i)), Size: bundle.MaxFile, Mode: 0o600})
		data = append(data, zeros)
	}
	return archive(t, headers, data...)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(dir), name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
