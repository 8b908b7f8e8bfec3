package forgetest

import (
	"net/http"
	"slices"
	"strconv"
)

// found is a comment of one of some requests that is asked about; nil where it is not there, and then that is answered.
func (a *asking) found(in []*request) (*request, int) {
	id, _ := strconv.ParseInt(a.PathValue("id"), 10, 64)
	for _, q := range in {
		if i := slices.IndexFunc(q.comments, func(c *comment) bool { return c.id == id }); i >= 0 {
			return q, i
		}
	}
	a.f.refuse(a.w, http.StatusNotFound, "404 Not Found")
	return nil, 0
}

// change has a comment say something else.
func (a *asking) change(in []*request, shape func(*comment) object) {
	if q, i := a.found(in); q != nil {
		q.comments[i].text = text(a.body(), "body")
		write(a.w, http.StatusOK, shape(q.comments[i]))
	}
}

// remove takes a comment away.
func (a *asking) remove(in []*request) {
	if q, i := a.found(in); q != nil {
		q.comments = slices.Delete(q.comments, i, i+1)
		a.w.WriteHeader(http.StatusNoContent)
	}
}
