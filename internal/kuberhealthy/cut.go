package kuberhealthy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// codeCut is of reports that were too long to tell what they said.
const codeCut = "ReportCut"

// decodeCut is what the beginning of a body says that is longer than is read. It is taken, as the client would send the same again.
func decodeCut(raw []byte, by probing.Contract) (probing.Result, Report, error) {
	b, seen, err := beginning(raw)
	if err != nil {
		return probing.Result{}, Report{}, refuse(http.StatusBadRequest, "the report is no JSON of one: %v", err)
	}
	said := fmt.Sprintf("the report was cut at %d bytes", probing.MaxReport)
	switch {
	case !seen.ok && len(b.Errors) == 0:
		return probing.Result{}, Report{}, refuse(http.StatusBadRequest, "%s, and says nothing until there", said)
	case !seen.ok && by == probing.ContractV2, b.OK && len(b.Errors) == 0 && !seen.errors:
		b = body{Errors: append(b.Errors, said), Sluice: &more{Verdict: api.Inconclusive, Code: codeCut, Message: said}}
	case !b.OK:
		// Where ok did not come: by version 3 nothing that has errors is ok.
		b.Errors = append(b.Errors, said)
	}
	r, err := b.result(by)
	r.Message = note(r.Message, said)
	report := b.report(by)
	report.Cut = true
	return r, report, err
}

// seen is which parts of a report stand in its beginning.
type seen struct{ ok, errors bool }

// beginning reads a report to where it ends in the middle.
func beginning(raw []byte) (b body, s seen, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return b, s, fmt.Errorf("it begins with %.20q", raw)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return b, s, unlessCut(err)
		}
		name, ok := key.(string)
		if !ok {
			return b, s, fmt.Errorf("%v is no key", key)
		}
		switch {
		case strings.EqualFold(name, "ok"):
			err = d.Decode(&b.OK)
			s.ok = err == nil
		case strings.EqualFold(name, "errors"):
			b.Errors, s.errors, err = texts(d, raw)
		case strings.EqualFold(name, "sluice"):
			var m more
			if err = d.Decode(&m); err == nil {
				b.Sluice = &m
			}
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return b, s, unlessCut(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return b, s, unlessCut(err)
	}
	return b, s, nil
}

// texts reads a list of texts, and what there is of the last one.
func texts(d *json.Decoder, raw []byte) (all []string, whole bool, err error) {
	switch t, err := d.Token(); {
	case err != nil:
		return nil, false, err
	case t == nil:
		return nil, true, nil
	case t != json.Delim('['):
		return nil, false, errors.New("errors is no list")
	}
	for d.More() {
		at := d.InputOffset()
		var text string
		if err := d.Decode(&text); errors.Is(err, io.ErrUnexpectedEOF) {
			if text = begun(raw[at:]); text != "" {
				all = append(all, text)
			}
			return all, false, err
		} else if err != nil {
			return nil, false, err
		}
		all = append(all, text)
	}
	if _, err := d.Token(); err != nil {
		return all, false, err
	}
	return all, true, nil
}

// begun is the text of a JSON string that does not end, as far as it is of use.
func begun(raw []byte) string {
	_, raw, found := bytes.Cut(raw, []byte(`"`))
	if !found {
		return ""
	}
	raw = raw[:min(len(raw), probing.MaxMessage)]
	for range len(`\ud83d\ude00`) { // it may end within what stands for a character
		var text string
		if json.Unmarshal([]byte(`"`+string(raw)+`"`), &text) == nil || len(raw) == 0 {
			return text
		}
		raw = raw[:len(raw)-1]
	}
	return ""
}

// unlessCut is nil where JSON is only not at its end.
func unlessCut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
