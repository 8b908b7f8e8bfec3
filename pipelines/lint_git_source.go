package pipelines

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// gitSource checks a Source: that it can be read, by a way that nobody can change on the way, and that its signers are keys.
func (l *linter) gitSource(s *GitSource, at spot) {
	spec := at.at("spec")
	if inTheClear(s.Spec.URL) {
		l.report.addAt(spec.at("url"), "over http anybody on the way may change what is rolled out: use https or ssh")
	}
	if u, err := url.Parse(s.Spec.URL); err == nil && u.User != nil {
		if _, secret := u.User.Password(); secret {
			l.report.addAt(spec.at("url"), "the address has a password in it: name the secret in credentials instead")
		}
	}
	if every := s.Spec.Every(); every < shortestLook || every > longestLook {
		l.report.addAt(spec.at("interval"), "interval is from 10s to 24h")
	}
	l.unique("path", s.Spec.Paths, func(i int) spot { return spec.at("paths", i) })
	for i, p := range s.Spec.Paths {
		if slices.Contains(strings.Split(p, "/"), "..") {
			l.report.addAt(spec.at("paths", i), "%s is not in the repository: paths are below its root, without ..", p)
		}
	}
	l.gitCredentials(&s.Spec, spec)
	l.forge(&s.Spec, spec)
	if s.Spec.Verify != nil {
		signers := spec.at("verify", "signers")
		l.unique("signer", s.Spec.Verify.Signers, func(i int) spot { return signers.at(i) })
		for i, key := range s.Spec.Verify.Signers {
			l.signer(key, signers.at(i))
		}
	}
}

func (l *linter) gitCredentials(s *GitSourceSpec, spec spot) {
	c, at, ssh := s.Credentials, spec.at("credentials"), OverSSH(s.URL)
	if c == nil {
		if ssh && s.URL != "" {
			l.report.addAt(spec.at("url"), "ssh needs credentials: give sshKey and knownHosts")
		}
		return
	}
	for _, one := range []struct {
		name   string
		secret *WorkerSecret
		ssh    bool
	}{{"token", c.Token, false}, {"sshKey", c.SSHKey, true}, {"knownHosts", c.KnownHosts, true}} {
		if one.secret != nil {
			l.secret(*one.secret, at.at(one.name))
		}
		switch {
		case at.flawed() || s.URL == "":
		case one.secret != nil && one.ssh != ssh:
			l.report.addAt(at.key(one.name), "%s is for %s, and the address is one of %s", one.name, way(one.ssh), way(ssh))
		case one.secret == nil && one.ssh && ssh:
			l.report.addAt(at, "ssh needs %s", one.name)
		}
	}
	if c.User != "" && c.Token == nil {
		l.report.addAt(at.key("user"), "user stands beside a token, and there is none")
	}
}

func way(ssh bool) string {
	if ssh {
		return "ssh"
	}
	return "https"
}

func (l *linter) forge(s *GitSourceSpec, spec spot) {
	f, at := s.Forge, spec.at("forge")
	if f == nil {
		return
	}
	l.address(f.API, at.at("api"))
	if inTheClear(f.API) {
		l.report.addAt(at.at("api"), "its token would go over the wire in the clear: use https")
	}
	if f.Token != nil {
		l.secret(*f.Token, at.at("token"))
	} else if !at.flawed() && (s.Credentials == nil || s.Credentials.Token == nil) {
		l.report.addAt(at, "nobody may comment without a token: give forge.token, or credentials.token")
	}
	if f.WebhookSecret != nil {
		l.secret(*f.WebhookSecret, at.at("webhookSecret"))
	}
	if f.Kind == GitHub && strings.Count(f.Repository, "/") > 1 {
		l.report.addAt(at.at("repository"), "a repository of github is OWNER/NAME")
	}
}

// signer checks that a key looks like one. Whether it is one is seen when it is used: a library of cryptography is no part of a language.
func (l *linter) signer(key string, at spot) {
	if key == "" || ArmoredGPG(key) {
		return
	}
	parts := strings.Fields(key)
	if strings.Contains(strings.TrimSpace(key), "\n") || len(parts) < 2 {
		l.report.addAt(at, "a signer is one line as in a .pub file of SSH, or an armored public key of GPG")
		return
	}
	body, err := base64.StdEncoding.DecodeString(parts[1])
	// the key says its kind once more, behind four bytes with its length
	if err != nil || len(body) < 4+len(parts[0]) || string(body[4:4+len(parts[0])]) != parts[0] {
		l.report.addAt(at, "it is no public key of SSH: its second word does not say %s", shortened(parts[0]))
	}
}

// trigger checks one: that it can ever have something done.
func (l *linter) trigger(t *Trigger, at spot) {
	s, spec := &t.Spec, at.at("spec")
	if s.On == "" {
		s.On = OnMerge
	}
	if s.WhileOpen == "" {
		s.WhileOpen = OpenQueue
	}
	l.referIfAny(spec.at("source"), KindSource, s.Source)
	l.referIfAny(spec.at("pipeline"), KindPipeline, s.Pipeline)
	l.selector(&s.Components, spec.at("components"), "components")
	l.unique("name", s.Components.Names, func(i int) spot { return spec.at("components", "names", i) })
	if spec.flawed() {
		return
	}
	if s.Approve != "" && !s.Run {
		l.report.addAt(spec.key("approve"), "nothing is approved where nothing is run: write run: true, or leave approve out")
	}
	if s.Reviewers != 0 && s.Approve == "" {
		l.report.addAt(spec.key("reviewers"), "reviewers are counted for approve: by-merge, and it is not asked for")
	}
	if source := l.all.GitSources[s.Source]; s.Approve != "" && source != nil && source.Spec.Forge == nil {
		l.report.addAt(spec.at("approve"), "Source %s has no forge: nobody can say who reviewed a merge", s.Source)
	}
}
