package wire

import "net/http"

// Payload is one of Temporal's, as its UI sends it.
type Payload struct {
	_        struct{}          `additionalProperties:"true"` // of newer versions, which nobody needs
	Metadata map[string][]byte `json:"metadata,omitempty" doc:"What it says of itself; each value in base64."`
	Data     []byte            `json:"data,omitempty"`
}

// Payloads are what Temporal's UI asks to have decoded, and what it is answered.
type Payloads struct {
	Payloads []Payload `json:"payloads" maxItems:"5000"`
}

// Decoding has payloads be decoded. The namespace is in the address since Temporal's UI puts it there; keys are the installation's.
type Decoding struct {
	Namespace string `path:"namespace" minLength:"1" maxLength:"255"`
	Refs      bool   `query:"preserveStorageRefs" doc:"Sent by Temporal's UI; no payload of Sluice is stored elsewhere."`
	Body      Payloads
}

// DecodePayloads reads payloads for Temporal's UI. Nothing is encoded for anybody: who could have that done could tell runs what he likes.
var DecodePayloads = Operation[Decoding, Payloads]{
	decode, http.MethodPost, "/codec/{namespace}/decode", "Decode payloads, for Temporal's UI.", "payloads", false}
