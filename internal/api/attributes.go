package api

// Search attributes: what the workflow list of the Temporal UI can show and filter by.
const (
	AttributeComponent  = "SluiceComponent"
	AttributeVersion    = "SluiceVersion"
	AttributePipeline   = "SluicePipeline"
	AttributeStage      = "SluiceStage"
	AttributeGroup      = "SluiceClusterGroup"
	AttributeCluster    = "SluiceCluster"
	AttributePhase      = "SluicePhase"
	AttributeWaitingFor = "SluiceWaitingFor"
	AttributePlanHash   = "SluicePlanHash"
	AttributePercent    = "SluicePercent"
	AttributeFailed     = "SluiceFailed"
)

// KeywordAttributes and IntAttributes name the search attributes that a namespace must have.
func KeywordAttributes() []string {
	return []string{
		AttributeComponent, AttributeVersion, AttributePipeline, AttributeStage, AttributeGroup,
		AttributeCluster, AttributePhase, AttributeWaitingFor, AttributePlanHash,
	}
}

// IntAttributes are the ones that hold numbers.
func IntAttributes() []string { return []string{AttributePercent, AttributeFailed} }
