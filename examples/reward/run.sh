#!/bin/sh
# Teaches a tiny model by a reward program of twenty lines, and shows how it answered before and after.
#
#   examples/reward/run.sh [FOLDER]     (default: build/reward)
#
# JINLIN is the program; STEPS makes it longer or shorter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
jinlin=${JINLIN:-$root/build/jinlin}
folder=${1:-$root/build/reward}
rm -rf "$folder"
mkdir -p "$folder"
python3 "$root/examples/teach/make.py" "$folder"
cp "$here/judge.py" "$root/examples/teach/talk.recipe" "$folder"
sed "s/^steps = .*/steps = ${STEPS:-40}/" "$here/recipe" > "$folder/recipe"
cd "$folder"

echo "== A model that answers requests in words: made from nothing, as in examples/teach"
"$jinlin" tokenizer train talk.jsonl --out tokenizer --vocab-size 512 --special '<|start|>' \
    --eos '<|end|>' --pad '<|end|>' --template "$root/examples/teach/chat.jinja"
"$jinlin" train talk.recipe -o talk

echo
echo "== The requests alone: what is right is not shown anywhere"
sed 's/"expect": .*/"expect": "-"}/' tasks.jsonl > asks.jsonl
head -2 asks.jsonl

echo
echo "== Forty steps of reward"
"$jinlin" tune talk/talk --method grpo recipe -o short

echo
ask() { "$jinlin" run "$1" --chat --greedy -n 64 -p "Is there a canoe for six of us on Sunday morning?"; }
printf 'Is there a canoe for six of us on Sunday morning?\n  before: '
ask talk/talk
printf '  after:  '
ask short/short
