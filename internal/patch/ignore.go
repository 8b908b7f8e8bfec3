package patch

// ignored are the fields that others than authors write, for every component.
var ignored = []struct {
	kind          string // "" is every kind
	field         string
	unlessChanged bool
}{
	{field: "/metadata/annotations/deployment.kubernetes.io~1*"},
	{field: "/metadata/annotations/deprecated.daemonset.template.generation"},
	{field: "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"},
	{field: "/metadata/annotations/sluice.dev~1held"},
	// A certificate manager injects these; a chart that renders a new one means it.
	{kind: "ValidatingWebhookConfiguration", field: "/webhooks/*/clientConfig/caBundle", unlessChanged: true},
	{kind: "MutatingWebhookConfiguration", field: "/webhooks/*/clientConfig/caBundle", unlessChanged: true},
	{kind: "CustomResourceDefinition", field: "/spec/conversion/webhook/clientConfig/caBundle", unlessChanged: true},
	{kind: "APIService", field: "/spec/caBundle", unlessChanged: true},
}

// leaveLive makes target and recorded, which it changes, say what live says in every field that is left alone.
func (c *computation) leaveLive(recorded, live, target map[string]any) {
	keep := func(k keeper, field string) {
		k.keep(target, recorded, live, c.shape.merge, parsePointer(field))
	}
	for _, rule := range ignored {
		if rule.kind == "" || rule.kind == c.target.GetKind() {
			keep(keeper{unlessChanged: rule.unlessChanged}, rule.field)
		}
	}
	if c.shape.kind.Kind == "ClusterRole" && target["aggregationRule"] != nil {
		keep(keeper{}, "/rules") // a controller fills them in
	}
	for _, rule := range c.options.Ignore {
		if rule.Kind != c.target.GetKind() || (rule.Name != "" && rule.Name != c.target.GetName()) {
			continue
		}
		for _, field := range rule.Fields {
			keep(keeper{}, field)
		}
	}
	for _, field := range c.options.Leave {
		keep(keeper{}, field)
	}
}
