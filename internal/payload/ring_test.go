package payload_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// line is a key whose bytes are all the same.
func line(id string, of byte) string {
	return id + ": " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(of), 32))) + "\n"
}

func ring(t testing.TB, lines ...string) *payload.Ring {
	t.Helper()
	r, err := payload.Read([]byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRead(t *testing.T) {
	many := ""
	for i := range 101 {
		many += line(fmt.Sprintf("k%d", i), 'a')
	}
	for _, c := range []struct {
		reason, file string
		ids          []string
		says         string // in the error
	}{
		{reason: "the first comes first", file: line("b", 'b') + line("a", 'a'), ids: []string{"b", "a"}},
		{reason: "comments and empty lines say nothing", file: "# of 2026\r\n\n  " + line("a.1_x", 'a'), ids: []string{"a.1_x"}},
		{reason: "the last line may have no end", file: strings.TrimSpace(line("a", 'a')), ids: []string{"a"}},
		{reason: "a file without a key would encrypt nothing", file: "# none\n", says: "there is none"},
		{reason: "an empty one as well", file: "", says: "there is none"},
		{reason: "a key without an id", file: line("", 'a'), says: "line 1 is not 'ID: KEY'"},
		{reason: "an id that reads as something else", file: "\n" + line("a b", 'a'), says: "line 2 is not"},
		{reason: "an id that is too long", file: line(strings.Repeat("a", 64), 'a'), says: "line 1 is not"},
		{reason: "a key without a colon", file: "abc\n", says: "line 1 is not"},
		{reason: "a key that is too short", file: "a: " + base64.StdEncoding.EncodeToString([]byte("hush")), says: "line 1 is not 32 bytes"},
		{reason: "a key that is no base64", file: "a: hush!", says: "line 1 is not 32 bytes"},
		{reason: "which of two is meant nobody knows", file: line("a", 'a') + line("a", 'b'), says: "line 2 has an id that was there before: a"},
		{reason: "keys are bounded", file: many, says: "more than 100"},
		{reason: "files are bounded", file: strings.Repeat("#", payload.MaxFile+1), says: "at most 65536 are read"},
		{reason: "one line is as long as a file may be", file: strings.Repeat("#", payload.MaxFile), says: "there is none"},
	} {
		r, err := payload.Read([]byte(c.file))
		if diff := cmp.Diff(c.ids, r.IDs()); diff != "" {
			t.Errorf("%s: %s", c.reason, diff)
		}
		if c.says == "" && err != nil || c.says != "" && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.reason, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error has what may be a secret: %v", c.reason, err)
		}
	}
}

func TestNewKeyIsRead(t *testing.T) {
	named, err := payload.NewKey("2026-12")
	if err != nil {
		t.Fatal(err)
	}
	some, err := payload.NewKey("")
	if err != nil {
		t.Fatal(err)
	}
	ids := ring(t, named+"\n", some+"\n").IDs()
	if len(ids) != 2 || ids[0] != "2026-12" || ids[1] == "" {
		t.Errorf("the keys are %v", ids)
	}
	if _, err := payload.NewKey("a b"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an id that Read refuses: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(line("a", 'a') + "# \n" + line("b", 'b')))
	f.Add([]byte("a:\r\n:"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := payload.Read(data)
		if err == nil != r.Encrypts() {
			t.Errorf("%v, and it encrypts: %t", err, r.Encrypts())
		}
	})
}
