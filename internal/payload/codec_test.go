package payload_test

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

func plain(t testing.TB, v any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoded(t testing.TB, r *payload.Ring, p *commonpb.Payload) *commonpb.Payload {
	t.Helper()
	all, err := r.Encode([]*commonpb.Payload{p})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// changed is a payload of which something is another.
func changed(p *commonpb.Payload, change func(*commonpb.Payload)) *commonpb.Payload {
	p = proto.Clone(p).(*commonpb.Payload)
	change(p)
	return p
}

func TestDecode(t *testing.T) {
	a, b := line("a", 'a'), line("b", 'b')
	secret := plain(t, "hush")
	byA := encoded(t, ring(t, a), secret)
	none := (*payload.Ring)(nil)
	for _, c := range []struct {
		reason  string
		ring    *payload.Ring
		payload *commonpb.Payload
		says    string // in the error
	}{
		{reason: "what was encrypted is read", ring: ring(t, a), payload: byA},
		{reason: "by a key that does not encrypt any more", ring: ring(t, b, a), payload: byA},
		{reason: "what was written before there were keys", ring: ring(t, b), payload: secret},
		{reason: "without keys nothing is encrypted", ring: none, payload: encoded(t, none, secret)},
		{reason: "a key that is not there", ring: ring(t, b), payload: byA, says: `its key "a" is none of those here (b)`},
		{reason: "no key at all", ring: none, payload: byA, says: `its key "a" is none of those here (there are none`},
		{reason: "another key of the same id", ring: ring(t, line("a", 'x')), payload: byA, says: "key a does not open it"},
		{reason: "the id of another key", ring: ring(t, a, line("c", 'a')), says: "key c does not open it",
			payload: changed(byA, func(p *commonpb.Payload) { p.Metadata["sluice-key"] = []byte("c") })},
		{reason: "a changed byte", ring: ring(t, a), says: "key a does not open it",
			payload: changed(byA, func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 })},
		{reason: "nothing", ring: ring(t, a), says: "key a does not open it",
			payload: changed(byA, func(p *commonpb.Payload) { p.Data = nil })},
		{reason: "an id that is long", ring: ring(t, a), says: "...",
			payload: changed(byA, func(p *commonpb.Payload) { p.Metadata["sluice-key"] = bytes.Repeat([]byte("k"), 1000) })},
	} {
		all, err := c.ring.Decode([]*commonpb.Payload{c.payload})
		if c.says != "" {
			if !errors.Is(err, payload.ErrUnread) || fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) ||
				len(err.Error()) > 300 || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		if err != nil || len(all) != 1 || !proto.Equal(all[0], secret) {
			t.Errorf("%s: %v, %v", c.reason, all, err)
		}
	}
}

func TestEncode(t *testing.T) {
	r := ring(t, line("a", 'a'), line("b", 'b'))
	p := plain(t, "hush")
	before := proto.Clone(p)
	one, other := encoded(t, r, p), encoded(t, r, p)
	if bytes.Equal(one.Data, other.Data) {
		t.Error("the same payload looks the same twice")
	}
	if !proto.Equal(p, before) {
		t.Error("what is encrypted is changed itself")
	}
	if bytes.Contains(one.Data, []byte("hush")) || bytes.Contains(one.Data, []byte("json/plain")) {
		t.Errorf("it can be read: %q", one.Data)
	}
	want := map[string]string{converter.MetadataEncoding: payload.Encoding, "sluice-key": "a"}
	got := map[string]string{}
	for name, value := range one.Metadata {
		got[name] = string(value)
	}
	if !maps.Equal(got, want) {
		t.Errorf("its metadata are %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	r := ring(f, line("a", 'a'))
	secret := plain(f, "hush")
	p := encoded(f, r, secret)
	f.Add(p.Metadata[converter.MetadataEncoding], []byte("a"), p.Data)
	f.Add([]byte("json/plain"), []byte(nil), []byte(`"x"`))
	f.Fuzz(func(t *testing.T, encoding, id, data []byte) {
		in := &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: encoding, "sluice-key": id}, Data: data}
		out, err := r.Decode([]*commonpb.Payload{in})
		switch {
		case string(encoding) != payload.Encoding:
			if err != nil || out[0] != in {
				t.Errorf("what is not encrypted is changed: %v, %v", out, err)
			}
		case err == nil && !proto.Equal(out[0], secret): // of the other processes that fuzz each has a sealed one of its own
			t.Errorf("%q under %q was read as %v", data, id, out)
		}
	})
}

func BenchmarkEncode1MB(b *testing.B) {
	r := ring(b, line("a", 'a'))
	p := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: bytes.Repeat([]byte("a"), 1<<20)}
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := r.Encode([]*commonpb.Payload{p}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode1MB(b *testing.B) {
	r := ring(b, line("a", 'a'))
	p := encoded(b, r, &commonpb.Payload{Data: bytes.Repeat([]byte("a"), 1<<20)})
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := r.Decode([]*commonpb.Payload{p}); err != nil {
			b.Fatal(err)
		}
	}
}
