// Package wire is what goes over the wire between whoever asks a server and the server: each operation with its path, what is sent and
// what comes back. It asks nothing and answers nothing; server and remote do.
package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Prefix is where the operations are.
const Prefix = "/api/v1"

// Operation is one thing that can be asked: In is sent, Out comes back. The fields of In say by their tags where they are sent, as huma
// reads them: path, query, header, and Body. What changes something has a Key in its In.
type Operation[In, Out any] struct {
	ID     string // of the operation, as clients that are made from the description call it
	Method string
	Path   string // below Prefix
	Says   string // what it does, for the description
	Tag    string // what it is about
	// Again: done twice under one key, as where a server was killed before it answered, it is as done once.
	Again bool
}

// Mutates reports whether the operation changes something. To lint, or to have payloads decoded, is to send much, and changes nothing.
func (o Operation[In, Out]) Mutates() bool {
	return o.Method != http.MethodGet && o.ID != lint && o.ID != decode
}

const (
	lint   = "lint"
	decode = "decode-payloads"
)

// Key is the name that whoever asks has given to what is to be done: under the same one it is done once.
type Key struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"A name of your own for this request: sent again under it, it acts once."`
}

// Sent are documents, as an archive.
type Sent struct {
	Archive []byte      `json:"archive" maxLength:"22400000" doc:"A gzipped tar of the documents and the templates that they name."`
	Paths   []string    `json:"paths" minItems:"1" maxItems:"1000" doc:"Files and folders in it to read."`
	Origin  *api.Origin `json:"origin,omitempty" doc:"Where they come from, as the sender says."`
}

// Why is what somebody gives as a reason.
type Why struct {
	Reason string `json:"reason,omitempty" maxLength:"4000" doc:"For the audit, and for whoever meets what was done."`
}

// Greeting is what a server says of itself.
type Greeting struct {
	Version      string    `json:"version"`
	Installation string    `json:"installation"` // the random name of its ledger
	Now          time.Time `json:"now"`
}

// Caller is who asks, as the server knows him.
type Caller struct {
	Name     string `json:"name"`
	Kind     string `json:"kind,omitempty"`
	Verified bool   `json:"verified"`
}

// LoginAt is where people may log in.
type LoginAt struct {
	Issuer   string `json:"issuer"` // as the server calls it
	URL      string `json:"url"`
	ClientID string `json:"clientID"`
}

// None is nothing that is sent.
type None struct{}

// Headers.
const (
	KeyHeader = "Idempotency-Key"
	AsHeader  = "Sluice-As" // who asks a server that knows no names, escaped as in a path
)
