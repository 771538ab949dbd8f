// Package budget holds what a message may cost, as tests: each figure that does not depend
// on the clock has a bound and a reason. A change that passes a bound is either corrected or
// raises the bound and says why. The package has no code of its own.
package budget
