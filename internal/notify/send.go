package notify

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/pipelines"
)

// Secrets reads what a document names.
type Secrets interface {
	Read(from pipelines.WorkerSecret) (string, error)
}

// Sender tells one receiver one thing, once. It is safe for concurrent use.
type Sender struct {
	Secrets Secrets
	Clock   clock.PassiveClock
	Within  time.Duration // how long a receiver may take; default 10 s

	authorities *x509.CertPool // whom mail servers are believed; nil: those of the system
}

// Answer is what a receiver made of it.
type Answer struct {
	Took  bool
	Never bool          // it will not take it later either
	Says  string        // in a few words, without secrets
	After time.Duration // how long it wants to be left alone; 0 where it did not say
}

// maxSays is how much is kept of what a receiver says.
const maxSays = 300

// Send tells a receiver of an event.
func (s *Sender) Send(ctx context.Context, r *pipelines.Receiver, e Event) Answer {
	within := s.Within
	if within == 0 {
		within = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	read := &reader{from: s.Secrets}
	answer := s.send(ctx, read, r, e)
	answer.Says = read.hide(answer.Says)
	return answer
}

func (s *Sender) send(ctx context.Context, read *reader, r *pipelines.Receiver, e Event) Answer {
	title, text, err := message(r.Spec.Title, r.Spec.Text, e)
	if err != nil {
		return Answer{Never: true, Says: err.Error()}
	}
	switch spec := &r.Spec; {
	case spec.Webhook != nil:
		return webhook(ctx, read, spec.Webhook, e)
	case spec.Slack != nil:
		address := read.secret(spec.Slack.URLFrom)
		body, err := json.Marshal(map[string]any{"text": "*" + slackEscape(title) + "*\n" + slackEscape(text)})
		if err != nil {
			return Answer{Never: true, Says: err.Error()}
		}
		return post(ctx, read, posted{address: address, body: body, key: e.Key})
	case spec.Alertmanager != nil:
		return alert(ctx, read, spec.Alertmanager, e, title, text, s.Clock.Now())
	case spec.Email != nil:
		return s.mail(ctx, read, spec.Email, e, title, text)
	}
	return Answer{Never: true, Says: "it has no way to be told"}
}

// slackEscape is a text as Slack takes one that mentions nobody.
func slackEscape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func webhook(ctx context.Context, read *reader, w *pipelines.WebhookReceiver, e Event) Answer {
	p := posted{address: w.URL, key: e.Key, token: w.BearerToken, basic: w.BasicAuth, kind: w.ContentType}
	if w.URLFrom != nil {
		p.address = read.secret(*w.URLFrom)
	}
	var err error
	if w.Body == "" {
		p.body, err = json.Marshal(e)
	} else {
		var text string
		text, err = render(w.Body, e)
		p.body = []byte(text)
	}
	if err != nil {
		return Answer{Never: true, Says: "cannot render body: " + err.Error()}
	}
	return post(ctx, read, p)
}

// reader reads secrets, and knows which not to say.
type reader struct {
	from  Secrets
	known []string
	err   error
}

func (r *reader) secret(from pipelines.WorkerSecret) string {
	value, err := r.from.Read(from)
	if err != nil {
		r.err = err
		return ""
	}
	r.known = append(r.known, value)
	return value
}

func (r *reader) hide(text string) string {
	for _, one := range r.known {
		text = strings.ReplaceAll(text, one, "***")
	}
	return clip.Bytes(strings.Join(strings.Fields(logscan.Mask(text)), " "), maxSays)
}
