package probe

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestResolversOfThisMachine(t *testing.T) {
	for _, c := range []struct {
		reason, text string
		want         []string
	}{
		{"of both families, in their order", "search a.b\nnameserver 10.0.0.10 # first\nnameserver fd00::10\n", []string{"10.0.0.10:53", "[fd00::10]:53"}},
		{"none: the machine asks itself", "# nameserver 10.0.0.10\nnameserver\n", []string{"127.0.0.1:53"}},
	} {
		file := filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := resolvers(file); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v", c.reason, got, err)
		}
	}
	if got, err := resolvers(filepath.Join(t.TempDir(), "gone")); err != nil || !slices.Equal(got, []string{"127.0.0.1:53"}) {
		t.Errorf("without a file: got %v, %v", got, err)
	}
}

func TestAFailureOfOurOwnResolverIsOurOwn(t *testing.T) {
	for _, c := range []struct {
		reason  string
		err     error
		verdict api.Verdict
		layer   Layer
	}{
		{"what it says of the name stands", failed(Records, "the name does not exist"), api.Failed, Records},
		{"it fails", failed(Reply, "the server answered SERVFAIL"), api.Error, Resolve},
		{"it does not answer", &end{Reply, api.Failed, errors.New("no answer"), true}, api.Error, Resolve},
	} {
		if got := judged(Reply, owned(Reply, c.err)); got.verdict != c.verdict || got.layer != c.layer {
			t.Errorf("%s: it is %s at %s", c.reason, got.verdict, got.layer)
		}
	}
}
