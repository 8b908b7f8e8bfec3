package prober

// Upgraded is what tests ask of a cluster that has definitions already.
var Upgraded = upgraded
