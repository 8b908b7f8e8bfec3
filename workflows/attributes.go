package workflows

import (
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
)

// The search attributes, with their types.
var (
	attrComponent  = temporal.NewSearchAttributeKeyKeyword(api.AttributeComponent)
	attrVersion    = temporal.NewSearchAttributeKeyKeyword(api.AttributeVersion)
	attrPipeline   = temporal.NewSearchAttributeKeyKeyword(api.AttributePipeline)
	attrStage      = temporal.NewSearchAttributeKeyKeyword(api.AttributeStage)
	attrGroup      = temporal.NewSearchAttributeKeyKeyword(api.AttributeGroup)
	attrCluster    = temporal.NewSearchAttributeKeyKeyword(api.AttributeCluster)
	attrPhase      = temporal.NewSearchAttributeKeyKeyword(api.AttributePhase)
	attrWaitingFor = temporal.NewSearchAttributeKeyKeyword(api.AttributeWaitingFor)
	attrPlanHash   = temporal.NewSearchAttributeKeyKeyword(api.AttributePlanHash)
	attrPercent    = temporal.NewSearchAttributeKeyInt64(api.AttributePercent)
	attrFailed     = temporal.NewSearchAttributeKeyInt64(api.AttributeFailed)
)
