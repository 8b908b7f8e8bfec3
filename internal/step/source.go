package step

import "sluice.dev/sluice/internal/api"

// The activities of sources. What a repository or a forge has done wrong is part of their answers: it is shown, and looked at again.
var (
	// LookAtSource asks a repository and its forge where they are.
	LookAtSource = idle[api.SourceLook, api.SourceLooked]("source.Look")
	// FollowSource lints and plans what a commit of the branch has changed.
	FollowSource = idle[api.SourceFollow, api.SourceFollowed]("source.Follow")
	// ShowRequest lints and plans what a request would change, and says so where it is reviewed.
	ShowRequest = idle[api.SourceShow, api.SourceRequest]("source.Show")
	// TendSource starts what waits, and sees to what is open.
	TendSource = idle[api.SourceTend, api.SourceTended]("source.Tend")
)
