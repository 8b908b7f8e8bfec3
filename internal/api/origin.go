package api

// Origin is where the files of a plan came from.
type Origin struct {
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Path       string `json:"path,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"`
}
