package stack

// ProcessLabel marks the process node of each cluster, whose pods are processes; it is the key of its taint too.
const ProcessLabel = "local.sluice.dev/process"
