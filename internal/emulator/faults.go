package emulator

type Fault struct {
	change func(*Emulator, *State)
}

func findFault(name string) Fault { return Fault{} }
