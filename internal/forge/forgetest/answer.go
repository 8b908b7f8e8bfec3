package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/forge"
)

// object is one of JSON.
type object = map[string]any

// asking is a request of an account about a repository.
type asking struct {
	*http.Request
	w    http.ResponseWriter
	f    *Forge
	by   *account
	repo *Repository
}

// serve answers requests of whoever has a token, one at a time.
func (f *Forge) serve(mux *http.ServeMux, pattern string, do func(*asking)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		login, ok := f.tokens[token]
		if !ok {
			f.refuse(w, http.StatusUnauthorized, map[forge.Kind]string{forge.GitHub: "Bad credentials", forge.GitLab: "401 Unauthorized"}[f.Kind])
			return
		}
		do(&asking{Request: r, w: w, f: f, by: f.accounts[login]})
	})
}

// inside answers requests about a repository, of whoever may do so in it.
func (f *Forge) inside(mux *http.ServeMux, pattern, role string, name func(*http.Request) string, do func(*asking)) {
	f.serve(mux, pattern, func(a *asking) {
		a.repo = f.projects[name(a.Request)]
		switch has := ""; {
		case a.repo == nil, a.repo.members[a.by.login] == "":
			f.refuse(a.w, http.StatusNotFound, "404 Not Found")
			return
		default:
			if has = a.repo.members[a.by.login]; role == Writer && has != Writer {
				f.refuse(a.w, http.StatusForbidden, map[forge.Kind]string{
					forge.GitHub: "Resource not accessible by personal access token", forge.GitLab: "403 Forbidden",
				}[f.Kind])
				return
			}
		}
		do(a)
	})
}

func (f *Forge) refuse(w http.ResponseWriter, status int, message string) {
	write(w, status, object{"message": message})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// body reads what was sent.
func (a *asking) body() object {
	var out object
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil {
		a.f.t.Errorf("%s %s has no JSON in it: %v", a.Method, a.URL.Path, err)
	}
	return out
}

func text(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

// request is the one that is asked about; nil where it is not there, and then that is answered.
func (a *asking) request() *request {
	n, _ := strconv.ParseInt(a.PathValue("n"), 10, 64)
	q := a.repo.numbered(n)
	if q == nil {
		a.f.refuse(a.w, http.StatusNotFound, "404 Not Found")
	}
	return q
}

// page answers with a page of a list, and a link to the next.
func page[T any](a *asking, all []T, shape func(T) object) {
	per, page := min(a.number("per_page", 20), 100), a.number("page", 1)
	begin := min((page-1)*per, len(all))
	end := min(begin+per, len(all))
	if end < len(all) {
		query := a.URL.Query()
		query.Set("page", strconv.Itoa(page+1))
		a.w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, a.f.URL, a.URL.EscapedPath(), query.Encode()))
	}
	out := make([]object, 0, end-begin)
	for _, one := range all[begin:end] {
		out = append(out, shape(one))
	}
	write(a.w, http.StatusOK, out)
}

func (a *asking) number(name string, or int) int {
	n, err := strconv.Atoi(a.URL.Query().Get(name))
	if err != nil || n < 1 {
		return or
	}
	return n
}

// at is a time as both write it; null where there is none.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// orNull is null for what is not there.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
