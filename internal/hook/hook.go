// Package hook reads what a forge sends to a webhook: whether it is the forge's, and what happened there. It is pure: it is given the
// headers, the body as it came, the secret and the time, and asks nobody anything.
//
// What a hook says is a hint to look, never what is acted upon: whoever is nudged reads the repository itself. So a delivery that is
// replayed, or lost, can only make somebody look sooner or later.
package hook

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
)

// MaxBody is how large a delivery may be, in bytes.
const MaxBody = 1 << 20

// Kind is what happened.
type Kind string

// What can have happened.
const (
	Push    Kind = "push"    // a branch or tag is at another commit, or gone
	Request Kind = "request" // a request was opened, closed or merged, or has other commits
	Review  Kind = "review"  // somebody approved of a request, or does not any more
	Ping    Kind = "ping"    // somebody tries the webhook
	Other   Kind = "other"   // something that nobody waits for
)

// Event is what a delivery says. All of it but Forge was chosen by the forge, and by whoever pushed there.
type Event struct {
	Forge      forge.Kind
	Kind       Kind
	Repository string // as a forge.Place has it
	Ref        string // full name of what was pushed to; of a request, of the branch that it is to be merged into
	After      string // the commit that is there now; "" where it is gone, or the delivery does not say
	Request    int64  // its number; 0 where it is about none
	Delivery   string // by which the forge lists it

	// Once is the same for no two deliveries but those that are replayed. It is of what the forge signed, where it signs.
	Once string
}

// Secret is what a forge and Sluice both know.
type Secret struct {
	Forge forge.Kind
	Value string
}

// Read returns what a delivery says. It is fault.Unauthorized where it does not prove that its sender knows the secret, and then says
// nothing of how it failed; fault.Invalid where it does, and cannot be read.
func Read(head http.Header, body []byte, s Secret, now time.Time) (Event, error) {
	if len(body) > MaxBody {
		return Event{}, fault.New(fault.Invalid, "cannot read delivery: it has more than %d bytes", MaxBody)
	}
	once, ok := proven(head, body, s, now)
	if !ok {
		return Event{}, fault.New(fault.Unauthorized, "cannot take delivery: it does not prove that its sender knows the secret")
	}
	e := Event{Forge: s.Forge, Once: once}
	var err error
	if s.Forge == forge.GitHub {
		e.Delivery = first(head, "X-GitHub-Delivery")
		err = github(first(head, "X-GitHub-Event"), body, &e)
	} else {
		e.Delivery = first(head, "Webhook-Id", "Idempotency-Key", "X-Gitlab-Event-UUID")
		err = gitlab(body, &e)
	}
	if err == nil {
		err = e.bounded()
	}
	if err != nil {
		return Event{}, err
	}
	return e, nil
}

// Bounds on what an event says, in bytes.
const (
	maxRef        = 300
	maxRepository = 1000
	maxDelivery   = 100
)

var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// bounded refuses what no forge sends, and has what is gone be at no commit.
func (e *Event) bounded() error {
	if strings.Trim(e.After, "0") == "" {
		e.After = ""
	}
	switch {
	case e.After != "" && !commitID.MatchString(e.After):
		return unlike("it names a commit %.100q", e.After)
	case len(e.Ref) > maxRef || strings.ContainsFunc(e.Ref, unicode.IsControl):
		return unlike("it names a branch %.100q", e.Ref)
	case len(e.Repository) > maxRepository || strings.ContainsFunc(e.Repository, unicode.IsControl):
		return unlike("it names a repository %.100q", e.Repository)
	case len(e.Delivery) > maxDelivery || strings.ContainsFunc(e.Delivery, unicode.IsControl):
		return unlike("its id is %.100q", e.Delivery)
	}
	return nil
}

func unlike(format string, args ...any) error {
	return fault.New(fault.Invalid, "cannot read delivery: "+format, args...)
}

// first is the value of the first of some headers that is there.
func first(head http.Header, names ...string) string {
	for _, name := range names {
		if value := head.Get(name); value != "" {
			return value
		}
	}
	return ""
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return unlike("its body is not the JSON that its forge documents; its content type has to be application/json")
	}
	return nil
}

const heads = "refs/heads/"

func branch(name string) string {
	if name == "" {
		return ""
	}
	return heads + name
}
