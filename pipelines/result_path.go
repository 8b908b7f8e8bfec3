package pipelines

import (
	"regexp"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// resultPath is the name of the file into which a script writes a result: $(results.NAME.path).
var resultPath = regexp.MustCompile(`^results\.([A-Za-z_][A-Za-z0-9_]*)\.path$`)

// ResultOfPath is the result whose file a name in a text stands for.
func ResultOfPath(name string) (result string, ok bool) {
	found := resultPath.FindStringSubmatch(name)
	if found == nil {
		return "", false
	}
	return found[1], true
}

// unknownPath says why a step has no such file; "" where it has.
func (j *Job) unknownPath(name string) string {
	result, _ := ResultOfPath(name)
	names := resultNames(j.Results)
	switch {
	case j.Script == "":
		return `only what a script leaves in files is collected: a command writes {"results": {...}} to its termination message`
	case !slices.Contains(names, result):
		return "the step has no result " + result + rule.Suggest(result, names)
	}
	return ""
}

// LeavesResults reports whether the script of a job, with nothing left to expand, leaves results in files of a folder.
func (j *Job) LeavesResults(dir string) bool {
	has := func(text string) bool { return strings.Contains(text, dir+"/") }
	return j.Script != "" && (j.ScriptWith(dir) != j.Script || slices.ContainsFunc(j.Args, has) ||
		slices.ContainsFunc(j.Env, func(v EnvVariable) bool { return has(v.Value) }))
}

// ScriptWith is the script with the files of its results in the place of their names: the only names that have a value in a script,
// since what they stand for is nobody's word.
func (j *Job) ScriptWith(dir string) string {
	return namedText.ReplaceAllStringFunc(j.Script, func(match string) string {
		if result, ok := ResultOfPath(match[2 : len(match)-1]); ok {
			return dir + "/" + result
		}
		return match
	})
}

// unknownPaths is what is wrong with the files that texts of a step name.
func unknownPaths(s placedStep) (found Diagnostics, rest []string) {
	for _, name := range s.References() {
		_, ok := ResultOfPath(name)
		switch {
		case !ok:
			rest = append(rest, name)
		case s.Job == nil:
			found = append(found, Diagnostic{s.at.position(), "$(" + name + "): only a script in a pod leaves results in files"})
		default:
			if why := s.Job.unknownPath(name); why != "" {
				found = append(found, Diagnostic{s.at.position(), "$(" + name + "): " + why})
			}
		}
	}
	return found, rest
}
