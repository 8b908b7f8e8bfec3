package forgetest

import (
	"net/http"
	"slices"
	"strconv"

	"sluice.dev/sluice/internal/forge"
)

func (f *Forge) github(mux *http.ServeMux) {
	name := func(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }
	on := func(method, path, role string, do func(*asking)) {
		f.inside(mux, method+" /repos/{owner}/{repo}"+path, role, name, do)
	}
	f.serve(mux, "GET /user", func(a *asking) {
		if a.by.bot {
			f.refuse(a.w, http.StatusForbidden, "Resource not accessible by integration")
			return
		}
		write(a.w, http.StatusOK, hubUser(a.by))
	})
	f.serve(mux, "POST /graphql", func(a *asking) {
		if query := text(a.body(), "query"); query != "{viewer{login databaseId}}" {
			f.t.Errorf("the simulation knows no query %s", query)
		}
		write(a.w, http.StatusOK, object{"data": object{"viewer": object{"login": a.by.login, "databaseId": a.by.id}}})
	})
	on("GET", "/pulls", Reader, hubPulls)
	on("POST", "/pulls", Writer, hubPropose)
	on("GET", "/pulls/{n}", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			full := hubPull(a, q)
			full["merged_by"] = hubUser(q.mergedBy)
			write(a.w, http.StatusOK, full)
		}
	})
	on("GET", "/pulls/{n}/reviews", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			page(a, q.reviews, func(r review) object {
				return object{"user": hubUser(r.by), "state": r.state, "commit_id": r.commit, "submitted_at": at(r.at), "body": ""}
			})
		}
	})
	on("GET", "/pulls/{n}/commits", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			page(a, q.commits[:min(len(q.commits), 250)], func(c madeBy) object {
				return object{"sha": c.sha, "author": hubUser(c.author), "committer": hubUser(c.committer)}
			})
		}
	})
	on("GET", "/issues/{n}/comments", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			page(a, q.comments, hubComment)
		}
	})
	on("POST", "/issues/{n}/comments", Reader, func(a *asking) {
		if q := a.request(); q != nil {
			write(a.w, http.StatusCreated, hubComment(q.say(f, a.by, text(a.body(), "body"))))
		}
	})
	on("PATCH", "/issues/comments/{id}", Writer, func(a *asking) { a.change(a.repo.requests, hubComment) })
	on("DELETE", "/issues/comments/{id}", Writer, func(a *asking) { a.remove(a.repo.requests) })
	on("GET", "/commits/{sha}/pulls", Reader, func(a *asking) {
		page(a, a.repo.containing(a.PathValue("sha")), func(q *request) object { return hubPull(a, q) })
	})
	on("GET", "/commits/{sha}/status", Reader, hubStatuses)
	on("POST", "/statuses/{sha}", Writer, hubSet)
	on("GET", "/collaborators/{login}/permission", Reader, func(a *asking) {
		who, role := a.f.accounts[a.PathValue("login")], a.repo.members[a.PathValue("login")]
		if who == nil {
			f.refuse(a.w, http.StatusNotFound, "Not Found")
			return
		}
		if role == "" {
			role = "none"
		}
		write(a.w, http.StatusOK, object{"permission": role, "role_name": role, "user": hubUser(who)})
	})
}

func hubUser(u *account) any {
	if u == nil {
		return nil
	}
	kind := "User"
	if u.bot {
		kind = "Bot"
	}
	return object{"id": u.id, "login": u.login, "type": kind}
}

func hubPull(a *asking, q *request) object {
	state := "closed"
	if q.state == forge.Opened {
		state = "open"
	}
	base := object{"id": a.repo.id, "full_name": a.repo.Name}
	head := base
	if q.fork {
		head = object{"id": a.repo.id + 1_000_000, "full_name": q.author.login + "/fork"}
	}
	made := q.made
	if made == "" && q.state == forge.Merged {
		made = q.head() // what the branch was moved to
	}
	if q.squashed != "" {
		made = q.squashed
	}
	return object{
		"number": q.number, "id": q.id, "title": q.title, "body": q.text, "state": state, "draft": q.draft, "user": hubUser(q.author),
		"html_url": a.f.URL + "/" + a.repo.Name + "/pull/" + strconv.FormatInt(q.number, 10),
		"head":     object{"ref": q.from, "sha": q.head(), "repo": head}, "base": object{"ref": q.into, "sha": Commit("base"), "repo": base},
		"merged_at": at(q.mergedAt), "merge_commit_sha": orNull(made), "updated_at": at(q.changed),
	}
}

func hubPulls(a *asking) {
	query := a.URL.Query()
	owner := a.PathValue("owner")
	all := a.repo.some(func(q *request) bool {
		from := query.Get("head")
		open := q.state == forge.Opened
		state := query.Get("state")
		return (state == "all" || open == (state != "closed")) && (query.Get("base") == "" || query.Get("base") == q.into) &&
			(from == "" || !q.fork && from == owner+":"+q.from)
	})
	if query.Get("sort") == "updated" {
		slices.SortStableFunc(all, func(x, y *request) int { return y.changed.Compare(x.changed) })
	}
	page(a, all, func(q *request) object { return hubPull(a, q) })
}

func hubPropose(a *asking) {
	sent := a.body()
	from, into := text(sent, "head"), text(sent, "base")
	if len(a.repo.some(func(q *request) bool { return q.state == forge.Opened && q.from == from && q.into == into })) > 0 {
		write(a.w, http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{{
			"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for " + a.by.login + ":" + from + ".",
		}}})
		return
	}
	q := a.repo.propose(Proposal{By: a.by.login, From: from, Into: into, Title: text(sent, "title"), Head: Commit(from)})
	q.text = text(sent, "body")
	write(a.w, http.StatusCreated, hubPull(a, q))
}

func hubComment(c *comment) object {
	return object{"id": c.id, "body": c.text, "user": hubUser(c.by), "created_at": at(c.at)}
}

func hubStatuses(a *asking) {
	all := a.repo.latest(a.PathValue("sha"))
	out := []object{}
	for _, s := range all[min((a.number("page", 1)-1)*a.number("per_page", 30), len(all)):] {
		if len(out) < a.number("per_page", 30) {
			out = append(out, object{"id": s.id, "state": s.state, "context": s.name, "description": orNull(s.says), "target_url": orNull(s.url)})
		}
	}
	write(a.w, http.StatusOK, object{"state": "pending", "statuses": out, "total_count": len(all), "sha": a.PathValue("sha")})
}

func hubSet(a *asking) {
	sent := a.body()
	s := status{
		id: a.f.id(), sha: a.PathValue("sha"), name: text(sent, "context"), state: text(sent, "state"), says: text(sent, "description"),
		url: text(sent, "target_url"),
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, s.state) || len([]rune(s.says)) > 140 {
		a.f.refuse(a.w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	a.repo.statuses = append(a.repo.statuses, s)
	write(a.w, http.StatusCreated, object{"id": s.id, "state": s.state, "context": s.name})
}
