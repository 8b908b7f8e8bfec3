package pipelines

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Amount is a count or a percentage of units, as in Kubernetes' IntOrString. There is one rule of rounding, for every
// kind of workload and unit: a percentage rounds down. Of units it is never below 1, of a failure budget it may be 0:
// 10% of 4 is 1 unit and a budget of 0.
type Amount struct {
	Value   int  `json:"value"`
	Percent bool `json:"percent"`
}

// maxCount bounds a count: no fleet has more clusters, no workload more pods.
const maxCount = 1_000_000

// percentage is how a percentage is written: whole, without a sign or leading zeros.
var percentage = regexp.MustCompile(`^(0|[1-9][0-9]*)%$`)

// Count is an amount of n units.
func Count(n int) Amount { return Amount{Value: n} }

// Percent is an amount of p percent of the units there are.
func Percent(p int) Amount { return Amount{Value: p, Percent: true} }

// ParseAmount reads "5" or "10%". A percentage is a whole one from 0% to 100%, a count is from 0 to a million.
func ParseAmount(text string) (Amount, error) {
	if digits, ok := strings.CutSuffix(text, "%"); ok {
		if !percentage.MatchString(text) {
			return Amount{}, fmt.Errorf("%q is no whole percentage such as 10%%", text)
		}
		p, err := strconv.Atoi(digits)
		if err != nil || p > 100 {
			return Amount{}, fmt.Errorf("%s is more than 100%%", text)
		}
		return Percent(p), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return Amount{}, fmt.Errorf("%q is no number and no percentage such as 10%%", text)
	}
	return Count(n), Count(n).check()
}

func (a Amount) check() error {
	if a.Value < 0 {
		return errors.New("an amount cannot be negative")
	}
	if a.Percent && a.Value > 100 {
		return fmt.Errorf("%s is more than 100%%", a)
	}
	if a.Value > maxCount {
		return fmt.Errorf("%d is more than %d", a.Value, maxCount)
	}
	return nil
}

// Of is how many of total units the amount is: a percentage rounds down, but not below 1; a count is taken as it is;
// neither goes past total. Only an amount of 0 or 0%, or a total of 0, is no unit.
func (a Amount) Of(total int) int {
	n := a.BudgetOf(total)
	if n == 0 && a.Value > 0 && total > 0 {
		return 1
	}
	return n
}

// BudgetOf is how many of total units may fail: a percentage rounds down, to 0 where it must; a count is taken as it
// is; neither goes past total.
func (a Amount) BudgetOf(total int) int {
	if a.Value <= 0 || total <= 0 {
		return 0
	}
	if !a.Percent {
		return min(a.Value, total)
	}
	if a.Value >= 100 {
		return total
	}
	// In two parts, so that no total overflows.
	return total/100*a.Value + total%100*a.Value/100
}

// String prints the amount as people write it: 5 or 10%.
func (a Amount) String() string {
	if a.Percent {
		return strconv.Itoa(a.Value) + "%"
	}
	return strconv.Itoa(a.Value)
}

// MarshalJSON writes 5 or "10%".
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.Percent {
		return json.Marshal(a.String())
	}
	return json.Marshal(a.Value)
}

// UnmarshalJSON reads 5 or "10%".
func (a *Amount) UnmarshalJSON(data []byte) error {
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("cannot read amount: %w", err)
		}
		if !strings.HasSuffix(text, "%") {
			return fmt.Errorf("cannot read amount: a count is a number, not the text %q", text)
		}
	}
	parsed, err := ParseAmount(text)
	if err != nil {
		return fmt.Errorf("cannot read amount: %w", err)
	}
	*a = parsed
	return nil
}

// UnmarshalYAML reads 5 or 10%.
func (a *Amount) UnmarshalYAML(node *yaml.Node) error {
	if !isScalar(node, "!!int") && !strings.HasSuffix(node.Value, "%") {
		return fmt.Errorf("cannot read amount: %s is no number and no percentage such as 10%%", nature(node))
	}
	parsed, err := ParseAmount(node.Value)
	if err != nil {
		return fmt.Errorf("cannot read amount: %w", err)
	}
	*a = parsed
	return nil
}

// MarshalYAML writes 5 or 10%.
func (a Amount) MarshalYAML() (any, error) {
	if a.Percent {
		return a.String(), nil
	}
	return a.Value, nil
}
