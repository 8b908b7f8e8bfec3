package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"sluice.dev/sluice/internal/forge"
)

func (f *Forge) gitlab(mux *http.ServeMux) {
	const api = "/api/v4"
	name := func(r *http.Request) string { return r.PathValue("project") }
	on := func(method, path, role string, do func(*asking)) {
		f.inside(mux, method+" "+api+"/projects/{project}"+path, role, name, do)
	}
	f.serve(mux, "GET "+api+"/user", func(a *asking) { write(a.w, http.StatusOK, labUser(a.by)) })
	f.serve(mux, "GET "+api+"/users/{id}", func(a *asking) {
		for _, u := range f.accounts {
			if strconv.FormatInt(u.id, 10) == a.PathValue("id") {
				write(a.w, http.StatusOK, labUser(u))
				return
			}
		}
		f.refuse(a.w, http.StatusNotFound, "404 User Not Found")
	})
	on("GET", "/merge_requests", Reader, labMerges)
	on("POST", "/merge_requests", Writer, labPropose)
	on("GET", "/merge_requests/{n}", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			write(a.w, http.StatusOK, labMerge(a, q))
		}
	})
	on("GET", "/merge_requests/{n}/approvals", Reader, labApprovals)
	on("GET", "/merge_requests/{n}/versions", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			newest := slices.Clone(q.versions)
			slices.Reverse(newest)
			page(a, newest, func(v version) object { return object{"id": v.id, "head_commit_sha": v.head, "created_at": at(v.at)} })
		}
	})
	on("GET", "/merge_requests/{n}/notes", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			page(a, q.comments, labNote)
		}
	})
	on("POST", "/merge_requests/{n}/notes", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			write(a.w, http.StatusCreated, labNote(q.say(f, a.by, text(a.body(), "body"))))
		}
	})
	on("PUT", "/merge_requests/{n}/notes/{id}", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			a.change([]*request{q}, labNote)
		}
	})
	on("DELETE", "/merge_requests/{n}/notes/{id}", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			a.remove([]*request{q})
		}
	})
	on("GET", "/approvals", Reader, func(a *asking) {
		if a.repo.settings.Free {
			f.refuse(a.w, http.StatusNotFound, "404 Not Found")
			return
		}
		write(a.w, http.StatusOK, object{
			"reset_approvals_on_push": a.repo.settings.ResetOnPush, "merge_requests_author_approval": true,
			"merge_requests_disable_committers_approval": a.repo.settings.NoCommitters,
		})
	})
	on("GET", "/members/all/{id}", Reader, labMember)
	on("GET", "/repository/commits/{sha}/merge_requests", Reader, func(a *asking) {
		page(a, a.repo.containing(a.PathValue("sha")), func(q *request) object { return labMerge(a, q) })
	})
	on("GET", "/repository/commits/{sha}/statuses", Reader, labStatuses)
	on("POST", "/statuses/{sha}", Writer, labSet)
}

func labUser(u *account) any {
	if u == nil {
		return nil
	}
	return object{"id": u.id, "username": u.login, "state": "active", "bot": u.bot}
}

// labStates are GitLab's words.
var labStates = map[forge.State]string{forge.Opened: "opened", forge.Merged: "merged", forge.Closed: "closed"}

func labMerge(a *asking, q *request) object {
	var from any = a.repo.id
	if q.fork {
		from = a.repo.id + 1_000_000
	}
	return object{
		"iid": q.number, "id": q.id, "title": q.title, "description": q.text, "state": labStates[q.state], "draft": q.draft,
		"author": labUser(q.author), "web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", a.f.URL, a.repo.Name, q.number),
		"sha": q.head(), "source_branch": q.from, "target_branch": q.into, "source_project_id": from, "target_project_id": a.repo.id,
		"merged_at": at(q.mergedAt), "merge_user": labUser(q.mergedBy), "merge_commit_sha": orNull(q.made),
		"squash_commit_sha": orNull(q.squashed), "updated_at": at(q.changed),
	}
}

func labMerges(a *asking) {
	query := a.URL.Query()
	all := a.repo.some(func(q *request) bool {
		for name, is := range map[string]string{"state": labStates[q.state], "target_branch": q.into, "source_branch": q.from} {
			if want := query.Get(name); want != "" && want != is {
				return false
			}
		}
		return true
	})
	if query.Get("order_by") == "updated_at" {
		slices.SortStableFunc(all, func(x, y *request) int { return y.changed.Compare(x.changed) })
	}
	page(a, all, func(q *request) object { return labMerge(a, q) })
}

func labPropose(a *asking) {
	sent := a.body()
	from, into := text(sent, "source_branch"), text(sent, "target_branch")
	if len(a.repo.some(func(q *request) bool { return q.state == forge.Opened && q.from == from && q.into == into })) > 0 {
		write(a.w, http.StatusConflict, object{"message": []string{"Another open merge request already exists for this source branch: !1"}})
		return
	}
	q := a.repo.propose(Proposal{By: a.by.login, From: from, Into: into, Title: text(sent, "title"), Head: Commit(from)})
	q.text = text(sent, "description")
	write(a.w, http.StatusCreated, labMerge(a, q))
}

// labApprovals are those that stand: GitLab keeps no others.
func labApprovals(a *asking) {
	q := a.request()
	if q == nil {
		return
	}
	last := map[int64]review{}
	var order []int64
	for _, r := range q.reviews {
		if r.state == "COMMENTED" {
			continue
		}
		last[r.by.id] = r
		order = append(slices.DeleteFunc(order, func(id int64) bool { return id == r.by.id }), r.by.id)
	}
	by := []object{}
	for _, id := range order {
		r := last[id]
		if r.state != "APPROVED" {
			continue
		}
		one := object{"user": labUser(r.by), "approved_at": at(r.at)}
		if a.repo.settings.Timeless {
			delete(one, "approved_at")
		}
		by = append(by, one)
	}
	write(a.w, http.StatusOK, object{"iid": q.number, "approved_by": by})
}

func labNote(c *comment) object {
	return object{"id": c.id, "body": c.text, "author": labUser(c.by), "system": false, "created_at": at(c.at)}
}

func labMember(a *asking) {
	levels := map[string]int{Reader: 20, Writer: 30}
	for login, role := range a.repo.members {
		if u := a.f.accounts[login]; strconv.FormatInt(u.id, 10) == a.PathValue("id") {
			write(a.w, http.StatusOK, object{"id": u.id, "username": u.login, "state": "active", "access_level": levels[role]})
			return
		}
	}
	a.f.refuse(a.w, http.StatusNotFound, "404 Not found")
}

func labStatuses(a *asking) {
	named, of := a.URL.Query().Get("name"), a.URL.Query().Get("ref")
	var all []status
	for _, s := range a.repo.latest(a.PathValue("sha")) {
		if (named == "" || s.name == named) && (of == "" || s.branch == of) {
			all = append(all, s)
		}
	}
	page(a, all, func(s status) object {
		return object{"id": s.id, "sha": s.sha, "name": s.name, "status": s.state, "description": orNull(s.says), "target_url": orNull(s.url)}
	})
}

// labSet changes a status that is not at its end, and else makes another one.
func labSet(a *asking) {
	sent := a.body()
	s := status{
		id: a.f.id(), sha: a.PathValue("sha"), name: text(sent, "name"), state: text(sent, "state"), says: text(sent, "description"),
		url: text(sent, "target_url"), branch: text(sent, "ref"),
	}
	fork := func(q *request) bool { return q.fork && q.head() == s.sha }
	if s.branch == "" && slices.ContainsFunc(a.repo.requests, fork) { // no branch of the project has it
		a.f.refuse(a.w, http.StatusNotFound, "404 References for commit Not Found")
		return
	}
	if !slices.Contains([]string{"pending", "running", "success", "failed", "canceled", "skipped"}, s.state) || len([]rune(s.says)) > 255 {
		a.f.refuse(a.w, http.StatusBadRequest, "state does not have a valid value")
		return
	}
	for i, was := range a.repo.statuses {
		if was.sha != s.sha || was.name != s.name || was.branch != s.branch || was.state != "pending" && was.state != "running" {
			continue
		}
		if was.state == s.state {
			a.f.refuse(a.w, http.StatusBadRequest, fmt.Sprintf("Cannot transition status via :enqueue from :%s", was.state))
			return
		}
		s.id = was.id
		a.repo.statuses[i] = s
		write(a.w, http.StatusCreated, object{"id": s.id, "status": s.state, "name": s.name})
		return
	}
	a.repo.statuses = append(a.repo.statuses, s)
	write(a.w, http.StatusCreated, object{"id": s.id, "status": s.state, "name": s.name})
}
