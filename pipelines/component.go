package pipelines

// Component is one version of a component: template + image + config.
type Component struct {
	Metadata Metadata      `json:"metadata"`
	Spec     ComponentSpec `json:"spec"`
	Position Position      `json:"-"`
	Dir      string        `json:"-"` // folder of the file, to which paths are relative
}

// ComponentSpec is the body of a Component.
type ComponentSpec struct {
	Version       string           `json:"version" is:"version"`
	Description   string           `json:"description,omitempty"`
	Pipeline      string           `json:"pipeline,omitempty" is:"name"`  // default pipeline
	Risk          Risk             `json:"risk,omitempty"`                // default Medium
	Namespace     string           `json:"namespace,omitempty" is:"name"` // default: the component's name
	Template      Template         `json:"template"`
	Images        map[string]Image `json:"images,omitempty" keys:"slot"`
	Config        Config           `json:"config,omitempty"`
	Indicators    *Indicators      `json:"indicators,omitempty"`                                  // what checks can ask of it
	WorkloadOrder []string         `json:"workloadOrder,omitempty" is:"workload" items:"1..1000"` // Kind/name; default render order
	// a chart with hooks is refused where this is not said
	Hooks      Hooks        `json:"hooks,omitempty"`
	Rollback   RollbackMode `json:"rollback,omitempty"` // default Auto
	Drift      DriftPolicy  `json:"drift,omitempty"`    // default Refuse
	Ignore     []IgnoreRule `json:"ignore,omitempty" items:"0..100"`
	Exceptions []Exception  `json:"exceptions,omitempty" items:"0..100"` // beside those of the pipeline
	// take away digest-named configuration that nothing needs any more
	Prune bool `json:"prune,omitempty"`
}

// Risk is a component's own risk class.
type Risk string

// The risk classes.
const (
	Low    Risk = "Low"
	Medium Risk = "Medium"
	High   Risk = "High"
)

func (Risk) values() []string {
	return []string{string(Low), string(Medium), string(High)}
}

// Template is where a component's objects come from: exactly one of the three.
type Template struct {
	Chart     string `json:"chart,omitempty" is:"path"`     // folder of a Helm chart, relative to the file
	Manifests string `json:"manifests,omitempty" is:"path"` // folder of *.yaml templates with sprig functions
	Probes    string `json:"probes,omitempty" is:"path"`    // folder of Probe, ProbeSet and ProbeBinding documents
}

// Folder is the folder of the template, relative to the file.
func (t *Template) Folder() string {
	return t.Chart + t.Manifests + t.Probes
}

// Image is an image slot. The reference of an environment wins over the default.
type Image struct {
	Default      string            `json:"default,omitempty" is:"image"`
	Environments map[string]string `json:"environments,omitempty" is:"image"`
	Values       *ImageValues      `json:"values,omitempty"` // keys of the chart's own values; default images.SLOT for the whole
	Position     Position          `json:"-"`
}

// ImageValues are the keys of a chart's values that an image goes to, with dots between their levels: image.tag. What a
// reference has not is set to nothing, so that no default of the chart joins it.
type ImageValues struct {
	Repository string `json:"repository,omitempty" is:"valueKey"` // with the registry, where that has no key
	Tag        string `json:"tag,omitempty" is:"valueKey"`
	Digest     string `json:"digest,omitempty" is:"valueKey"`
	Registry   string `json:"registry,omitempty" is:"valueKey"`
	Reference  string `json:"reference,omitempty" is:"valueKey"` // the whole; it stands alone
}

// Config is a component's values in layers, each later one over the one before.
type Config struct {
	Fleet          map[string]any            `json:"fleet,omitempty"`
	Environments   map[string]map[string]any `json:"environments,omitempty"`
	NetworkDomains map[string]map[string]any `json:"networkDomains,omitempty"`
	ClusterGroups  map[string]map[string]any `json:"clusterGroups,omitempty"`
	Clusters       map[string]map[string]any `json:"clusters,omitempty"`
}

// Hooks says what becomes of Helm hooks.
type Hooks string

// SkipHooks leaves hooks out of the render.
const SkipHooks Hooks = "Skip"

func (Hooks) values() []string {
	return []string{string(SkipHooks)}
}

// RollbackMode says who may roll a component back.
type RollbackMode string

// The rollback modes: by itself or by a person; by a person only; not at all.
const (
	RollbackAuto   RollbackMode = "Auto"
	RollbackManual RollbackMode = "Manual"
	RollbackNever  RollbackMode = "Never"
)

func (RollbackMode) values() []string {
	return []string{string(RollbackAuto), string(RollbackManual), string(RollbackNever)}
}

// DriftPolicy says what happens to a field that somebody else changed.
type DriftPolicy string

// The drift policies.
const (
	DriftRefuse    DriftPolicy = "Refuse"
	DriftOverwrite DriftPolicy = "Overwrite"
	DriftKeep      DriftPolicy = "Keep"
)

func (DriftPolicy) values() []string {
	return []string{string(DriftRefuse), string(DriftOverwrite), string(DriftKeep)}
}

// IgnoreRule leaves fields of some objects as they are live.
type IgnoreRule struct {
	Kind   string   `json:"kind" is:"kind"`
	Name   string   `json:"name,omitempty" is:"text"`           // default every name
	Fields []string `json:"fields" is:"pointer" items:"1..100"` // JSON pointers: /spec/replicas
}
