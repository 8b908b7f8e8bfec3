package git

import (
	"bytes"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

// FuzzPack has a server send anything: it is weighed without a panic, and where it weighs what it may, no object that comes out of it is
// larger than may be.
func FuzzPack(f *testing.F) {
	store := memory.NewStorage()
	var hashes []plumbing.Hash
	for _, text := range []string{"a", string(bytes.Repeat([]byte("abcdefgh"), 500)), string(bytes.Repeat([]byte("abcdefgh"), 501)), ""} {
		blob := store.NewEncodedObject()
		blob.SetType(plumbing.BlobObject)
		w, err := blob.Writer()
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
		hash, err := store.SetEncodedObject(blob)
		if err != nil {
			f.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	for _, window := range []uint{0, 10} { // without and with deltas
		var pack bytes.Buffer
		if _, err := packfile.NewEncoder(&pack, store, false).Encode(hashes, window); err != nil {
			f.Fatal(err)
		}
		f.Add(pack.Bytes())
	}
	f.Add([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"))
	r := &Remote{at: Repository{URL: "fuzz"}, limits: Limits{File: 8 << 10, Bytes: 64 << 10, Objects: 100}.orDefault()}
	f.Fuzz(func(t *testing.T, pack []byte) {
		if r.weigh(pack) != nil {
			return
		}
		into := memory.NewStorage()
		parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), into)
		if err != nil {
			return
		}
		if _, err := parser.Parse(); err != nil {
			return
		}
		for hash, o := range into.Objects {
			if o.Size() > r.limits.File {
				t.Errorf("%s has %d bytes", hash, o.Size())
			}
		}
	})
}

// FuzzSigned has a repository say anything of a commit: what is signed and the signature together are never more than the commit.
func FuzzSigned(f *testing.F) {
	f.Add([]byte("tree x\nauthor a <b> 1 +0000\ngpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n\nmessage\n"))
	f.Add([]byte("gpgsig a\ngpgsig b\n\n"))
	f.Add([]byte("gpgsig-sha256 a\n\nx"))
	f.Fuzz(func(t *testing.T, commit []byte) {
		c := &Commit{Hash: object.Commit{}.Hash.String(), encoded: bytes.Clone(commit)}
		payload, signature, err := c.signed()
		if err == nil && len(payload)+len(signature) > len(commit)+1 {
			t.Errorf("of %d bytes %d are signed by %d", len(commit), len(payload), len(signature))
		}
		if !bytes.Equal(c.encoded, commit) {
			t.Error("it was changed by being read")
		}
	})
}
