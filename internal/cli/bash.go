package cli

// bashWords replaces what finds the words in cobra's script: that calls functions of the package
// bash-completion, which isn't everywhere, and whose words end at an "@" (bash's own option
// hostcomplete, on by default, makes it a word break). Its own names, since functions under that
// package's names would break other commands' completions. It runs in bash 3.2.
const bashWords = `
# What follows needs no bash-completion, and replaces the functions of these names above.

__start_mysql-secret-store-rds()
{
    local words=() cur= out= directive= typed= line=${COMP_LINE:0:COMP_POINT} rest= word= i n=-1

    COMPREPLY=()
    # bash splits words at : = @ too: what no space separates is one word. The last one ends at the cursor.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]-}
        rest=${line#"${line%%[![:space:]]*}"}
        ((i == COMP_CWORD)) && word=$rest
        if [[ $n -lt 0 || $rest != "$line" ]]; then
            n=$((n + 1))
        fi
        words[n]=${words[n]-}$word
        line=${rest#"$word"}
    done
    cur=${words[n]} typed=$cur
    # After > and < comes a file.
    if [[ $cur == *[\<\>]* || ( $n -gt 0 && ${words[n-1]} == *[\<\>] ) ]]; then
        return
    fi

    __mysql-secret-store-rds_get_completion_results
    __mysql-secret-store-rds_process_completion_results

    # cur is a flag's value by now; bash replaces what stands after the last word break, which the @ of hostcomplete belongs to.
    rest=$typed
    for word in : = @; do
        if [[ $COMP_WORDBREAKS == *"$word"* && $rest == *"$word"* ]]; then
            rest=${rest##*"$word"}
            if [[ $word == @ ]] && shopt -q hostcomplete; then
                rest=@$rest
            fi
        fi
    done
    for i in ${!COMPREPLY[*]}; do
        word=${typed%"$cur"}${COMPREPLY[i]}
        COMPREPLY[i]=${word#"${typed%"$rest"}"}
    done

    # A host without its user, of which Server URLs are wanted: they replace it, unless the users differ.
    if [[ ${#COMPREPLY[*]} -eq 0 && -n $cur && $cur != *[:=@]* && $out == *@* ]]; then
        word=${out%%@*}@
        while read -r line; do
            if [[ $line == "$word$cur"* ]]; then
                COMPREPLY+=("$line")
            elif [[ -n $line ]]; then
                COMPREPLY=()
                return
            fi
        done <<<"$out"
    fi
}

__mysql-secret-store-rds_handle_special_char() { :; }
`
