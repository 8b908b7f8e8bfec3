package rule_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"sluice.dev/sluice/pipelines/rule"
)

// A rule as people write it, and one that walks a list.
var benchRules = map[string]string{
	"comparison": "workload.updatedReady >= batch.target && workload.unavailable <= 1 && params.share < 0.99",
	"loop":       "workload.events.all(e, e.reason != 'OOMKilling' || e.count < params.count)",
}

func benchFacts() rule.Facts {
	f := facts()
	f.Workload.UpdatedReady = 5
	f.Workload.Events = make([]rule.Event, 20)
	return f
}

// BenchmarkEval is one look of a gate through this package. To be read beside BenchmarkContextEval: it may take half
// as long again, no more.
func BenchmarkEval(b *testing.B) {
	for name, source := range benchRules {
		b.Run(name, func(b *testing.B) {
			program := mustCompile(b, rule.ScopeBatch, source)
			f, p, ctx := benchFacts(), values(), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if holds, err := program.Eval(ctx, f, p); err != nil || !holds {
					b.Fatal(holds, err)
				}
			}
		})
	}
}

// BenchmarkContextEval is cel-go alone: the same rules with the same limits, over a map of variables made beforehand.
func BenchmarkContextEval(b *testing.B) {
	env := bareEnv(b)
	for name, source := range benchRules {
		b.Run(name, func(b *testing.B) {
			program := bareProgram(b, env, source)
			f, ctx := benchFacts(), b.Context()
			variables := bareVariables(&f)
			b.ReportAllocs()
			for b.Loop() {
				if out, _, err := program.ContextEval(ctx, variables); err != nil || out.Value() != true {
					b.Fatal(out, err)
				}
			}
		})
	}
}

func bareVariables(f *rule.Facts) map[string]any {
	return map[string]any{"workload": &f.Workload, "batch": &f.Batch, "params.share": 0.5, "params.count": int64(3)}
}

func bareProgram(b *testing.B, env *cel.Env, source string) cel.Program {
	b.Helper()
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		b.Fatal(issues.Err())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(rule.MaxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		b.Fatal(err)
	}
	return program
}

func bareEnv(b *testing.B) *cel.Env {
	b.Helper()
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[rule.Workload](), reflect.TypeFor[rule.Batch]()),
		cel.Variable("workload", cel.ObjectType("rule.Workload")),
		cel.Variable("batch", cel.ObjectType("rule.Batch")),
		cel.Variable("params.share", cel.DoubleType),
		cel.Variable("params.count", cel.IntType),
	)
	if err != nil {
		b.Fatal(err)
	}
	return env
}

// BenchmarkCompile is a rule that the compiler has not seen, in an environment that it has.
func BenchmarkCompile(b *testing.B) {
	c := rule.NewCompiler()
	sources := make([]string, 4096)
	for i := range sources {
		sources[i] = benchRules["comparison"] + " && workload.ready < " + string(rune('0'+i%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i/100%10)) + string(rune('0'+i/1000))
	}
	i := 0
	for b.Loop() {
		if _, err := c.Compile(rule.ScopeBatch, params, sources[i%len(sources)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkEvalRatio pairs this package with cel-go alone, block by block in turn, and reports the median of the ratios.
// The limit is 1.5.
func BenchmarkEvalRatio(b *testing.B) {
	env := bareEnv(b)
	for name, source := range benchRules {
		b.Run(name, func(b *testing.B) {
			ours, bare := mustCompile(b, rule.ScopeBatch, source), bareProgram(b, env, source)
			f, p, ctx := benchFacts(), values(), b.Context()
			variables := bareVariables(&f)
			const block = 5000
			var ratios []float64
			for b.Loop() {
				for range 15 {
					began := time.Now()
					for range block {
						if holds, err := ours.Eval(ctx, f, p); err != nil || !holds {
							b.Fatal(holds, err)
						}
					}
					mine := time.Since(began)
					began = time.Now()
					for range block {
						if out, _, err := bare.ContextEval(ctx, variables); err != nil || out.Value() != true {
							b.Fatal(out, err)
						}
					}
					ratios = append(ratios, float64(mine)/float64(time.Since(began)))
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(ratios[len(ratios)/2]/1.5, "ratio/limit")
		})
	}
}
