package pipelines

import (
	"errors"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// binding checks one: that it says whom it binds, gives them something, and says how far that reaches.
func (l *linter) binding(b *Binding, at spot) {
	s, spec := &b.Spec, at.at("spec")
	l.asker(s.Subjects, spec.at("subjects"))
	if len(s.Roles) == 0 && len(s.Rights) == 0 && !spec.flawed() {
		l.report.addAt(spec, "the binding gives nothing: name roles, or rights, or both")
	}
	l.unique("role", texts(s.Roles), func(i int) spot { return spec.at("roles", i) })
	l.unique("right", texts(s.Rights), func(i int) spot { return spec.at("rights", i) })
	for i, right := range s.Rights {
		for _, role := range s.Roles {
			if slices.Contains(role.Rights(), right) {
				l.warnings.addAt(spec.at("rights", i), "the role %s has the right to %s already", role, right)
			}
		}
	}
	l.bindingScope(&s.Scope, spec.at("scope"))
	l.reach(s, spec)
}

// asker checks whom a binding binds.
func (l *linter) asker(source string, at spot) {
	if source == "" {
		return
	}
	asked, err := l.compiler.CompileSubject(source)
	var issues rule.Issues
	if errors.As(err, &issues) {
		for _, issue := range issues {
			l.report.add(at.textPosition(issue.Line, issue.Column), "subjects: %s", strings.TrimSpace(issue.Message))
		}
		return
	}
	if err != nil {
		l.report.addAt(at, "%v", err)
		return
	}
	if !asked.Reads(rule.SubjectClaims) && !asked.Reads(rule.SubjectName) {
		l.warnings.addAt(at, "it asks neither who it is nor what is claimed: some issuers vouch for everybody there is")
	}
	if asked.Reads(rule.SubjectClaims) && !asked.Reads(rule.SubjectIssuer) {
		l.warnings.addAt(at, "it believes claims of every issuer alike: ask for the issuer as well, such as issuer == \"github\"")
	}
	for _, d := range claimDoubts() {
		if asked.Reads("claims."+d.claim) && !asked.Reads("claims."+d.beside) {
			l.warnings.addAt(at, "claims.%s %s: ask for claims.%s", d.claim, d.why, d.beside)
		}
	}
}

// claimDoubt is a claim that does not say by itself what it seems to say.
type claimDoubt struct{ claim, beside, why string }

func claimDoubts() []claimDoubt {
	const changes = "is a name, which may come to be somebody else's"
	return []claimDoubt{
		{"email", "email_verified", "may be an address that nobody has verified"},
		{"repository", "repository_id", changes},
		{"repository_owner", "repository_owner_id", changes},
		{"project_path", "project_id", changes},
		{"namespace_path", "namespace_id", changes},
	}
}

func (l *linter) bindingScope(s *BindingScope, at spot) {
	if at.flawed() {
		return
	}
	if s.All && s.narrows() {
		l.report.addAt(at.key("all"), "all: true stands alone: a scope of everything cannot be narrowed")
	}
	if s.Empty() {
		l.report.addAt(at, "scope reaches nothing: write all: true for everything")
	}
	l.selector(s.ClusterGroups, at.at("clusterGroups"), "clusterGroups")
	if s.ClusterGroups != nil && s.ClusterGroups.All {
		l.report.addAt(at.at("clusterGroups"), "a scope of all cluster groups leaves clusterGroups out, or is all: true by itself")
	}
	l.selectorNames(s.ClusterGroups, at.at("clusterGroups"), KindClusterGroup)
	l.warn(l.inUse().DoubtsOfScope(s), at)
	l.environments(s.Environments, at.at("environments"))
	l.globs("component", s.Components, at.at("components"))
	l.globs("namespace", s.Namespaces, at.at("namespaces"))
}

// globs checks names, and those with a star in them for being given twice only.
func (l *linter) globs(what string, names []string, at spot) {
	l.unique(what, names, func(i int) spot { return at.at(i) })
	if what != "component" {
		return
	}
	known := sortedKeys(l.all.Components)
	for i, name := range names {
		if name != "" && len(known) > 0 && !strings.Contains(name, "*") && !slices.Contains(known, name) {
			l.warnings.addAt(at.at(i), "there is no component %s%s", name, rule.Suggest(name, known))
		}
	}
}

// everywhere are the rights that cannot be had for a part: whoever says who may do what, and what must be kept to, says it of everything.
var everywhere = []Right{RightBind, RightEnforce}

func (l *linter) reach(s *BindingSpec, spec spot) {
	if s.Scope.All || spec.at("scope").flawed() {
		return
	}
	for _, right := range s.Gives() {
		if slices.Contains(everywhere, right) {
			l.report.addAt(spec.at("scope"), "the right to %s is had for everything or not at all: write all: true, or leave it out", right)
		}
	}
}
