# fish completion for o365-sendmail(8): the program says what may follow.

function __o365_sendmail_words
    set -l typed (commandline -opc) (commandline -ct)
    for line in ($typed[1] completion words $typed[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $line
        end
    end
end

complete -c o365-sendmail -f -a '(__o365_sendmail_words)'
