package api

import "strings"

// Queue returns the task queue on which an installation's workflows and central activities are served. It is made of the
// ledger's installation, so that a worker with another ledger never takes this one's work.
func Queue(installation string) string {
	id := strings.TrimPrefix(installation, "sluice-")
	return "sluice-" + id[:min(8, len(id))]
}

// SiteQueue returns the task queue for work near the clusters of a site; the central one for "".
func SiteQueue(central, site string) string {
	if site == "" {
		return central
	}
	return central + "-" + site
}

// ChecksQueue returns the task queue of the workers that measure checks, beside a queue.
func ChecksQueue(queue string) string { return queue + "-checks" }
