package change

// Action is what became of an object.
type Action string

// The actions.
const (
	Created  Action = "created"
	Patched  Action = "patched"
	Deleted  Action = "deleted"
	Kept     Action = "kept"     // it could not be taken back, or is not to be
	Unneeded Action = "unneeded" // nothing needs it any more, and it is still there
)

// Entry is an object, Kind/namespace/name, and what became of it.
type Entry struct {
	Object string
	Action Action
	Why    string // of what is kept; "" where its kind says it
}

// String reads an entry without its action: the object, and why.
func (e Entry) String() string {
	if e.Why == "" {
		return e.Object
	}
	return e.Object + " (" + e.Why + ")"
}

func kept(object, why string) Entry { return Entry{Object: object, Action: Kept, Why: why} }

// Entries are what became of several objects, in the order in which it did.
type Entries []Entry

// add adds an entry; one without an action is an object that was left as it was.
func (e *Entries) add(entry Entry) {
	if entry.Action != "" {
		*e = append(*e, entry)
	}
}

// Of lists the objects of which one thing became, as people read them.
func (e Entries) Of(a Action) []string {
	var out []string
	for _, entry := range e {
		if entry.Action == a {
			out = append(out, entry.String())
		}
	}
	return out
}
