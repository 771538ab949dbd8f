# Read by bash before a suite's script (BASH_ENV). Each check that the script announces by an echo is an item: it goes
# to $PEER_ITEMS as "pass" or "fail", and the script goes on after a failure instead of ending at the first.
set() { :; }
echo() {
	case $1 in
	Checking* | Testing*) printf 'check\t%s\n' "$*" >>"$PEER_ITEMS" ;;
	esac
	builtin echo "$@"
}
# What fails in a pipe or a substitution counts by the status of the whole.
peer_failed() { [ "$BASH_SUBSHELL" != 0 ] || printf 'fail\t%s\n' "$1" >>"$PEER_ITEMS"; }
builtin set -E
trap 'peer_failed "$BASH_COMMAND"' ERR
