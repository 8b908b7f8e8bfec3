package api

// Origin is where the files of a plan came from. Repository is empty outside git, and Commit where there is none yet.
type Origin struct {
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Path       string `json:"path,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"` // the tree had changes that the commit does not have
}
