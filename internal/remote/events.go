package remote

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"sluice.dev/sluice/internal/engine"
)

// maxEvent bounds one line of what a server sends.
const maxEvent = 64 << 20

// errAgain is that a server wants to know again who watches.
var errAgain = errors.New("come again")

// events reads the events of a watch until the last. Where they end before that the error is errAgain or io.ErrUnexpectedEOF.
func events(from io.Reader, hear func(view engine.View, id string)) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var kind, id, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			data = value
		}
		if lines.Text() != "" {
			continue
		}
		switch kind {
		case "end":
			return nil
		case "again":
			return errAgain
		case "view":
			var view engine.View
			if err := json.Unmarshal([]byte(data), &view); err != nil {
				return err
			}
			hear(view, id)
		}
		kind, data = "", ""
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
