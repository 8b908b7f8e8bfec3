package centre

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"go.temporal.io/api/common/v1"
)

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// deepest is how deep requests and answers lie at the most; what lies deeper nobody reads.
const deepest = 8

// blobsOf are the digests of the change sets and records of units that a request or an answer of an activity names, wherever in it. They
// are read as whoever gets them reads them, of whom none tells upper case from lower; what cannot be read names none.
func blobsOf(plain []*common.Payload) (digests []string) {
	for _, p := range plain {
		digests = append(digests, within(p.GetData(), false, deepest)...)
	}
	return digests
}

// within are the digests in a value, which is one itself where its field names blobs. Of two fields of one name both count.
func within(value json.RawMessage, names bool, deeper int) (digests []string) {
	if deeper == 0 {
		return nil
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		if names && digest.MatchString(text) {
			return []string{text}
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil {
		for _, item := range list {
			digests = append(digests, within(item, false, deeper-1)...)
		}
		return digests
	}
	dec := json.NewDecoder(strings.NewReader(string(value)))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for dec.More() {
		key, err := dec.Token()
		field, is := key.(string)
		var item json.RawMessage
		if err != nil || !is || dec.Decode(&item) != nil {
			return digests
		}
		names := strings.EqualFold(field, "changes") || strings.EqualFold(field, "record")
		digests = append(digests, within(item, names, deeper-1)...)
	}
	return digests
}

// give has the site of whoever calls read what a task of it is about: another worker may have stored that.
func (c *Centre) give(ctx context.Context, input []*common.Payload) error {
	return c.share(ctx, blobsOf(input))
}

// mayName is fault.NotFound where an answer names a blob that the site may not read: the next task would be given it.
func (c *Centre) mayName(ctx context.Context, answer []*common.Payload) error {
	for _, d := range blobsOf(answer) {
		if err := c.mayRead(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
