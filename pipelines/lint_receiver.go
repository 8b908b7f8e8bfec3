package pipelines

import (
	"slices"
	"strings"
)

func (l *linter) receiver(r *Receiver, at spot) {
	spec := at.at("spec")
	ways := 0
	for _, way := range []string{"webhook", "slack", "alertmanager", "email"} {
		if spec.has(way) {
			ways++
		}
	}
	if ways != 1 && !spec.flawed() {
		l.report.addAt(spec, "a Receiver has exactly one of webhook, slack, alertmanager and email: this one has %d", ways)
	}
	s := &r.Spec
	if strings.Contains(s.Title, "\n") {
		l.report.addAt(spec.at("title"), "title is one line: the rest goes into text")
	}
	l.heard(s, spec)
	switch {
	case s.Webhook != nil:
		l.webhook(s.Webhook, spec.at("webhook"))
	case s.Slack != nil && spec.at("slack").has("urlFrom"):
		l.secret(s.Slack.URLFrom, spec.at("slack", "urlFrom"))
	case s.Alertmanager != nil:
		here := spec.at("alertmanager")
		l.address(s.Alertmanager.URL, here.at("url"))
		l.login(s.Alertmanager.BearerToken, s.Alertmanager.BasicAuth, s.Alertmanager.URL, here)
	case s.Email != nil:
		here := spec.at("email")
		l.login(nil, s.Email.Auth, "", here)
		if s.Email.Auth != nil && s.Email.TLS == PlainText {
			l.report.addAt(here.at("tls"), "its password would go over the wire in the clear: use StartTLS or TLS")
		}
	}
}

// heard checks that what a receiver is told of goes together.
func (l *linter) heard(s *ReceiverSpec, spec spot) {
	if s.Probes != nil && s.Alertmanager != nil {
		l.report.addAt(spec.key("probes"), "an Alertmanager hears of probes from Prometheus, by the rule SluiceServerProbesFailing: "+
			"a receiver of another kind has probes")
		return
	}
	ofProbes := slices.ContainsFunc(s.Events, NotifyEvent.OfProbes)
	switch {
	case s.Probes == nil && ofProbes:
		l.report.addAt(spec.at("events"), "some of them are about probes: say of which it is told, with probes: {}")
	case s.Probes != nil && len(s.Events) > 0 && !ofProbes:
		l.report.addAt(spec.key("probes"), "none of its events is about probes")
	}
}

func (l *linter) webhook(w *WebhookReceiver, at spot) {
	switch {
	case at.has("url") && at.has("urlFrom"):
		l.report.addAt(at.key("urlFrom"), "the address comes from one of url and urlFrom, not both")
	case !at.has("url") && !at.has("urlFrom") && !at.flawed():
		l.report.addAt(at, "it does not say where to send: give url or urlFrom")
	}
	if w.URLFrom != nil {
		l.secret(*w.URLFrom, at.at("urlFrom"))
	}
	l.address(w.URL, at.at("url"))
	l.login(w.BearerToken, w.BasicAuth, w.URL, at)
}

// login checks with whose secret something is asked, and whether that can be read on the way.
func (l *linter) login(token *WorkerSecret, basic *BasicAuth, address string, at spot) {
	if token != nil {
		l.secret(*token, at.at("bearerToken"))
	}
	field := "basicAuth"
	if !at.has(field) {
		field = "auth"
	}
	if basic != nil && at.at(field).has("password") {
		l.secret(basic.Password, at.at(field, "password"))
	}
	if token != nil && basic != nil {
		l.report.addAt(at.key("basicAuth"), "it asks with one of bearerToken and basicAuth, not both")
	}
	if (token != nil || basic != nil) && strings.HasPrefix(address, "http://") {
		l.warnings.addAt(at.at("url"), "its secret goes over the wire in the clear: use https")
	}
}
