package access_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// TestThePageHasTheTable holds docs/access.md to what roles may.
func TestThePageHasTheTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	head := "| right | what it is |"
	for _, role := range pipelines.BindingRoles() {
		head += " " + string(role) + " |"
	}
	if !strings.Contains(string(page), head) {
		t.Fatalf("docs/access.md has no table with the head %s", head)
	}
	for _, right := range pipelines.Rights() {
		_, line, found := strings.Cut(string(page), "\n| `"+string(right)+"` |")
		line, _, _ = strings.Cut(line, "\n")
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		if !found || len(cells) != 1+len(pipelines.BindingRoles()) {
			t.Errorf("docs/access.md has no line of %s", right)
			continue
		}
		for i, role := range pipelines.BindingRoles() {
			if said := strings.TrimSpace(cells[1+i]) == "yes"; said != slices.Contains(role.Rights(), right) {
				t.Errorf("docs/access.md says of %s that it may %s: %v", role, right, said)
			}
		}
	}
}
