package hook

// gitlab reads a delivery of GitLab. What it is about its body says: the header says no more, and is not signed.
func gitlab(body []byte, e *Event) error {
	var of struct {
		Kind    string `json:"object_kind"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
	}
	if err := decode(body, &of); err != nil {
		return err
	}
	e.Repository = of.Project.Path
	switch of.Kind {
	case "push", "tag_push":
		e.Kind = Push
		return pushed(body, e) // which both say in the same words
	case "merge_request":
		return gitlabRequest(body, e)
	}
	e.Kind = Other
	return nil
}

func gitlabRequest(body []byte, e *Event) error {
	var d struct {
		Of struct {
			IID    int64  `json:"iid"`
			Into   string `json:"target_branch"`
			Action string `json:"action"`
			Last   struct {
				ID string `json:"id"`
			} `json:"last_commit"`
		} `json:"object_attributes"`
	}
	err := decode(body, &d)
	e.Kind, e.Request, e.Ref, e.After = Request, d.Of.IID, branch(d.Of.Into), d.Of.Last.ID
	switch d.Of.Action {
	case "approved", "approval", "unapproved", "unapproval":
		e.Kind = Review
	}
	return err
}
