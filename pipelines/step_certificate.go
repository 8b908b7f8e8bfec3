package pipelines

import "slices"

// Certificate looks at a certificate: one that a TLS endpoint shows, or one that the cluster keeps.
type Certificate struct {
	Address  string `json:"address,omitempty" is:"text"` // HOST:PORT of a TLS endpoint; or a target
	ProbeAim `json:",inline"`
	Secret   *SecretRef  `json:"secret,omitempty"`  // or the certificate in a Secret
	Webhook  *WebhookRef `json:"webhook,omitempty"` // or the authorities of webhooks, and what those at a URL show
	// by which it is verified; that of a Secret without ca: by its own ca.crt, if there is one
	TLS *ProbeTLS `json:"tls,omitempty"`
	// so many days it must be valid still, and all that it rests on
	MinDays int              `json:"minDays,omitempty" range:"0..3650"`
	Names   []string         `json:"names,omitempty" is:"text" items:"1..50"` // that it must be for, beside the one asked
	Usage   CertificateUsage `json:"usage,omitempty"`                         // default Server
}

// SecretRef names a Secret of the cluster and the key of a certificate in it.
type SecretRef struct {
	Namespace string `json:"namespace" is:"text"`
	Name      string `json:"name" is:"text"`
	Key       string `json:"key,omitempty" is:"text"` // default tls.crt; keys of private keys are not read
}

// WebhookRef names a webhook configuration of the cluster; all of its webhooks are looked at.
type WebhookRef struct {
	Kind WebhookKind `json:"kind"`
	Name string      `json:"name" is:"text"`
}

// WebhookKind is a kind of webhook configuration.
type WebhookKind string

func (WebhookKind) values() []string {
	return []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
}

// CertificateUsage is what a certificate must be good for.
type CertificateUsage string

func (CertificateUsage) values() []string { return []string{"Server", "Client", "Any"} }

func lintCertificate(l *linter, s *Step, at spot) {
	c := s.Certificate
	var given []string
	for _, field := range []string{"address", "target", "secret", "webhook"} {
		if at.has(field) {
			given = append(given, field)
		}
	}
	if len(given) != 1 {
		place := at
		if len(given) > 1 {
			place = at.key(given[1])
		}
		l.report.addAt(place, "it looks at exactly one of address, target, secret and webhook")
		return
	}
	if c.Secret == nil && c.Webhook == nil {
		l.aim(s, &c.ProbeAim, "address", at)
	} else {
		l.goesWith(given[0], at, "port", "everyAddress", "within", "allowReserved", "from", "pod")
	}
	if c.Webhook != nil {
		l.goesWith("webhook", at, "tls", "names", "usage")
	}
	if c.Secret != nil && slices.Contains([]string{"tls.key", "ca.key"}, c.Secret.Key) {
		l.report.addAt(at.at("secret", "key"), "key: %s is a private key, which is not read", c.Secret.Key)
	}
	l.hostPort(c.Address, at, "address")
	l.trust(c.TLS, at)
}

// goesWith reports fields that say nothing about what is looked at.
func (l *linter) goesWith(what string, at spot, fields ...string) {
	for _, f := range fields {
		if at.child(f) != nil {
			l.report.addAt(at.key(f), "%s says nothing about a %s", f, what)
		}
	}
}
