package check

import (
	"testing"

	"sluice.dev/sluice/pipelines"
)

func TestTextsNameTheirContext(t *testing.T) {
	task := pipelines.ResolvedCheck{Name: "look"}
	for name, want := range map[string]any{
		"context.taskRun.name": "agent-2-look", "context.task.name": "look", "context.task.retry-count": 2,
	} {
		got, ok := newBook(Inquiry{}).value(name, task, &Question{TaskRun: "agent-2-look", Retry: 2})
		if !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got, ok := newBook(Inquiry{}).value("context.taskRun.name", task, &Question{}); ok {
		t.Errorf("where there is none it is %v", got)
	}
}
