package workload

import "sluice.dev/sluice/internal/api"

// Cost is what moving a workload takes beyond what batches take, as the rule that it breaks.
type Cost struct {
	Rule api.Rule
	Why  string
}
