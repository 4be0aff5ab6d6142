# Completion of jinlin for fish: commands and options as the program itself lists them.
function __jinlin_commands
    jinlin help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end
function __jinlin_options
    set -l words (commandline -opc)
    jinlin $words[2] --help 2>/dev/null | string replace -rf '^  (?:-[a-z], )?(--[a-z-]+).*' '$1'
end
complete -c jinlin -n __fish_use_subcommand -f -a '(__jinlin_commands)'
complete -c jinlin -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -a '(__jinlin_options)'
complete -c jinlin -n '__fish_seen_subcommand_from tokenizer; and not __fish_seen_subcommand_from train' -f -a train
