package sqlstore

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// column reads a subject out of a column that holds it as it is written.
type column struct{ into *api.Subject }

// Scan implements sql.Scanner.
func (c column) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fault.New(fault.Internal, "cannot read a subject from %T", value)
	}
	*c.into = api.ParseSubject(text)
	return nil
}

// moment reads a time out of a column that holds it as formatTime writes it.
type moment struct{ into *time.Time }

// Scan implements sql.Scanner.
func (m moment) Scan(value any) (err error) {
	text, ok := value.(string)
	if !ok {
		return fault.New(fault.Internal, "cannot read a time from %T", value)
	}
	*m.into = time.Time{}
	if text != "" {
		*m.into, err = time.Parse(timeLayout, text)
	}
	return err
}
