package plan

import (
	"fmt"

	"sluice.dev/sluice/pipelines"
)

// Batches turns a cumulative list of steps into the batches of a node set that has total pods. Targets never fall and
// never pass total; a list that ends in 100%, as the language demands, ends at total. A step that moves nothing here is
// kept, with the reason, so that people see that it was not forgotten.
func Batches(list []pipelines.Amount, total int) []Batch {
	batches := make([]Batch, 0, len(list))
	reached, last := 0, 0
	for i, amount := range list {
		b := Batch{Number: i + 1, Amount: amount, Target: min(max(amount.Of(total), 0), max(total, 0))}
		switch {
		case total <= 0:
			b.Skipped = "there are no pods"
		case reached == total:
			b.Skipped = fmt.Sprintf("batch %d has moved all %d", last, total)
		case b.Target == 0:
			b.Skipped = amount.String() + " moves nothing"
		case b.Target <= reached:
			b.Skipped = fmt.Sprintf("%s not above batch %d", outcome(amount, total), last)
		}
		if b.Skipped != "" {
			b.Target = reached
			batches = append(batches, b)
			continue
		}
		b.Size = b.Target - reached
		reached, last = b.Target, b.Number
		batches = append(batches, b)
	}
	return batches
}

// outcome says what an amount comes to: "10% of 4 is 1," or "5 is".
func outcome(amount pipelines.Amount, total int) string {
	if !amount.Percent {
		return fmt.Sprintf("%d is", amount.Value)
	}
	return fmt.Sprintf("%d%% of %d is %d,", amount.Value, total, amount.Of(total))
}
