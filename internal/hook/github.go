package hook

// github reads a delivery of GitHub. Keys that it does not know it passes over, as GitHub adds some.
func github(event string, body []byte, e *Event) error {
	var of struct {
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if err := decode(body, &of); err != nil {
		return err
	}
	e.Repository = of.Repository.FullName
	switch event {
	case "push":
		e.Kind = Push
		return pushed(body, e)
	case "pull_request":
		e.Kind = Request
		return githubRequest(body, e)
	case "pull_request_review":
		e.Kind = Review
		return githubRequest(body, e)
	case "ping":
		e.Kind = Ping
	default:
		e.Kind = Other
	}
	return nil
}

func pushed(body []byte, e *Event) error {
	var d struct {
		Ref   string `json:"ref"`
		After string `json:"after"`
	}
	err := decode(body, &d)
	e.Ref, e.After = d.Ref, d.After
	return err
}

func githubRequest(body []byte, e *Event) error {
	var d struct {
		PullRequest struct {
			Number int64 `json:"number"`
			Head   struct {
				SHA string `json:"sha"`
			} `json:"head"`
			Base struct {
				Ref string `json:"ref"`
			} `json:"base"`
		} `json:"pull_request"`
	}
	err := decode(body, &d)
	e.Request, e.Ref, e.After = d.PullRequest.Number, branch(d.PullRequest.Base.Ref), d.PullRequest.Head.SHA
	return err
}
