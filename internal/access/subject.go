// Package access says who may do what, and to what: it compiles bindings, and answers whether they give somebody a right. Whatever
// nobody gave is denied. It does not find out who somebody is, reads no token and stores nothing.
package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines/rule"
)

// Kind is what somebody who asks is.
type Kind string

// The kinds.
const (
	Person  Kind = "person"
	Job     Kind = "job"     // of a build system
	Service Kind = "service" // has a token that Sluice made
	Machine Kind = "machine" // has a certificate
)

// Bounds on what a subject says of itself.
const (
	maxName   = 200 // characters
	maxIssuer = 63
)

// Subject is somebody who asks.
type Subject struct {
	// Name is ISSUER:NAME. Two who are called alike by two issuers are two subjects: corp:anna is not partner:anna.
	Name     string         `json:"name"`
	Kind     Kind           `json:"kind"`
	Issuer   string         `json:"issuer"` // who vouches for the name, as the configuration calls him
	Claims   map[string]any `json:"claims,omitempty"`
	Verified bool           `json:"verified"` // the issuer was asked; nobody else is bound to anything
}

// NewSubject names a verified subject. What its issuer calls it is written so that it cannot be taken for another's name, nor for a
// name with a mark: what would be read as one is escaped, as in a URL. It is fault.Invalid for a name that is empty or too long.
func NewSubject(kind Kind, issuer, name string, claims map[string]any) (Subject, error) {
	s := Subject{Name: issuer + ":" + escape(name), Kind: kind, Issuer: issuer, Claims: claims, Verified: true}
	return s, s.Check()
}

// escape writes a name without spaces, brackets and what does not print: the marks of package identity have all of these.
func escape(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r == '%' || strings.ContainsRune("()[]<>\"", r) || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Check is fault.Invalid for a subject that no issuer can mean.
func (s *Subject) Check() error {
	name, ok := strings.CutPrefix(s.Name, s.Issuer+":")
	switch {
	case s.Issuer == "" || len(s.Issuer) > maxIssuer || strings.Contains(s.Issuer, ":"):
		return fault.New(fault.Invalid, "cannot name a subject: its issuer has no name of at most %d characters without a colon", maxIssuer)
	case !ok || name == "":
		return fault.New(fault.Invalid, "cannot name a subject of %s: it has no name", s.Issuer)
	case len(s.Name) > maxName:
		return fault.New(fault.Invalid, "cannot name a subject of %s: its name is longer than %d characters", s.Issuer, maxName)
	case !slices.Contains(rule.SubjectKinds(), string(s.Kind)):
		return fault.New(fault.Invalid, "cannot name a subject of %s: there is no kind %q", s.Issuer, s.Kind)
	}
	return CheckClaims(s.Claims)
}

// Who is the name under which the subject acts, in the audit and where a window asks who starts something: all but people count as
// what a build system does.
func (s *Subject) Who() string {
	name := s.Name
	if s.Kind != Person {
		name = identity.OfCI(name)
	}
	if !s.Verified {
		name = identity.Unverified(name)
	}
	return name
}

func (s *Subject) facts() *rule.SubjectFacts {
	return rule.Subject{Claims: s.Claims, Name: s.Name, Kind: string(s.Kind), Issuer: s.Issuer}.Facts()
}
