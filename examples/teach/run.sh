#!/bin/sh
# Teaches a tiny model a format from 200 lines, and shows what it could do before and can do after.
#
#   examples/teach/run.sh [FOLDER]     (default: build/teach)
#
# JINLIN is the program; TALK_EPOCHS and TUNE_EPOCHS make it longer or shorter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
jinlin=${JINLIN:-$root/build/src/cli/jinlin}
folder=${1:-$root/build/teach}
rm -rf "$folder"
mkdir -p "$folder"
python3 "$here/make.py" "$folder"
sed "s/^epochs = .*/epochs = ${TALK_EPOCHS:-1}/" "$here/talk.recipe" > "$folder/talk.recipe"
cd "$folder"

echo "== A model that answers requests in words: made from nothing"
"$jinlin" tokenizer train talk.jsonl --out tokenizer --vocab-size 512 --special '<|start|>' \
    --eos '<|end|>' --pad '<|end|>' --template "$here/chat.jinja"
"$jinlin" train talk.recipe -o talk

echo
echo "== Before: 150 requests that it has not seen, and the JSON that we want"
"$jinlin" eval talk/talk tasks.jsonl --out before.jsonl

echo
echo "== Tuning: 200 lines that show the format"
"$jinlin" tune talk/talk --data format.jsonl -o format --rows 512 --epochs "${TUNE_EPOCHS:-8}"

echo
echo "== After"
"$jinlin" eval format/tuned tasks.jsonl --out after.jsonl --baseline before.jsonl

echo
ask() { "$jinlin" run "$1" --chat --greedy -n 64 -p "Is there a canoe for six of us on Sunday morning?"; }
printf 'Is there a canoe for six of us on Sunday morning?\n  before: '
ask talk/talk
printf '  after:  '
ask format/tuned
