package hook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/hook"
)

var (
	noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

	hub    = hook.Secret{Forge: forge.GitHub, Value: "It's a Secret to Everybody"}
	lab    = hook.Secret{Forge: forge.GitLab, Value: "a token of GitLab"}
	key    = []byte("0123456789abcdef0123456789abcdef")
	signed = hook.Secret{Forge: forge.GitLab, Value: "whsec_" + base64.StdEncoding.EncodeToString(key)}
)

const (
	sha  = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"
	none = "0000000000000000000000000000000000000000"
)

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// headers are what a forge sends with a body, as name: value.
type headers map[string]string

func (h headers) header() http.Header {
	out := http.Header{}
	for name, value := range h {
		out.Set(name, value)
	}
	return out
}

// with returns the headers with some changed; "" takes one away.
func (h headers) with(pairs ...string) headers {
	out := headers{}
	for name, value := range h {
		out[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(out, pairs[i])
		}
	}
	return out
}

func fromHub(event, body string) headers {
	return headers{
		"X-GitHub-Event": event, "X-GitHub-Delivery": "d1", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac([]byte(hub.Value), body)),
	}
}

func fromLab() headers {
	return headers{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": lab.Value, "Idempotency-Key": "i1"}
}

func fromSigned(at time.Time, body string) headers {
	ts := strconv.FormatInt(at.Unix(), 10)
	return headers{
		"X-Gitlab-Event": "Push Hook", "Idempotency-Key": "i1", "webhook-id": "i1", "webhook-timestamp": ts,
		"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac(key, "i1."+ts+"."+body)),
	}
}

// TestTheExampleOfGitHub is the one that GitHub's documentation gives to try an implementation by.
func TestTheExampleOfGitHub(t *testing.T) {
	head := headers{
		"X-GitHub-Event":      "ping",
		"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
	}
	_, err := hook.Read(head.header(), []byte("Hello, World!"), hub, noon)
	if fault.CodeOf(err) != fault.Invalid { // which is no JSON, and yet proven
		t.Errorf("%v", err)
	}
}

func TestProof(t *testing.T) {
	body := `{"object_kind":"push","ref":"refs/heads/main","after":"` + sha + `"}`
	for _, c := range []struct {
		reason string
		head   headers
		body   string
		secret hook.Secret
		want   fault.Code
	}{
		{"GitHub signs the body", fromHub("push", body), body, hub, ""},
		{"another body was signed", fromHub("push", body), body + " ", hub, fault.Unauthorized},
		{"another secret signed it", fromHub("push", body), body, hook.Secret{Forge: forge.GitHub, Value: "other"}, fault.Unauthorized},
		{"an empty secret is everybody's", headers{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(nil, body))}, body,
			hook.Secret{Forge: forge.GitHub}, fault.Unauthorized},
		{"there is no signature", fromHub("push", body).with("X-Hub-Signature-256", ""), body, hub, fault.Unauthorized},
		{"the signature of SHA-1 proves nothing", fromHub("push", body).with("X-Hub-Signature-256", "", "X-Hub-Signature", "sha1=00"), body, hub,
			fault.Unauthorized},
		{"the signature is no hex", fromHub("push", body).with("X-Hub-Signature-256", "sha256=zz"), body, hub, fault.Unauthorized},
		{"the signature is cut off", fromHub("push", body).with("X-Hub-Signature-256", "sha256=75"), body, hub, fault.Unauthorized},
		{"the signature does not say of what kind it is", fromHub("push", body).with("X-Hub-Signature-256", hex.EncodeToString(mac([]byte(hub.Value), body))),
			body, hub, fault.Unauthorized},
		{"GitHub's secret is no token", headers{"X-Gitlab-Token": hub.Value}, body, hub, fault.Unauthorized},

		{"GitLab shows the token", fromLab(), body, lab, ""},
		{"an older GitLab gives no id", fromLab().with("Idempotency-Key", ""), body, lab, ""},
		{"it is another token", fromLab().with("X-Gitlab-Token", "A token of GitLab"), body, lab, fault.Unauthorized},
		{"the token is cut off", fromLab().with("X-Gitlab-Token", lab.Value[:5]), body, lab, fault.Unauthorized},
		{"there is no token", fromLab().with("X-Gitlab-Token", ""), body, lab, fault.Unauthorized},
		{"an empty token is everybody's", headers{}, body, hook.Secret{Forge: forge.GitLab}, fault.Unauthorized},
		{"GitLab's token signs nothing", fromHub("push", body), body, hook.Secret{Forge: forge.GitLab, Value: hub.Value}, fault.Unauthorized},

		{"GitLab signs", fromSigned(noon, body), body, signed, ""},
		{"GitLab's clock is 4 minutes behind", fromSigned(noon.Add(-4*time.Minute), body), body, signed, ""},
		{"GitLab's clock is 4 minutes ahead", fromSigned(noon.Add(4*time.Minute), body), body, signed, ""},
		{"it was signed 6 minutes ago", fromSigned(noon.Add(-6*time.Minute), body), body, signed, fault.Unauthorized},
		{"it was signed in 6 minutes", fromSigned(noon.Add(6*time.Minute), body), body, signed, fault.Unauthorized},
		{"another body was signed", fromSigned(noon, body), body + " ", signed, fault.Unauthorized},
		{"another id was signed", fromSigned(noon, body).with("webhook-id", "i2"), body, signed, fault.Unauthorized},
		{"another time was signed", fromSigned(noon, body).with("webhook-timestamp", "1796040001"), body, signed, fault.Unauthorized},
		{"the time is none", fromSigned(noon, body).with("webhook-timestamp", "noon"), body, signed, fault.Unauthorized},
		{"the time is beyond all", fromSigned(noon, body).with("webhook-timestamp", "-9223372036854775808"), body, signed, fault.Unauthorized},
		{"there is no id", fromSigned(noon, body).with("webhook-id", ""), body, signed, fault.Unauthorized},
		{"there is no signature", fromSigned(noon, body).with("webhook-signature", ""), body, signed, fault.Unauthorized},
		{"one of two signatures is right", fromSigned(noon, body).with("webhook-signature",
			"v1,AAAA "+fromSigned(noon, body)["webhook-signature"]), body, signed, ""},
		{"the right one is of another kind", fromSigned(noon, body).with("webhook-signature",
			strings.Replace(fromSigned(noon, body)["webhook-signature"], "v1,", "v1a,", 1)), body, signed, fault.Unauthorized},
		{"the right one comes after more than are looked at", fromSigned(noon, body).with("webhook-signature",
			strings.Repeat("v1,AAAA ", 10)+fromSigned(noon, body)["webhook-signature"]), body, signed, fault.Unauthorized},
		{"where GitLab has to sign, the secret in clear is not enough", headers{"X-Gitlab-Token": signed.Value}, body, signed, fault.Unauthorized},
		{"the key is no base64", headers{"X-Gitlab-Token": "whsec_*"}, body, hook.Secret{Forge: forge.GitLab, Value: "whsec_*"}, fault.Unauthorized},
		{"there is no such forge", fromHub("push", body), body, hook.Secret{Forge: "gitea", Value: hub.Value}, fault.Unauthorized},
	} {
		e, err := hook.Read(c.head.header(), []byte(c.body), c.secret, noon)
		if got := fault.CodeOf(err); got != c.want {
			t.Errorf("%s: %q, want %q: %v", c.reason, got, c.want, err)
		}
		if err == nil && (e.Kind != hook.Push || e.After != sha) {
			t.Errorf("%s: %+v", c.reason, e)
		}
		if err != nil && (strings.Contains(err.Error(), c.secret.Value) && c.secret.Value != "" || e != hook.Event{}) {
			t.Errorf("%s: it says %v, and returns %+v", c.reason, err, e)
		}
	}
}

func TestTwoOfAHeaderProveNothing(t *testing.T) {
	body := `{}`
	for name, c := range map[string]struct {
		head   headers
		secret hook.Secret
	}{
		"X-Hub-Signature-256": {fromHub("push", body), hub},
		"X-Gitlab-Token":      {fromLab(), lab},
		"Webhook-Id":          {fromSigned(noon, body), signed},
		"Webhook-Timestamp":   {fromSigned(noon, body), signed},
	} {
		head := c.head.header()
		head.Add(name, head.Get(name))
		if _, err := hook.Read(head, []byte(body), c.secret, noon); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEvents(t *testing.T) {
	const main = "refs/heads/main"
	hubPull := `{"action":"%s","number":7,"pull_request":{"number":7,"head":{"sha":"` + sha + `","ref":"topic"},"base":{"ref":"main"},"new":{}},
		"repository":{"full_name":"acme/infra"},"sender":{"login":"ann"}}`
	labMerge := `{"object_kind":"merge_request","project":{"path_with_namespace":"acme/sub/infra"},"object_attributes":{"iid":7,
		"target_branch":"main","last_commit":{"id":"` + sha + `"},"action":"%s"}}`
	for _, c := range []struct {
		reason, event, body string // the event of GitHub's header; "" is GitLab's
		want                hook.Event
		code                fault.Code
	}{
		{"a push", "push", `{"ref":"` + main + `","before":"` + none + `","after":"` + sha + `","forced":true,"head_commit":null,
			"repository":{"full_name":"acme/infra","id":5},"commits":[{"id":"x"}],"unheard":{"of":[1]}}`,
			hook.Event{Kind: hook.Push, Repository: "acme/infra", Ref: main, After: sha}, ""},
		{"a branch is gone", "push", `{"ref":"` + main + `","after":"` + none + `","deleted":true,"repository":{"full_name":"acme/infra"}}`,
			hook.Event{Kind: hook.Push, Repository: "acme/infra", Ref: main}, ""},
		{"a request has other commits", "pull_request", fmt.Sprintf(hubPull, "synchronize"),
			hook.Event{Kind: hook.Request, Repository: "acme/infra", Ref: main, After: sha, Request: 7}, ""},
		{"a review", "pull_request_review", fmt.Sprintf(hubPull, "submitted"),
			hook.Event{Kind: hook.Review, Repository: "acme/infra", Ref: main, After: sha, Request: 7}, ""},
		{"a ping", "ping", `{"zen":"Keep it logically awesome.","hook_id":1,"repository":{"full_name":"acme/infra"}}`,
			hook.Event{Kind: hook.Ping, Repository: "acme/infra"}, ""},
		{"something else, in words of its own", "deployment", `{"ref":7,"after":[],"repository":{"full_name":"acme/infra"}}`,
			hook.Event{Kind: hook.Other, Repository: "acme/infra"}, ""},
		{"a form has another content type", "push", `payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D`, hook.Event{}, fault.Invalid},
		{"a list", "push", `[]`, hook.Event{}, fault.Invalid},
		{"nothing", "push", ``, hook.Event{}, fault.Invalid},
		{"a commit that is none", "push", `{"ref":"` + main + `","after":"main"}`, hook.Event{}, fault.Invalid},
		{"a branch in two lines", "push", `{"ref":"refs/heads/a\nb","after":"` + sha + `"}`, hook.Event{}, fault.Invalid},
		{"a branch without an end", "push", `{"ref":"` + strings.Repeat("a", 400) + `"}`, hook.Event{}, fault.Invalid},
		{"a ref of another type", "push", `{"ref":7}`, hook.Event{}, fault.Invalid},

		{"a push at GitLab", "", `{"object_kind":"push","event_name":"push","ref":"` + main + `","after":"` + sha + `","checkout_sha":null,
			"project":{"path_with_namespace":"acme/sub/infra"},"total_commits_count":25}`,
			hook.Event{Kind: hook.Push, Repository: "acme/sub/infra", Ref: main, After: sha}, ""},
		{"a tag at GitLab", "", `{"object_kind":"tag_push","ref":"refs/tags/v1","after":"` + none + `","project":{"path_with_namespace":"a/b"}}`,
			hook.Event{Kind: hook.Push, Repository: "a/b", Ref: "refs/tags/v1"}, ""},
		{"a request at GitLab", "", fmt.Sprintf(labMerge, "update"),
			hook.Event{Kind: hook.Request, Repository: "acme/sub/infra", Ref: main, After: sha, Request: 7}, ""},
		{"an approval at GitLab", "", fmt.Sprintf(labMerge, "approved"),
			hook.Event{Kind: hook.Review, Repository: "acme/sub/infra", Ref: main, After: sha, Request: 7}, ""},
		{"an approval that is taken back", "", fmt.Sprintf(labMerge, "unapproval"),
			hook.Event{Kind: hook.Review, Repository: "acme/sub/infra", Ref: main, After: sha, Request: 7}, ""},
		{"a remark at GitLab", "", `{"object_kind":"note","object_attributes":{"iid":"x"},"project":{"path_with_namespace":"a/b"}}`,
			hook.Event{Kind: hook.Other, Repository: "a/b"}, ""},
		{"what says nothing of itself", "", `{}`, hook.Event{Kind: hook.Other}, ""},
	} {
		head, secret := fromLab(), lab
		c.want.Forge, c.want.Delivery, c.want.Once = forge.GitLab, "i1", "gitlab:i1"
		if c.event != "" {
			head, secret = fromHub(c.event, c.body), hub
			c.want.Forge, c.want.Delivery = forge.GitHub, "d1"
			c.want.Once = "github:" + strings.TrimPrefix(head["X-Hub-Signature-256"], "sha256=")
		}
		if c.code != "" {
			c.want = hook.Event{}
		}
		got, err := hook.Read(head.header(), []byte(c.body), secret, noon)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.reason, err, c.code)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.reason, diff)
		}
	}
}

func TestALargeDelivery(t *testing.T) {
	fits := `{"x":"` + strings.Repeat("x", hook.MaxBody-8) + `"}`
	if _, err := hook.Read(fromHub("push", fits).header(), []byte(fits), hub, noon); err != nil {
		t.Errorf("%d bytes: %v", len(fits), err)
	}
	more := fits + " "
	if _, err := hook.Read(fromHub("push", more).header(), []byte(more), hub, noon); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("%d bytes: %v", len(more), err)
	}
}

// TestAnotherIdIsAReplayAllTheSame has somebody send again what GitHub sent, under an id that GitHub never gave.
func TestAnotherIdIsAReplayAllTheSame(t *testing.T) {
	body := `{"ref":"refs/heads/main"}`
	seen := hook.NewSeen(10)
	for i, want := range []bool{true, false} {
		head := fromHub("push", body).with("X-GitHub-Delivery", fmt.Sprint("d", i))
		e, err := hook.Read(head.header(), []byte(body), hub, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen.First(e.Once); got != want {
			t.Errorf("delivery %s comes for the first time: %v", e.Delivery, got)
		}
	}
}

func TestSeenIsBounded(t *testing.T) {
	const most = 100
	seen := hook.NewSeen(most)
	for i := range 10 * most {
		if !seen.First(fmt.Sprint(i)) {
			t.Fatalf("%d was not there before", i)
		}
		if back := i - most; back >= 0 && seen.First(fmt.Sprint(back+1)) {
			t.Fatalf("%d of the last %d is forgotten at %d", back+1, most, i)
		}
	}
	forgotten := 0
	for i := range 10 * most {
		if hook := fmt.Sprint(i); seen.First(hook) {
			forgotten++
		}
	}
	if forgotten < 8*most {
		t.Errorf("of %d it holds all but %d, and was made for %d", 10*most, forgotten, most)
	}
	for range 2 {
		if !seen.First("") {
			t.Error("what tells nothing of itself is a replay")
		}
	}
}

// FuzzRead sends bodies of all sorts that are proven: what is read of them is bounded, whatever they are.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"ref":"refs/heads/main","after":"` + sha + `","repository":{"full_name":"acme/infra"}}`,
		`{"object_kind":"merge_request","object_attributes":{"iid":7,"target_branch":"main","last_commit":{"id":"` + sha + `"}}}`,
		`{"pull_request":{"number":9223372036854775808}}`, `{"ref":null,"repository":null,"project":[]}`, `{"REF":"\u0000"}`, "", "[[[[", "\xff",
	} {
		for _, event := range []string{"push", "pull_request", "ping", ""} {
			f.Add(event, body)
		}
	}
	f.Fuzz(func(t *testing.T, event, body string) {
		head, secret := fromHub(event, body), hub
		if event == "" {
			head, secret = fromLab(), lab
		}
		e, err := hook.Read(head.header(), []byte(body), secret, noon)
		if code := fault.CodeOf(err); code != "" && code != fault.Invalid {
			t.Fatalf("%v", err)
		}
		if err != nil {
			return
		}
		if len(e.Ref) > 300 || len(e.Repository) > 1000 || strings.ContainsAny(e.Ref+e.Repository+e.Delivery, "\x00\n\r") {
			t.Errorf("%+v", e)
		}
		if e.After != "" && len(e.After) != 40 && len(e.After) != 64 || e.Kind == "" {
			t.Errorf("%+v", e)
		}
	})
}
