package kubetest

import (
	"io"
	"net/http"
	"strings"
)

// serveService answers as an API server does that goes on to an endpoint of a Service.
func (s *Server) serveService(w http.ResponseWriter, r *http.Request, at place, body []byte) {
	if s.Service == nil {
		refuse(w, http.StatusServiceUnavailable, "no endpoints available for service \""+at.name+"\"")
		return
	}
	_, path, _ := strings.Cut(r.URL.Path, "/proxy")
	status, answer := s.Service(at.name, path, body)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}
