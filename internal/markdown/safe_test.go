package markdown_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// evils are texts that would be more than text where Markdown is rendered.
var evils = []string{
	"@everyone", "```\n@org/team", "````\n</details>\n# head\n", "`x` @a `y`", "a\n\n/approve\n/merge\n", "/approve\n", "\r/close\r", "<script>alert(1)</script>",
	"</summary></details>", "<!-- ", "[x](https://evil.example)", "![x](https://evil.example/x.png)", "https://evil.example www.evil.example",
	"a|b|@c", `a\|b`, "\u202e\u2028\u2066 x", "#1 GH-1 !2 org/repo#3", "~~~\n", "$`x`$", "\x00\xff\x1b[2J", "&lt;b&gt; &#64;", "    indented", "> quote\n- [ ] task",
	"`", "``", " ` ", "\\`", "ann@evil.example", "[[_TOC_]]", "a`\n`b", "~ ConfigMap/a/b\n```\n<img src=x>", "+ X/y\n/close\n",
}

// wicked is a plan whose every text is somebody's.
func wicked(evil string) markdown.Planned {
	p := small()
	p.Plan.Subject, p.Plan.Version, p.Plan.Pipeline = api.Component(evil), evil, evil
	p.Plan.Notes, p.Plan.Risk = []string{evil, evil}, pipelines.Risk(evil)
	p.Plan.Params = []pipelines.ParamValue{{Name: evil, Value: evil}}
	for i := range p.Plan.Stages {
		s := &p.Plan.Stages[i]
		s.Name = evil
		if s.Skipped != "" {
			s.Skipped = evil
		}
		for j := range s.Groups {
			for k := range s.Groups[j].Units {
				u := &s.Groups[j].Units[k]
				u.Path, u.Environment, u.Reasons[0].Value = evil, evil, evil
			}
		}
		for j := range s.Rules.Checks {
			s.Rules.Checks[j].Name = evil
		}
	}
	said := []plan.Shared{{Clusters: []string{evil, "eu-1"}, Own: []string{evil}, Text: evil}, {Clusters: []string{"eu-2"}, Text: "x\n" + evil + "\n" + evil}}
	p.Seen = plan.Seen{
		Batches: said, Changes: said, Drift: said, Notes: said, Refusals: said, Unreachable: said,
		Unchanged: []string{evil}, Missing: []string{evil},
	}
	p.Hash, p.Origin, p.Refused, p.Warnings, p.Untold, p.Program = evil, evil, []string{evil}, []string{evil}, evil, "sluice --server "+evil
	return p
}

// wickedRun is a run whose every text is somebody's.
func wickedRun(evil string) markdown.Ran {
	check := &api.Check{Name: evil, Verdict: api.Verdict(evil), Message: evil}
	waits := &api.Waiting{Kind: api.WaitKind(evil), Name: evil, Unmet: []string{evil}, Owner: evil}
	return markdown.Ran{Program: "sluice --server " + evil, Note: evil, Run: api.RunStatus{
		Name: evil, Subject: api.Component(evil), Version: evil, Plan: evil, Pipeline: evil, Phase: api.Phase(evil), By: evil,
		Ending: &api.Ending{By: evil, Reason: evil}, Waiting: waits,
		Stages: []api.StageStatus{{Name: evil, Skipped: evil}, {Name: evil, Units: []api.UnitStatus{
			{Path: evil, Phase: api.Phase(evil), Version: evil, Waiting: waits, Failure: check, FailedAt: evil},
		}}},
	}}
}

// ours is the HTML that is written.
var ours = regexp.MustCompile(`^(</details>|<details( open)?><summary>[A-Za-z0-9 :,._-]*</summary>)$`)

// spoken are the words of plans and lists: what stands outside of code is made of nothing else.
var spoken = regexp.MustCompile(`[@\[\]<>|\\/~$!` + "`" + `\x00-\x08\x0b-\x1f]|#\d|www|http|evil`)

// check fails the test where a text has more than what we write ourselves.
func check(t *testing.T, source string) {
	t.Helper()
	body := []byte(source)
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(body))
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.AutoLink, *ast.Image, *ast.RawHTML, *ast.CodeBlock, *ast.Blockquote, *ast.Emphasis:
			if e, strong := n.(*ast.Emphasis); strong && e.Level == 2 {
				return ast.WalkContinue, nil
			}
			t.Errorf("it has a %s", n.Kind())
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				at := n.Lines().At(i)
				if l := strings.TrimSpace(string(at.Value(body))); !ours.MatchString(l) {
					t.Errorf("it has the HTML %q", l)
				}
			}
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.FencedCodeBlock:
			if info := string(n.Language(body)); info != "diff" && info != "text" {
				t.Errorf("it has a block of code in %q", info)
			}
		case *ast.Text:
			if said := n.Segment.Value(body); spoken.Match(said) {
				t.Errorf("outside of code it says %q", said)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Error(err)
	}
	for l := range bytes.Lines(body) {
		if bytes.HasPrefix(l, []byte("/")) {
			t.Errorf("a line begins as a command: %q", l)
		}
	}
	if unseen := func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }; strings.ContainsFunc(source, unseen) {
		t.Error("it has what is not seen")
	}
	if open, closed := strings.Count(source, "\n<details"), strings.Count(source, "\n</details>\n"); open > closed {
		t.Errorf("%d folds are opened, %d closed", open, closed)
	}
	if t.Failed() {
		t.Logf("%s", source)
	}
}

func TestTextsOfOthersStayText(t *testing.T) {
	for _, evil := range evils {
		for _, limit := range []int{markdown.Least, 7_000, markdown.GitHubComment} {
			got := markdown.Plan(wicked(evil), limit)
			check(t, got)
			if len(got) > limit {
				t.Errorf("%q: it has %d bytes of %d", evil, len(got), limit)
			}
			ran := markdown.Run(wickedRun(evil), limit)
			if check(t, ran); len(ran) > limit {
				t.Errorf("%q: the run has %d bytes of %d", evil, len(ran), limit)
			}
			mistakes := []markdown.Mistake{{Where: evil, What: evil}}
			check(t, markdown.Mistakes(mistakes, mistakes, limit))
			if t.Failed() {
				t.Fatalf("%q breaks out", evil)
			}
		}
	}
	check(t, markdown.Plan(small(), markdown.GitHubComment))
}

func FuzzTextsOfOthersStayText(f *testing.F) {
	for _, evil := range evils {
		f.Add(evil, 7_000)
	}
	f.Add(strings.Repeat("`\U0001F600", 4_000), markdown.Least)
	f.Add(strings.Repeat("/x\n~ A/b\n", 3_000), 9_000)
	f.Fuzz(func(t *testing.T, evil string, limit int) {
		limit = max(markdown.Least, min(limit, 1<<20))
		got := markdown.Plan(wicked(evil), limit)
		check(t, got)
		ran := markdown.Run(wickedRun(evil), limit)
		check(t, ran)
		if len(got) > limit || len(ran) > limit {
			t.Errorf("they have %d and %d bytes of %d", len(got), len(ran), limit)
		}
		mistakes := []markdown.Mistake{{Where: evil, What: evil}, {Where: "a", What: evil}}
		check(t, markdown.Mistakes(mistakes, mistakes, limit))
	})
}
