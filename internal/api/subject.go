package api

import "strings"

// SubjectKind is a kind of thing that a run can move.
type SubjectKind string

// KindComponent is a template with its images and config. It is the only kind so far.
const KindComponent SubjectKind = "Component"

// Subject is what a run moves. Together with a cluster it is what a lock, a record and a unit are about.
type Subject struct {
	Kind SubjectKind
	Name string
}

// Component returns the subject that a component is.
func Component(name string) Subject { return Subject{KindComponent, name} }

// ParseSubject reads what String has written.
func ParseSubject(text string) Subject {
	kind, name, _ := strings.Cut(text, "/")
	switch {
	case text == "":
		return Subject{}
	case kind == "" || kind == string(KindComponent) || name == "":
		return Component(text) // String writes none of these: what somebody typed stays what it is
	}
	return Subject{SubjectKind(kind), name}
}

// String is the name of a component, and Kind/name for every other kind. What is stored, sent and shown has this form.
func (s Subject) String() string {
	if s.Kind == KindComponent || s.Kind == "" {
		return s.Name
	}
	return string(s.Kind) + "/" + s.Name
}

// MarshalText writes the subject as String does.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (s *Subject) UnmarshalText(text []byte) error {
	*s = ParseSubject(string(text))
	return nil
}
