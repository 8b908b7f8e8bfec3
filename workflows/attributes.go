package workflows

import "go.temporal.io/sdk/temporal"

// Search attributes: what the workflow list of the Temporal UI can show and filter by.
var (
	attrComponent  = temporal.NewSearchAttributeKeyKeyword("SluiceComponent")
	attrVersion    = temporal.NewSearchAttributeKeyKeyword("SluiceVersion")
	attrPipeline   = temporal.NewSearchAttributeKeyKeyword("SluicePipeline")
	attrStage      = temporal.NewSearchAttributeKeyKeyword("SluiceStage")
	attrGroup      = temporal.NewSearchAttributeKeyKeyword("SluiceClusterGroup")
	attrCluster    = temporal.NewSearchAttributeKeyKeyword("SluiceCluster")
	attrPhase      = temporal.NewSearchAttributeKeyKeyword("SluicePhase")
	attrWaitingFor = temporal.NewSearchAttributeKeyKeyword("SluiceWaitingFor")
	attrPlanHash   = temporal.NewSearchAttributeKeyKeyword("SluicePlanHash")
	attrPercent    = temporal.NewSearchAttributeKeyInt64("SluicePercent")
	attrFailed     = temporal.NewSearchAttributeKeyInt64("SluiceFailed")
)

// KeywordAttributes and IntAttributes name the search attributes that a namespace must have.
func KeywordAttributes() []string {
	return []string{
		attrComponent.GetName(), attrVersion.GetName(), attrPipeline.GetName(), attrStage.GetName(), attrGroup.GetName(),
		attrCluster.GetName(), attrPhase.GetName(), attrWaitingFor.GetName(), attrPlanHash.GetName(),
	}
}

// IntAttributes are the ones that hold numbers.
func IntAttributes() []string { return []string{attrPercent.GetName(), attrFailed.GetName()} }
