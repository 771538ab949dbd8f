# bash completion for o365-sendmail(8): the program says what may follow.

_o365_sendmail() {
	local words=() word cut line i files=
	# Bash takes KEY=VALUE apart; the program wants the words as they were typed.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((${#words[@]})) && [[ $word == = || ${COMP_WORDS[i - 1]} == = ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	cut=
	[[ $COMP_WORDBREAKS != *=* || ${words[-1]} != *=* ]] || cut=${words[-1]%%=*}=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files) files=yes ;;
		*) COMPREPLY+=("$(printf %q "${line%%$'\t'*}")") ;;
		esac
	done < <("${COMP_WORDS[0]}" completion words "${words[@]}" 2>/dev/null)
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
	[[ -z $files ]] || compopt -o default 2>/dev/null
	# What follows an "=" belongs to the same word.
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _o365_sendmail o365-sendmail
