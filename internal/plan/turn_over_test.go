package plan

// TurnOver gives a row of the table another ruling, until it is turned back.
func TurnOver(row int, ruling Ruling) (back func()) {
	before := verdictPolicy[row].Ruling
	verdictPolicy[row].Ruling = ruling
	return func() { verdictPolicy[row].Ruling = before }
}
