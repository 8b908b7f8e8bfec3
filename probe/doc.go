// Package probe is for programs that look whether something works, as its users do, and say what they found. Sluice runs them in clusters;
// so does Kuberhealthy, whose contract they report by. It needs nothing but the standard library.
//
// The least that a program does is to call ReportSuccess or ReportFailure, and to end. Main does more for it: the check gets a context that
// ends in time to report, steps are timed, and an error says whether a fault was found or nobody could look. RunForever is for programs
// that never end.
//
// Where it was not told where to report to, a program leaves what it found as the termination message of its container, and says it by
// its exit status: 0 passed, 1 found a fault, 75 cannot tell, 126 could not look.
package probe
