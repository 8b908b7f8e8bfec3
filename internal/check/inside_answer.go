package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/probe"
)

// maxAnswer is how many bytes a pod may say: what Kubernetes keeps of a termination message.
const maxAnswer = 4096

// AnswerInside asks what a pod was made for, as the worker would, and returns what the pod has to say. It fails where the question
// cannot be read, such as one of a newer worker.
func AnswerInside(ctx context.Context, p *probe.Prober, question string) ([]byte, error) {
	var q insideQuestion
	decoder := json.NewDecoder(strings.NewReader(question))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		return nil, fmt.Errorf("cannot read the question: %w", err)
	}
	ask, known := (&Probes{p, "its pod"}).kinds()[q.Step.Kind()]
	if !known {
		return nil, fmt.Errorf("cannot ask %q from a pod", q.Step.Kind())
	}
	d := q.Timeout.Std()
	ctx, cancel := context.WithTimeoutCause(ctx, d, tookLonger(d))
	defer cancel()
	f := ask(ctx, questionOf(q))
	if ctx.Err() != nil { // what was cut short is no verdict
		f = Finding{Verdict: api.Error, Message: context.Cause(ctx).Error()}
	}
	return said(masked(f)) // before it is cut off: what is left of a secret is not known as one
}

func questionOf(q insideQuestion) Question {
	asked := Question{targets: q.Targets}
	asked.Step.StepKinds = q.Step
	return asked
}

// said is a finding as a pod says it. What is too long loses whom it names first, then what was seen, then the message's end.
func said(f Finding) ([]byte, error) {
	a := insideAnswer{f.Verdict, clip.Bytes(f.Message, maxMessage), f.Seen}
	for {
		text, err := written(a)
		switch {
		case err != nil || len(text) <= maxAnswer:
			return text, err
		case a.Seen["who"] != nil:
			delete(a.Seen, "who")
		case len(a.Seen) > 0:
			a.Seen = nil
		default:
			a.Message = clip.Bytes(a.Message, len(a.Message)/2)
		}
	}
}

// written is an answer in JSON, in which nothing is longer than it has to be.
func written(a insideAnswer) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(a)
	return bytes.TrimSpace(text.Bytes()), err
}
