// Package show is how runs and units show where they are and what they wait for, to people and to the Temporal UI: search
// attributes, details, the words of an end, and the one verb of standing still.
package show

import (
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
)

// The search attributes, with their types.
var (
	AttrComponent  = temporal.NewSearchAttributeKeyKeyword(api.AttributeComponent)
	AttrVersion    = temporal.NewSearchAttributeKeyKeyword(api.AttributeVersion)
	AttrPipeline   = temporal.NewSearchAttributeKeyKeyword(api.AttributePipeline)
	AttrStage      = temporal.NewSearchAttributeKeyKeyword(api.AttributeStage)
	AttrGroup      = temporal.NewSearchAttributeKeyKeyword(api.AttributeGroup)
	AttrCluster    = temporal.NewSearchAttributeKeyKeyword(api.AttributeCluster)
	AttrPhase      = temporal.NewSearchAttributeKeyKeyword(api.AttributePhase)
	AttrWaitingFor = temporal.NewSearchAttributeKeyKeyword(api.AttributeWaitingFor)
	AttrPlanHash   = temporal.NewSearchAttributeKeyKeyword(api.AttributePlanHash)
	AttrPercent    = temporal.NewSearchAttributeKeyInt64(api.AttributePercent)
	AttrFailed     = temporal.NewSearchAttributeKeyInt64(api.AttributeFailed)
)
