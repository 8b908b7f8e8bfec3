package pipelines

// Indicators are what can be asked of a component to tell how it does. Checks name them, so that one Task serves many components.
type Indicators struct {
	Queries     []IndicatorQuery `json:"queries,omitempty" items:"0..100"`
	LogPatterns []LogPattern     `json:"logPatterns,omitempty" items:"0..20"` // lines that are no good in its logs
}

// IndicatorQuery is a question to a source of metrics. It may name facts of the unit: $(unit.cluster), $(change.version).
type IndicatorQuery struct {
	Name        string `json:"name" is:"name"`
	Description string `json:"description,omitempty"`
	PromQL      string `json:"promql" is:"text"`
	DataSource  string `json:"dataSource,omitempty" is:"name"` // default that of the cluster group
}

// Query finds a query by its name.
func (i *Indicators) Query(name string) (IndicatorQuery, bool) {
	if i == nil {
		return IndicatorQuery{}, false
	}
	for _, q := range i.Queries {
		if q.Name == name {
			return q, true
		}
	}
	return IndicatorQuery{}, false
}
