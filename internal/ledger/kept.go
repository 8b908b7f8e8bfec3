package ledger

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Kept is a document that somebody has applied to the whole installation, where no author of a pipeline can leave it out.
type Kept struct {
	Kind     string          `json:"kind"`
	Name     string          `json:"name"` // unique in its kind
	Document json.RawMessage `json:"document"`
	By       string          `json:"by"`
	At       time.Time       `json:"at"`
	Revision int64           `json:"revision"` // each change has its own, which only grows
}

// MaxKeptDocument bounds a document that is kept, in bytes.
const MaxKeptDocument = 256 << 10

// KeptDocuments keeps documents by kind and name.
type KeptDocuments interface {
	// Keep stores a document, or replaces the one of its kind and name, and returns what is stored now. An equal document stays as it
	// is: who, when and revision too. It is Refused where the kind has most documents already.
	Keep(ctx context.Context, k Kept, most int) (Kept, error)
	// Drop removes a document, and returns it. NotFound where there is none.
	Drop(ctx context.Context, kind, name string) (Kept, error)
	// Amend keeps and drops documents, and writes into the audit that it did: all of it or nothing. It returns what is kept, in the order of
	// a.Keep. It is Conflict where what is kept is not what was seen, and Refused where a kind would have more than it may.
	Amend(ctx context.Context, a Amendment) ([]Kept, error)
	// ListKept returns the documents of a kind by name; of all kinds, by kind, where that is "".
	ListKept(ctx context.Context, kind string) ([]Kept, error)
}

// Amendment is a change of what is kept.
type Amendment struct {
	Seen    []Kept // all that was kept when it was thought of
	Keep    []Kept // each replaces the one of its kind and name; an equal one stays as it is
	Drop    []Kept
	Entries []Entry // of the audit
	Most    func(kind string) int
}

// Check is Invalid where a document cannot be kept.
func (k Kept) Check() error {
	if err := required("document", "kind", k.Kind, "name", k.Name, "by", k.By); err != nil {
		return err
	}
	if len(k.Document) > MaxKeptDocument {
		return fault.New(fault.Invalid, "it has %d bytes, and may have %d", len(k.Document), MaxKeptDocument)
	}
	if !json.Valid(k.Document) {
		return fault.New(fault.Invalid, "it is no JSON")
	}
	return nil
}

// Read decodes the document.
func (k Kept) Read(into any) error {
	return fault.Wrap(fault.Internal, json.Unmarshal(k.Document, into), "cannot read %s %s", strings.ToLower(k.Kind), k.Name)
}
