# Completion of jinlin for bash: commands and options as the program itself lists them.
_jinlin() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(jinlin help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
    elif [[ $word == -* ]]; then
        words=$(jinlin "$command" --help 2>/dev/null | grep -oE '^  (-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    elif [ "$command" = help ]; then
        words="env exit $(jinlin help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')"
    elif [ "$command" = tokenizer ] && [ "$COMP_CWORD" -eq 2 ]; then
        words=train
    elif [ "$command" = runs ]; then
        words=$(jinlin runs --json 2>/dev/null | sed -n 's/^ *"id": \([0-9]*\).*/\1/p')
    elif [ "$command" = rm ]; then
        words=$(jinlin list --json 2>/dev/null | grep -oE '"name": ?"[^"]*"' | cut -d'"' -f4)
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    else
        compopt -o default 2>/dev/null
        COMPREPLY=()
    fi
}
complete -F _jinlin jinlin
