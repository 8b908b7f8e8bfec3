package probe

// ReportSuccess says that all is well. The program ends then, with status 0.
func ReportSuccess() error {
	return say(Report{OK: true})
}

// ReportFailure says which faults were found. The program ends then, with status 1.
func ReportFailure(errors []string) error {
	return say(Report{Errors: errors})
}

func say(r Report) error {
	e, err := told()
	if err != nil {
		return err
	}
	return e.deliver(r)
}
