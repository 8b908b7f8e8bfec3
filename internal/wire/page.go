package wire

import (
	"encoding/base64"
	"encoding/json"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Paged asks for a page of a list. Where another may follow, the answer has a Link of RFC 8288 to it, with the relation "next".
type Paged struct {
	Limit    int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many on a page, the newest first; 0 is 100."`
	Continue string `query:"continue" maxLength:"500" doc:"What the Link of the page before said: this page goes on there."`
}

// Sizes of pages.
const (
	MaxPage     = 1000
	usualPage   = 100
	maxContinue = 500 // characters
)

// Asked is which page of a list is asked for.
func (p Paged) Asked() Paged { return p }

// place is what a page goes on with, as it is sent.
type place struct {
	List string `json:"list"` // ID of the operation
	ledger.Mark
}

// Continue is how a place in the list of an operation is written for whoever asks for the next page. It is no secret and gives no right.
func Continue(list string, after ledger.Mark) (string, error) {
	text, err := json.Marshal(place{list, after})
	return base64.RawURLEncoding.EncodeToString(text), err
}

// Of is the page as the ledger is asked for it. It is fault.Invalid where it is to go on with what no page of the list has said.
func (p Paged) Of(list string) (ledger.Page, error) {
	page := ledger.Page{Limit: min(p.Limit, MaxPage)}
	if page.Limit <= 0 {
		page.Limit = usualPage
	}
	if p.Continue == "" {
		return page, nil
	}
	no := fault.New(fault.Invalid, "cannot go on in %s with %.40q: take what the Link of a page of that list says", list, p.Continue)
	if len(p.Continue) > maxContinue {
		return page, no
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Continue)
	if err != nil {
		return page, no
	}
	var at place
	if json.Unmarshal(text, &at) != nil {
		return page, no
	}
	// What is written otherwise than it is here is of another list, or of somebody else's making.
	if again, err := Continue(list, at.Mark); err != nil || again != p.Continue {
		return page, no
	}
	numbered := list != ListPlans.ID
	if at.Number < 0 || (at.Number > 0) != numbered || (at.Hash == "") != numbered {
		return page, no
	}
	page.After = at.Mark
	return page, nil
}
