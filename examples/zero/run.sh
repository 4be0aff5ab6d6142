#!/bin/sh
# Teaches a model something that no example has ever shown it, by nothing but "right" and "wrong".
#
#   examples/zero/run.sh [FOLDER]     (default: build/zero)
#
# JINLIN is the program, MODEL the model (default: the one that ships); STEPS makes it longer or shorter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
jinlin=${JINLIN:-$root/build/jinlin}
model=$(realpath "${MODEL:-$root/models/fry/fry.gguf}")
folder=${1:-$root/build/zero}
rm -rf "$folder"
mkdir -p "$folder"
python3 "$here/make.py" "$folder"
sed "s/^steps = .*/steps = ${STEPS:-150}/" "$here/recipe" > "$folder/recipe"
cd "$folder"

echo "== What the model makes of such questions, drawn at temperature 1"
"$jinlin" eval "$model" held.jsonl --temperature 1 --seed 1

echo
echo "== Steps of reward"
"$jinlin" tune "$model" --method grpo recipe -o zero

echo
echo "== The same questions afterwards"
"$jinlin" eval "$model" held.jsonl --adapter zero/zero --temperature 1 --seed 1
"$jinlin" runs "$("$jinlin" runs | awk 'NR == 2 { print $1 }')" --metric right
