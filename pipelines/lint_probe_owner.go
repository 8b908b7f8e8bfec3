package pipelines

import "fmt"

// ownCase is a case and the component that brings it.
type ownCase struct {
	component string
	boundAt
}

// otherCases reports cases of a cluster that two components bring: what is known of a case goes by its name. Of each component it is the
// latest version that counts: a case may move from one to another.
func (l *linter) otherCases(suites map[string]*probeSuite) {
	latest := map[string]*probeSuite{}
	for _, doc := range l.docs {
		c, ok := doc.value.(*Component)
		if !ok || c.Spec.Template.Probes == "" {
			continue
		}
		if s := suites[l.folderOf(doc, c)]; s != nil && latestOf(l.all.Components[c.Metadata.Name]) == c {
			latest[c.Metadata.Name] = s
		}
	}
	if len(latest) < 2 {
		return
	}
	told := map[string]bool{}
	for _, name := range sortedKeys(l.all.Clusters) {
		labels, first := l.labelsOf(l.all.Clusters[name]), map[string]ownCase{}
		for _, component := range sortedKeys(latest) {
			for _, c := range latest[component].casesIn(labels, name) {
				before, again := first[c.Name]
				if !again {
					first[c.Name] = ownCase{component, c}
					continue
				}
				key := fmt.Sprint(c.Name, c.at.position())
				if before.component != component && latest[before.component] != latest[component] && !told[key] {
					told[key] = true
					l.report.addAt(c.at, "case %s of component %s is one of component %s too in cluster %s: at %s", c.Name, component,
						before.component, name, before.at.position())
				}
			}
		}
	}
}

func latestOf(versions []*Component) *Component {
	if len(versions) == 0 {
		return nil
	}
	return versions[len(versions)-1]
}

// casesIn are the cases that a cluster has.
func (s *probeSuite) casesIn(labels map[string]string, cluster string) (all []boundAt) {
	for _, name := range sortedKeys(s.bindings) {
		if b := s.all.Bindings[name]; b.Spec.Clusters != nil && b.Spec.Clusters.Matches(labels, cluster) {
			all = append(all, s.bound(b, s.bindings[name].at("spec"))...)
		}
	}
	return all
}
